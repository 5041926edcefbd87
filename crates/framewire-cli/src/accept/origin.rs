//! Which web pages may connect.

use framewire::handshake::Acceptor;

/// One value of `--origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Every origin.
    Any,
    /// The origin that the request itself was sent to.
    Same,
    /// This origin, as a browser writes it: `scheme://host`, `scheme://host:port`, `null`, `file://`.
    Exactly(String),
}

impl Origin {
    /// Returns the URL that was given, if it is one.
    fn url(&self) -> Option<&str> {
        match self {
            Self::Exactly(url) => Some(url),
            Self::Any | Self::Same => None,
        }
    }
}

pub(crate) fn parse_origin(text: &str) -> Result<Origin, String> {
    match text {
        "any" => return Ok(Origin::Any),
        "same" => return Ok(Origin::Same),
        // Pages without a host: in a web view, a desktop shell or a sandbox.
        "null" | "file://" => return Ok(Origin::Exactly(text.to_owned())),
        _ => {}
    }
    let Some((scheme, host)) = text.split_once("://") else {
        return Err(
            "an origin is any, same, null, or a URL such as https://example.com".to_owned(),
        );
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_scheme = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"/?#@\\".contains(&b));
    if host.contains('*') {
        return Err("an origin has no wildcards: list each one".to_owned());
    }
    if !is_scheme || !is_host {
        return Err(
            "an origin has a scheme, a host and perhaps a port, and nothing after them".to_owned(),
        );
    }
    // Browsers send both in lower case.
    Ok(Origin::Exactly(
        format!("{scheme}://{host}").to_ascii_lowercase(),
    ))
}

/// Returns the acceptor for pages of these origins; `None` where `any` or `same` is not the only one.
pub(crate) fn with_origins(
    acceptor: Acceptor,
    origins: &[Origin],
) -> Result<Option<Acceptor>, String> {
    match origins {
        [Origin::Same] => Ok(Some(acceptor)),
        [Origin::Any] => Ok(Some(acceptor.allow_any_origin())),
        _ => {
            let urls: Option<Vec<&str>> = origins.iter().map(Origin::url).collect();
            let allowing = urls.map(|urls| acceptor.allow_origins(urls));
            allowing.transpose().map_err(|error| error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, parse_origin};

    #[test]
    fn origins_are_any_same_or_a_url() {
        assert_eq!(parse_origin("any"), Ok(Origin::Any));
        assert_eq!(parse_origin("same"), Ok(Origin::Same));
        let origin = |text: &str| Ok(Origin::Exactly(text.to_owned()));
        assert_eq!(
            parse_origin("https://Example.com"),
            origin("https://example.com")
        );
        assert_eq!(
            parse_origin("http://localhost:8080/"),
            origin("http://localhost:8080")
        );
        assert_eq!(
            parse_origin("http://[::1]:8080"),
            origin("http://[::1]:8080")
        );
        assert_eq!(parse_origin("null"), origin("null"));
        assert_eq!(parse_origin("file://"), origin("file://"));
        for text in [
            "example.com",
            "://example.com",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://me@a",
            "https://a b",
        ] {
            assert!(parse_origin(text).is_err(), "{text:?}");
        }
    }
}
