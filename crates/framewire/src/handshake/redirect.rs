//! Where a redirect leads, and which headers go along.

use super::uri::{is_secure, parse_uri};
use crate::upgrade::layer::split_host;
use http::header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, Response, StatusCode, Uri};

/// Returns the `ws` or `wss` URI that a response to a request for `asked` redirects to. `None` where it is not a
/// redirect, or its target cannot be used.
pub(super) fn target<B>(asked: &Uri, response: &Response<B>) -> Option<Uri> {
    if !REDIRECTS.contains(&response.status()) {
        return None;
    }
    // Some servers send the location unencoded.
    let location = str::from_utf8(response.headers().get(LOCATION)?.as_bytes()).ok()?;
    let target = resolve(asked, location)?;
    parse_uri(&target).ok().map(|(uri, _)| uri)
}

/// Returns why a response that is a redirect has no [`target`]. `None` where it is not a redirect.
pub(super) fn why_unusable<B>(asked: &Uri, response: &Response<B>) -> Option<String> {
    if !REDIRECTS.contains(&response.status()) {
        return None;
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Some("it has no location".to_owned());
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let why = match resolve(asked, &location) {
        None => "it is not of ws, wss, http or https".to_owned(),
        Some(target) => match parse_uri(&target) {
            Err(error) => error.to_string(),
            Ok(_) => "it is not UTF-8".to_owned(),
        },
    };
    Some(format!("its location {location:?} cannot be used: {why}"))
}

/// Returns whether two URIs are of one server: scheme, host and port.
pub(super) fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let secure = is_secure(uri)?;
        let (host, port) = split_host(uri.authority()?.as_str())?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        Some((secure, host.to_ascii_lowercase(), port))
    };
    origin(one) == origin(other)
}

/// Removes the headers that are only for the first server.
pub(super) fn remove_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
}

/// Resolves a reference against a URI (RFC 3986 5.2), in a scheme of RFC 6455 3. A fragment has no meaning there and
/// is left out.
fn resolve(base: &Uri, reference: &str) -> Option<String> {
    let reference = reference.split('#').next()?;
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    if let Some((scheme, rest)) = split_scheme(reference) {
        let rest = rest.strip_prefix("//")?;
        return Some(without_dots(websocket_scheme(scheme)?, rest));
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return Some(without_dots(scheme, rest));
    }
    let path = base.path();
    let rest = match reference.bytes().next() {
        None => format!("{authority}{}", base.path_and_query()?),
        Some(b'/') => format!("{authority}{reference}"),
        Some(b'?') => format!("{authority}{path}{reference}"),
        Some(_) => {
            let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
            format!("{authority}{folder}{reference}")
        }
    };
    Some(without_dots(scheme, &rest))
}

/// RFC 3986 3.1.
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other));
    is_scheme.then_some((scheme, rest))
}

fn websocket_scheme(scheme: &str) -> Option<&'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some("ws"),
        "https" | "wss" => Some("wss"),
        _ => None,
    }
}

/// Returns a URI from what follows `//`, without `.` and `..` in its path (RFC 3986 5.2.4).
fn without_dots(scheme: &str, rest: &str) -> String {
    let (hierarchy, query) = match rest.find('?') {
        Some(start) => rest.split_at(start),
        None => (rest, ""),
    };
    let mut segments = hierarchy.split('/');
    let authority = segments.next().unwrap_or_default();
    let mut path: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in segments {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    if ends_in_folder {
        path.push("");
    }
    format!("{scheme}://{authority}/{}{query}", path.join("/"))
}

/// RFC 9110 15.4: the statuses that name another place for the same request.
const REDIRECTS: [StatusCode; 5] = [
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::SEE_OTHER,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn redirect(status: u16, location: Option<&[u8]>) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(location) = location {
            let location = HeaderValue::from_bytes(location).unwrap();
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    fn target_of(base: &str, location: &str) -> Option<String> {
        let response = redirect(302, Some(location.as_bytes()));
        target(&base.parse().unwrap(), &response).map(|uri| uri.to_string())
    }

    #[test]
    fn rfc3986_5_2_targets_are_resolved() {
        let base = "ws://a.example:81/b/c?d=e";
        for (location, resolved) in [
            ("ws://x.example/y", "ws://x.example/y"),
            ("WSS://x.example", "wss://x.example/"),
            ("http://x.example/y?z", "ws://x.example/y?z"),
            ("HTTPS://x.example:444/y", "wss://x.example:444/y"),
            ("//x.example/y", "ws://x.example/y"),
            ("/y", "ws://a.example:81/y"),
            ("/y?z=http://q/..", "ws://a.example:81/y?z=http://q/.."),
            ("y", "ws://a.example:81/b/y"),
            ("y/z", "ws://a.example:81/b/y/z"),
            // No scheme stands before these colons.
            ("y/z:1", "ws://a.example:81/b/y/z:1"),
            ("1y:z", "ws://a.example:81/b/1y:z"),
            ("./y", "ws://a.example:81/b/y"),
            ("../y", "ws://a.example:81/y"),
            ("../../../y", "ws://a.example:81/y"),
            ("y/..", "ws://a.example:81/b/"),
            (".", "ws://a.example:81/b/"),
            ("..", "ws://a.example:81/"),
            ("/y/./z/../", "ws://a.example:81/y/"),
            ("?z", "ws://a.example:81/b/c?z"),
            ("", "ws://a.example:81/b/c?d=e"),
            ("#f", "ws://a.example:81/b/c?d=e"),
            ("/y#f", "ws://a.example:81/y"),
            ("//[::1]:9/", "ws://[::1]:9/"),
            ("/a b", "ws://a.example:81/a%20b"),
            ("/\u{fc}?\u{e9}", "ws://a.example:81/%C3%BC?%C3%A9"),
        ] {
            assert_eq!(
                target_of(base, location).as_deref(),
                Some(resolved),
                "{location:?}"
            );
        }
        assert_eq!(target_of("wss://a", "y").unwrap(), "wss://a/y");
        assert_eq!(target_of("wss://a", "//b").unwrap(), "wss://b/");
    }

    #[test]
    fn targets_of_no_use_are_none() {
        for location in [
            "ftp://x.example/",
            "mailto:a@x.example",
            "http:/y",
            "http:y",
            "ws://",
            "//",
            "ws://u:p@x.example/",
            "ws://x.example:99999/",
            "//b\u{fc}cher.example/",
        ] {
            assert_eq!(target_of("ws://a.example/", location), None, "{location:?}");
        }
        let base = "ws://a.example/".parse().unwrap();
        assert_eq!(target(&base, &redirect(302, None)), None);
        assert_eq!(target(&base, &redirect(302, Some(b"/\xff"))), None);
    }

    #[test]
    fn rfc9110_15_4_statuses_that_redirect() {
        let base = "ws://a.example/".parse().unwrap();
        let redirects = |status: &u16| target(&base, &redirect(*status, Some(b"/y"))).is_some();
        let found: Vec<u16> = (200..600).filter(redirects).collect();
        assert_eq!(found, [301, 302, 303, 307, 308]);
    }

    #[test]
    fn origin_is_scheme_host_and_port() {
        let base = "ws://a.example/".parse().unwrap();
        for (other, same) in [
            ("ws://A.Example:80/y", true),
            ("ws://a.example:/?z", true),
            ("ws://a.example:81/", false),
            ("wss://a.example/", false),
            ("wss://a.example:80/", false),
            ("ws://b.a.example/", false),
        ] {
            assert_eq!(
                is_same_origin(&base, &other.parse().unwrap()),
                same,
                "{other}"
            );
        }
    }
}
