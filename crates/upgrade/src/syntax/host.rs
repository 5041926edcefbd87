//! `host [ ":" port ]`, as in `Host`, in a target and in an origin (RFC 3986 3.2.2, 3.2.3).

use http::uri::Authority;

/// Returns the host as it is written, and the port. `None` where there is no host, there is user information, or the
/// port is not a port number.
#[must_use]
pub fn split_host(text: &str) -> Option<(&str, Option<u16>)> {
    let authority: Authority = text.parse().ok()?;
    let host = text
        .get(..authority.host().len())
        .filter(|host| !host.is_empty())?;
    // User information would come before the host.
    if host != authority.host() {
        return None;
    }
    let port = match &text[host.len()..] {
        // RFC 3986 3.2.3: the port may be empty.
        "" | ":" => None,
        port => Some(
            port.strip_prefix(':')
                .filter(|port| is_number(port))?
                .parse()
                .ok()?,
        ),
    };
    Some((host, port))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::split_host;

    #[test]
    fn a_host_stands_alone_or_before_a_port() {
        for (text, parts) in [
            ("a.example", ("a.example", None)),
            ("a.example:", ("a.example", None)),
            ("a.example:0", ("a.example", Some(0))),
            ("[::1]:65535", ("[::1]", Some(65535))),
        ] {
            assert_eq!(split_host(text), Some(parts), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_neither() {
        for text in [
            "", ":80", "a:65536", "a:+80", "a:-80", "a:b", "a:80:80", "[::1", "a/b", "a@", "a@b",
            "a@a", "a:1@a", "@a", "a@a:1",
        ] {
            assert_eq!(split_host(text), None, "{text}");
        }
    }
}
