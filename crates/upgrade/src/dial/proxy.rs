//! A proxy: its protocol, where it is, and the credentials for it.

use super::endpoint::Endpoint;
use crate::error::{UpgradeError, UpgradeErrorKind};
use http::uri::{Authority, Uri};
use std::fmt;

/// A proxy to connect through.
///
/// `http` asks for a tunnel with CONNECT (RFC 9110 9.3.6), for plain connections and for those with TLS. `socks5` and
/// `socks5h` are SOCKS version 5 (RFC 1928). The connection to the proxy itself is plain TCP. The head of a proxy's
/// answer has the limits of the default [`Limits`](crate::Limits).
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) protocol: Protocol,
    pub(super) endpoint: Endpoint,
    pub(super) credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    /// Names are resolved here.
    Socks5,
    /// Names are resolved by the proxy.
    Socks5h,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Proxy {
    /// Parses a URL: `scheme://[user[:password]@]host[:port]`.
    ///
    /// | scheme | port unless given | names are resolved |
    /// |---|---|---|
    /// | `http`, or none | 80 | by the proxy |
    /// | `socks5` | 1080 | here, by the operating system |
    /// | `socks5h` | 1080 | by the proxy |
    ///
    /// Characters of the user and the password that a URL does not allow are percent-encoded (RFC 3986 2.1). Both are
    /// sent unencrypted, with `http` in basic authentication (RFC 7617) and with SOCKS as RFC 1929 says: anyone
    /// between here and the proxy can read them.
    ///
    /// # Errors
    /// [`UpgradeErrorKind::InvalidArgument`] for anything else, a proxy over TLS included.
    ///
    /// # Examples
    /// ```
    /// use framewire_upgrade::{Dialer, Proxy};
    ///
    /// let proxy = Proxy::parse("http://user:secret@proxy.example:3128")?;
    /// let dialer = Dialer::new().proxy(proxy);
    /// # Ok::<(), framewire_upgrade::UpgradeError>(())
    /// ```
    pub fn parse(url: &str) -> Result<Self, UpgradeError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (protocol, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Http, 80),
            "socks5" => (Protocol::Socks5, 1080),
            "socks5h" => (Protocol::Socks5h, 1080),
            // The URL may hold a password, so it is not shown.
            _ => return Err(invalid("scheme is not http, socks5 or socks5h")),
        };
        // `Uri` parses the authority, whatever the scheme of the proxy is.
        let uri: Uri = format!("http://{rest}")
            .parse()
            .map_err(|_| invalid("url cannot be parsed"))?;
        if uri.path_and_query().is_some_and(|target| target != "/") {
            return Err(invalid("url has a path"));
        }
        let authority = uri.authority().map_or("", Authority::as_str);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let endpoint = Endpoint::parse(host, default_port)
            .ok_or_else(|| invalid("url has no host, or an invalid port"))?;
        let credentials = user.map(Credentials::parse).transpose()?;
        if let Some(credentials) = &credentials {
            credentials.check(protocol)?;
        }
        Ok(Self {
            protocol,
            endpoint,
            credentials,
        })
    }
}

impl Credentials {
    fn parse(user_information: &str) -> Result<Self, UpgradeError> {
        let (user, password) = user_information
            .split_once(':')
            .unwrap_or((user_information, ""));
        Ok(Self {
            user: percent_decode(user)?,
            password: percent_decode(password)?,
        })
    }

    /// Checks that the protocol can carry them.
    fn check(&self, protocol: Protocol) -> Result<(), UpgradeError> {
        let fits = match protocol {
            // RFC 7617 2: the first colon ends the user, and control characters are not allowed.
            Protocol::Http => {
                let mut all = self.user.chars().chain(self.password.chars());
                !self.user.contains(':') && !all.any(char::is_control)
            }
            // RFC 1929 2: lengths are one byte and not zero, but an empty password is common.
            Protocol::Socks5 | Protocol::Socks5h => {
                matches!(self.user.len(), 1..=255) && self.password.len() <= 255
            }
        };
        if fits {
            Ok(())
        } else {
            Err(invalid("user or password cannot be sent in its protocol"))
        }
    }
}

/// RFC 3986 2.1.
fn percent_decode(text: &str) -> Result<String, UpgradeError> {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || (bytes.next()? as char).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(invalid("percent sign without two hexadecimal digits"));
        };
        decoded.push((high * 16 + low) as u8);
    }
    String::from_utf8(decoded).map_err(|_| invalid("user or password is not utf-8"))
}

fn invalid(what: &str) -> UpgradeError {
    UpgradeError::new(
        UpgradeErrorKind::InvalidArgument,
        format!("invalid proxy: {what}"),
    )
}

/// Leaves out the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.credentials.as_ref().map(|known| known.user.as_str());
        f.debug_struct("Proxy")
            .field("protocol", &self.protocol)
            .field("endpoint", &format_args!("{}", self.endpoint))
            .field("user", &user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn urls_of_proxies() {
        use Protocol::{Http, Socks5, Socks5h};
        for (url, protocol, endpoint, credentials) in [
            ("http://a.example", Http, "a.example:80", None),
            ("a.example:3128", Http, "a.example:3128", None),
            ("HTTP://a.example:3128/", Http, "a.example:3128", None),
            ("socks5://127.0.0.1", Socks5, "127.0.0.1:1080", None),
            ("socks5h://[::1]:9", Socks5h, "[::1]:9", None),
            ("http://u:p@a", Http, "a:80", Some(("u", "p"))),
            ("u:p@a:1", Http, "a:1", Some(("u", "p"))),
            ("socks5://u@a", Socks5, "a:1080", Some(("u", ""))),
            ("http://u:p:q@a", Http, "a:80", Some(("u", "p:q"))),
            (
                "socks5://u%40b:%3a%C3%A9@a",
                Socks5,
                "a:1080",
                Some(("u@b", ":\u{e9}")),
            ),
        ] {
            let proxy = Proxy::parse(url).unwrap();
            assert_eq!(proxy.protocol, protocol, "{url}");
            assert_eq!(proxy.endpoint.to_string(), endpoint, "{url}");
            let found = proxy.credentials.map(|found| (found.user, found.password));
            let credentials = credentials.map(|(u, p)| (u.to_owned(), p.to_owned()));
            assert_eq!(found, credentials, "{url}");
        }
    }

    #[test]
    fn urls_of_nothing_that_works() {
        let long = format!("socks5://{}@a", "u".repeat(256));
        for url in [
            "",
            "http://",
            "https://a",
            "socks4://a",
            "http://a/path",
            "http://a/?query",
            "http://a:b",
            "http://a:65536",
            "http://u:%@a",
            "http://u:%4@a",
            "http://u:%zz@a",
            "http://u:%ff@a",
            "http://u%3av:p@a",
            "http://u:%0d%0ax@a",
            "socks5://:p@a",
            &long,
            "http://a b",
        ] {
            let error = Proxy::parse(url).unwrap_err();
            assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument, "{url}");
        }
    }

    #[test]
    fn password_is_not_shown() {
        let proxy = Proxy::parse("http://u:secret@a").unwrap();
        let shown = r#"Proxy { protocol: Http, endpoint: a:80, user: Some("u"), .. }"#;
        assert_eq!(format!("{proxy:?}"), shown);
        let error = Proxy::parse("ftp://u:secret@a").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"));
    }
}
