//! Requests of handshakes as text, and what is in an answer.

/// A sound WebSocket request, for the key of RFC 6455 1.3.
pub const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// [`REQUEST`] with a line put in after the first.
pub fn request_with(line: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{line}\r\n"), 1)
}

/// [`REQUEST`] with the line that begins so replaced, or left out where `line` is empty.
pub fn request_replacing(start: &str, line: &str) -> String {
    assert_eq!(
        REQUEST.lines().filter(|old| old.starts_with(start)).count(),
        1
    );
    let mut request = String::new();
    for old in REQUEST.lines() {
        let new = if old.starts_with(start) { line } else { old };
        if !new.is_empty() || old.is_empty() {
            request.push_str(new);
            request.push_str("\r\n");
        }
    }
    request
}

/// The status of a response.
pub fn status_of(output: &str) -> u16 {
    output.strip_prefix("HTTP/1.1 ").unwrap()[..3]
        .parse()
        .unwrap()
}

/// The values of a header in a response.
pub fn header_of<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let (head, _) = output.split_once("\r\n\r\n").unwrap();
    let fields = head
        .split("\r\n")
        .skip(1)
        .map(|line| line.split_once(": ").unwrap());
    fields
        .filter(|field| field.0.eq_ignore_ascii_case(name))
        .map(|field| field.1)
        .collect()
}

pub fn body_of(output: &str) -> &str {
    output.split_once("\r\n\r\n").unwrap().1
}
