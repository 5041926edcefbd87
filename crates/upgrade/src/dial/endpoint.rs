//! Where to connect to: a host and a port.

use crate::syntax::split_host;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host and a port, as in the authority of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// A host (RFC 3986 3.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Endpoint {
    /// Parses `host[:port]`; `None` where the text is something else.
    pub(crate) fn parse(authority: &str, default_port: u16) -> Option<Self> {
        let (host, port) = split_host(authority)?;
        Some(Self {
            host: Host::parse(host)?,
            port: port.unwrap_or(default_port),
        })
    }
}

impl Host {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(literal) = text.strip_prefix('[') {
            let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        Some(match text.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// As in a URI: an IPv6 address is in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_shown_as_it_is_parsed() {
        for (text, shown) in [
            ("a.example", "a.example:80"),
            ("a.example:", "a.example:80"),
            ("a.example:8080", "a.example:8080"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]", "[::1]:80"),
            ("[0:0::1]:443", "[::1]:443"),
        ] {
            assert_eq!(Endpoint::parse(text, 80).unwrap().to_string(), shown);
        }
        for text in [
            "",
            ":80",
            "a:b",
            "a:65536",
            "u@a",
            "[::1",
            "[v1.x]",
            "[1.2.3.4]",
        ] {
            assert_eq!(Endpoint::parse(text, 80), None, "{text}");
        }
    }
}
