//! The service that a tunnel leads to, as it is written: `HOST:PORT`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::TcpStream;

/// A TCP service: a host, as it was written, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// In lower case.
    Name(String),
    /// Never an IPv4 address that is written as one of IPv6.
    Address(IpAddr),
}

impl Target {
    /// Parses `HOST:PORT`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split(text)?;
        Ok(Self {
            host: Host::parse(host)?,
            port: parse_port(port)?,
        })
    }

    /// Connects to the service, at each of the addresses that its name has until one answers.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        match &self.host {
            Host::Name(name) => TcpStream::connect((name.as_str(), self.port)).await,
            Host::Address(address) => TcpStream::connect((*address, self.port)).await,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Ok(match parse_address(text)? {
            Some(address) => Self::Address(address.to_canonical()),
            None => Self::Name(parse_name(text)?),
        })
    }
}

/// Splits the host, which may have colons itself, from the port.
pub(super) fn split(text: &str) -> Result<(&str, &str), String> {
    let parts = text.rsplit_once(':');
    parts.ok_or_else(|| "a target is HOST:PORT, with a colon".to_owned())
}

pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| text.parse().ok()).flatten();
    port.filter(|&port| port != 0)
        .ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}

/// Returns the address if the host is one, which for IPv6 has brackets.
pub(super) fn parse_address(host: &str) -> Result<Option<IpAddr>, String> {
    if let Some(rest) = host.strip_prefix('[') {
        let inner = rest.strip_suffix(']');
        let address: Option<Ipv6Addr> = inner.and_then(|inner| inner.parse().ok());
        let address = address.ok_or("what is in brackets is not an IPv6 address")?;
        return Ok(Some(address.into()));
    }
    Ok(host.parse::<Ipv4Addr>().ok().map(IpAddr::from))
}

/// Returns the name of a host in lower case. What resolvers may take for a number is none: `127.1`, `0x7f000001`.
fn parse_name(host: &str) -> Result<String, String> {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !label.is_empty() && label.bytes().all(is_letter)
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|first: char| first.is_ascii_digit())
        && (last.bytes().all(|byte| byte.is_ascii_digit())
            || last.to_ascii_lowercase().starts_with("0x"));
    if host.len() > LONGEST_NAME || !labels.split('.').all(is_label) || is_number {
        return Err("the host is neither a name in ASCII nor an address".to_owned());
    }
    Ok(host.to_ascii_lowercase())
}

/// RFC 1035 2.3.4, as text.
const LONGEST_NAME: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_and_port_is_no_target() {
        for text in [
            "",
            ":",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:+1",
            "a:-1",
            "a:1 ",
            "a: 1",
            "a:*",
            " a:1",
            "a b:1",
            "a\n:1",
            "a\r\nb:1",
            "a\0:1",
            "a/b:1",
            "a@b:1",
            "ü:1",
            "a..b:1",
            ".:1",
            "[::1:1",
            "::1:1",
            "[a]:1",
            "[127.0.0.1]:1",
            "127.1:1",
            "0x7f000001:1",
            "2130706433:1",
            "127.0.0.0x1:1",
            "1.2.3.4.5:1",
            "127.0.0.01:1",
            "*:1",
            "a:1:2",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
        let longest = format!("{}a:1", "a.".repeat(126));
        assert!(Target::parse(&longest).is_ok());
        assert!(Target::parse(&format!("aa{longest}")).is_err());
    }

    #[test]
    fn a_target_is_written_in_one_way() {
        for (text, written) in [
            ("db:5432", "db:5432"),
            ("DB.Example.:05432", "db.example.:5432"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[0:0::1]:65535", "[::1]:65535"),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1"),
            ("a_b-c.d2:1", "a_b-c.d2:1"),
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), written);
        }
    }
}
