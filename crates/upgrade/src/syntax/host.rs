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
    if host != authority.host() || text.contains('@') {
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
