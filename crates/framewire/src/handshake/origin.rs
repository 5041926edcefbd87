//! Which pages may connect (RFC 6455 10.2).

use super::fields::{Single, single};
use super::{HandshakeError, HandshakeErrorKind};
use crate::upgrade::layer::split_host;
use http::header::ORIGIN;
use http::{HeaderMap, StatusCode};

/// Which pages are accepted, by `Origin`.
#[derive(Debug, Clone, Default)]
pub(super) enum Policy {
    #[default]
    Same,
    Any,
    These(Vec<Origin>),
}

/// Scheme, host and port (RFC 6454 4), in lower case. `null` and `file://` have a scheme alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Policy {
    /// Fails with 403 where a page is not accepted. A client that is not a browser sends no `Origin`, or any it likes:
    /// a policy protects users from pages, not servers from programs.
    ///
    /// `host` is the host that the request was sent to. `secure` says whether that was over TLS, where it is known.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        host: Option<&str>,
        secure: Option<bool>,
    ) -> Result<(), HandshakeError> {
        if matches!(self, Self::Any) {
            return Ok(());
        }
        let origin = match single(headers, ORIGIN) {
            Single::Missing => return Ok(()),
            Single::One(origin) => origin.to_str().ok().and_then(Origin::parse),
            // RFC 6454 7.3: no more than one.
            Single::Several => None,
        };
        let allowed = origin.is_some_and(|origin| match self {
            Self::Same => origin.is_of_host(host, secure),
            Self::Any => true,
            Self::These(origins) => origins.contains(&origin),
        });
        if allowed {
            return Ok(());
        }
        let message = "origin is not allowed";
        Err(HandshakeError::refusing(
            HandshakeErrorKind::Origin,
            StatusCode::FORBIDDEN,
            message,
        ))
    }
}

impl Origin {
    /// Parses an origin (RFC 6454 6.2): `scheme://host[:port]` and nothing after it, `null`, or the `file://` that
    /// some web views send for their own pages.
    pub(super) fn parse(origin: &str) -> Option<Self> {
        if matches!(origin, "null" | "file://") {
            return Some(Self {
                scheme: origin.to_owned(),
                host: String::new(),
                port: None,
            });
        }
        let (scheme, authority) = origin.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return None;
        }
        let scheme = match scheme.to_ascii_lowercase() {
            // No page has such a scheme, but some clients send the scheme that they connect to.
            scheme if scheme == "ws" => "http".to_owned(),
            scheme if scheme == "wss" => "https".to_owned(),
            scheme => scheme,
        };
        let (host, port) = split_authority(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Returns whether the request was sent to the host that the page came from.
    ///
    /// A server behind a proxy may not know whether the client spoke TLS, so a host without a
    /// port has the default port of the origin's scheme.
    fn is_of_host(&self, host: Option<&str>, secure: Option<bool>) -> bool {
        let is_secure = match &*self.scheme {
            "http" => false,
            "https" => true,
            // Pages of other schemes do not come from a server.
            _ => return false,
        };
        if secure.is_some_and(|secure| secure != is_secure) {
            return false;
        }
        host.and_then(split_authority).is_some_and(|(host, port)| {
            host == self.host && port.or_else(|| default_port(&self.scheme)) == self.port
        })
    }
}

/// Splits an authority into the host, in lower case, and the port.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    split_host(authority).map(|(host, port)| (host.to_ascii_lowercase(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
