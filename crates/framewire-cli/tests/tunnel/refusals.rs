//! What a server end answers when there is no tunnel.

use std::net::SocketAddr;
use std::time::Duration;

use framewire::handshake::{Connector, HandshakeError};

use crate::ends::{
    End, SUBPROTOCOL, expect_no_connection, expect_reset, hear, listener, nobody, rest, say,
};

/// The status and the text of a refusal.
fn refused(end: &End, query: &str, connector: &Connector) -> (u16, String) {
    let error = end.try_websocket(query, connector).unwrap_err();
    answer(&error)
}

fn answer(error: &HandshakeError) -> (u16, String) {
    let response = error.response().unwrap();
    let text = String::from_utf8(response.body().clone()).unwrap();
    (response.status().as_u16(), text)
}

#[test]
fn a_target_that_is_not_allowed_is_refused_and_not_connected_to() {
    let (allowed, other) = (listener(), listener());
    let address = allowed.local_addr().unwrap();
    let end = End::server(address, &[]);
    let port = address.port();
    let other_port = other.local_addr().unwrap().port();
    for target in [
        format!("127.0.0.1:{other_port}"),
        // Another spelling of where the allowed one leads is another target.
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("127.0.0.2:{port}"),
        format!("127.0.0.1.:{port}"),
    ] {
        let query = format!("?target={}", target.replace('[', "%5B").replace(']', "%5D"));
        let (status, text) = refused(&end, &query, &Connector::new());
        let is_name = !target.contains(".:");
        assert_eq!(status, if is_name { 403 } else { 400 }, "{target}: {text}");
        assert!(end.logged().contains(if is_name { "403" } else { "400" }));
    }
    expect_no_connection(end, &[allowed, other]);
}

#[test]
fn what_is_no_target_is_refused_and_logged_in_one_line() {
    let service = listener();
    let address = service.local_addr().unwrap();
    let end = End::server(address, &[]);
    for value in [
        "",
        "%0a127.0.0.1:1",
        "127.0.0.1:1%0d%0aX:%20y",
        "a%00b:1",
        "127.0.0.1:%31%",
        "127.1:1",
        "0x7f000001:1",
        "127.0.0.1:1&target=127.0.0.1:1",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "%1b[2Ja:1",
        "http://127.0.0.1:1",
        "user@127.0.0.1:1",
        "127.0.0.1:1/",
    ] {
        let (status, _) = refused(&end, &format!("?target={value}"), &Connector::new());
        assert_eq!(status, 400, "{value}");
        let line = end.logged();
        assert!(line.starts_with("400 Bad Request: "), "{line}");
        assert!(!line.contains(char::is_control), "{line}");
    }
    // The same target in another spelling of the query is the same.
    let port = address.port();
    end.websocket(&format!("?a=b&target=%31%32%37.0.0.1%3A{port}&c"));
    assert_eq!(end.logged(), format!("{address}: open"));
}

#[test]
fn a_target_that_cannot_be_reached_is_told() {
    let target = nobody();
    let end = End::server(target, &[]);
    let (status, text) = refused(&end, "", &Connector::new());
    assert_eq!(status, 502);
    assert!(text.starts_with("target cannot be reached: "), "{text}");
    let line = end.logged();
    assert!(
        line.starts_with(&format!("{target}: 502 Bad Gateway: ")),
        "{line}"
    );
}

/// A queue for connections that is full drops those that come.
#[cfg(target_os = "linux")]
#[test]
fn a_target_that_does_not_answer_in_time_is_told() {
    use socket2::{Domain, Socket, Type};
    use std::net::TcpStream;

    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 16, "the queue is never full");
    }
    let end = End::server(address, &["--timeout", "0.3"]);
    let (status, text) = refused(&end, "", &Connector::new());
    assert_eq!(
        (status, text.as_str()),
        (504, "target did not answer within 300ms\n")
    );
}

#[test]
fn one_tunnel_more_than_there_may_be_is_refused_until_one_ends() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &["--max-connections", "1"]);
    let first = end.websocket("");
    let (status, text) = refused(&end, "", &Connector::new());
    assert_eq!((status, text.as_str()), (503, "too many connections\n"));
    drop(first);
    crate::ends::eventually("a free place", || {
        end.try_websocket("", &Connector::new()).ok()
    });
}

/// What takes the last file leaves none for the connection to the target.
#[cfg(target_os = "linux")]
#[test]
fn a_tunnel_for_which_there_is_no_file_is_refused() {
    const FILES: usize = 64;
    let service = listener();
    let target = service.local_addr().unwrap().to_string();
    let end = End::with_files(FILES, &["--listen", "ws://127.0.0.1:0", "--allow", &target]);
    let mut idle = Vec::new();
    for left in (1..end.free_files(FILES)).rev() {
        idle.push(end.tcp());
        crate::ends::eventually("one file more", || {
            (end.free_files(FILES) == left).then_some(())
        });
    }
    let (status, text) = refused(&end, "", &Connector::new());
    assert_eq!((status, text.as_str()), (503, "too many open files\n"));
    drop(idle);
    crate::ends::eventually("a free file", || {
        end.try_websocket("", &Connector::new()).ok()
    });
}

#[test]
fn web_pages_may_not_connect_unless_they_are_listed() {
    let service = listener();
    let target = service.local_addr().unwrap();
    let page = |origin: &str| Connector::new().origin(origin.to_owned()).unwrap();
    let end = End::server(target, &[]);
    // Not even one that is of the same host, as a name that was made to lead here is.
    for origin in [
        format!("http://{}", end.address),
        "https://a.example".to_owned(),
        "null".to_owned(),
    ] {
        assert_eq!(refused(&end, "", &page(&origin)).0, 403, "{origin}");
    }
    end.websocket("");
    let end = End::server(target, &["--allow-origin", "same"]);
    end.try_websocket("", &page(&format!("http://{}", end.address)))
        .unwrap();
    assert_eq!(refused(&end, "", &page("https://a.example")).0, 403);
    let end = End::server(target, &["--allow-origin", "https://a.example"]);
    end.try_websocket("", &page("https://a.example")).unwrap();
}

#[test]
fn a_client_without_the_header_that_is_required_is_refused() {
    let service = listener();
    let header = "Authorization: Bearer hush";
    let options = ["--require-header", header];
    let end = End::server(service.local_addr().unwrap(), &options);
    let with = |value: &'static str| {
        let name = http::header::AUTHORIZATION;
        let value = http::HeaderValue::from_static(value);
        Connector::new().header(name, value).unwrap()
    };
    for connector in [Connector::new(), with("Bearer hus"), with("Bearer hush2")] {
        for query in ["", "?target=127.0.0.1:1", "?target="] {
            let error = end.try_websocket(query, &connector).unwrap_err();
            let challenge = &error.response().unwrap().headers()["www-authenticate"];
            assert_eq!(challenge, "Bearer");
            let (status, text) = answer(&error);
            assert_eq!(status, 401, "{text}");
            assert!(end.logged().starts_with("401 Unauthorized: "));
        }
    }
    let client = End::client(&end, &["--header", header]);
    let user = client.tcp();
    hear(&user, {
        say(&crate::ends::accept(&service), b"hello");
        b"hello"
    });
    let client = End::client(&end, &[]);
    expect_reset(client.tcp());
    // For good: nothing is tried again.
    let line = client.logged();
    assert!(line.starts_with("no tunnel: "), "{line}");
    assert!(line.contains("401"), "{line}");
    drop(user);
    expect_no_connection(end, &[service]);
}

#[test]
fn a_target_must_be_named_unless_there_is_but_one() {
    let (first, second) = (listener(), listener());
    let second_address = second.local_addr().unwrap();
    let other = second_address.to_string();
    let end = End::server(first.local_addr().unwrap(), &["--allow", &other]);
    let (status, text) = refused(&end, "", &Connector::new());
    assert_eq!(status, 400);
    assert!(text.contains("?target=HOST:PORT"), "{text}");
    end.websocket(&format!("?target={other}"));
    crate::ends::accept(&second);

    let fixed = format!("tcp://{other}");
    let end = End::start(&["--listen", "ws://127.0.0.1:0", "--connect", &fixed]);
    end.websocket("");
    crate::ends::accept(&second);
}

#[test]
fn the_subprotocol_is_agreed_on_with_those_who_offer_it() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &[]);
    assert_eq!(end.websocket("").subprotocol(), None);
    let others = Connector::new()
        .subprotocols(["binary", SUBPROTOCOL])
        .unwrap();
    let agreed = end.try_websocket("", &others).unwrap();
    assert_eq!(agreed.subprotocol(), Some(SUBPROTOCOL));
}

#[test]
fn a_request_that_is_no_handshake_gets_an_answer() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &[]);
    let stream = end.tcp();
    say(
        &stream,
        b"GET /?target=127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(rest(&stream).starts_with(b"HTTP/1.1 4"));
    expect_no_connection(end, &[service]);
}

#[test]
fn half_a_request_is_answered_when_its_time_is_over() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &["--timeout", "0.3"]);
    let stream = end.tcp();
    say(&stream, b"GET / HTTP/1.1\r\nHost: a\r\n");
    assert!(rest(&stream).starts_with(b"HTTP/1.1 408 "));
}

#[test]
fn many_halves_of_requests_keep_nobody_out() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &["--max-connections", "1"]);
    let halves: Vec<_> = (0..200).map(|_| end.tcp()).collect();
    for half in &halves {
        say(half, b"GET / HTTP/1.1\r\n");
    }
    end.websocket("");
    // The oldest made room: it is not answered, as one whose time is over is.
    assert_eq!(rest(&halves[0]), b"");
}

/// Each would be waited for, to take its answer, and no more than 128 handshakes are.
#[cfg(target_os = "linux")]
#[test]
fn many_that_are_refused_and_stay_do_not_pile_up() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &[]);
    let before = end.open_files();
    let refused: Vec<_> = (0..300)
        .map(|_| {
            let stream = end.tcp();
            say(&stream, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(rest(&stream).starts_with(b"HTTP/1.1 4"));
            stream
        })
        .collect();
    let grown = end.open_files() - before;
    assert!(grown < 140, "{grown} of {}", refused.len());
}

#[test]
fn a_client_end_resets_a_connection_for_which_there_is_no_tunnel() {
    let service = listener();
    let server = End::server(service.local_addr().unwrap(), &[]);
    let client = End::client(&server, &["--target", "127.0.0.1:1"]);
    // Refused for good: nothing is tried again.
    expect_reset(client.tcp());
    let line = client.logged();
    assert!(line.starts_with("no tunnel: "), "{line}");
    assert!(
        line.ends_with("403 Forbidden: target is not allowed"),
        "{line}"
    );
}
