//! The service that a tunnel leads to, how a client names it, and which ones clients may name.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::TcpStream;

/// A TCP service: a host, as it was written, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// In lower case.
    Name(String),
    /// Never an IPv4 address that is written as one of IPv6.
    Address(IpAddr),
}

impl Target {
    /// Parses `HOST:PORT`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split(text)?;
        let host = match address(host)? {
            Some(address) => Host::Address(address.to_canonical()),
            None => Host::Name(name(host)?),
        };
        let port = parse_port(port)?;
        Ok(Self { host, port })
    }

    /// Returns the target that the query of a request names; `None` if it names none.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Option<Self>, String> {
        let pairs = query.unwrap_or_default().split('&');
        let mut named = pairs.filter_map(|pair| pair.strip_prefix(PARAMETER));
        let Some(value) = named.next() else {
            return Ok(None);
        };
        if named.next().is_some() {
            return Err("more than one target is named".to_owned());
        }
        let value = decode(value).ok_or("the target is not percent-encoded as it should be")?;
        Self::parse(&value).map(Some)
    }

    /// Adds the target to the query of a URL.
    pub(crate) fn add_to(&self, url: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        // The brackets of an IPv6 address have no place in a query (RFC 3986 3.4).
        let value = self.to_string().replace('[', "%5B").replace(']', "%5D");
        format!("{url}{mark}{PARAMETER}{value}")
    }

    /// Connects to the service, at each of the addresses that its name has until one answers.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
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

/// Targets that clients may name: one value of `--allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    hosts: Hosts,
    /// `None` is any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// In lower case.
    Name(String),
    /// All addresses that have these bits first.
    Network(IpAddr, u8),
}

impl Rule {
    /// Parses `HOST:PORT`, where the host may be a network, such as `10.0.0.0/8` or `[fd00::/8]`, and the port `*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split(text)?;
        let hosts = match network(host)? {
            Some((address, bits)) => Hosts::Network(address, bits),
            None => Hosts::Name(name(host)?),
        };
        let port = match port {
            "*" => None,
            port => Some(parse_port(port)?),
        };
        Ok(Self { hosts, port })
    }

    /// Returns whether a client may name this target. Compares what was written and resolves nothing.
    fn allows(&self, target: &Target) -> bool {
        let has_port = self.port.is_none_or(|port| port == target.port);
        has_port
            && match (&self.hosts, &target.host) {
                (Hosts::Name(allowed), Host::Name(name)) => allowed == name,
                (Hosts::Network(network, bits), Host::Address(address)) => {
                    is_within(*address, *network, *bits)
                }
                _ => false,
            }
    }

    /// Returns the target, if there is but one.
    fn only(&self) -> Option<Target> {
        let host = match &self.hosts {
            Hosts::Name(name) => Host::Name(name.clone()),
            Hosts::Network(address, bits) if *bits == width(*address) => Host::Address(*address),
            Hosts::Network(..) => return None,
        };
        let port = self.port?;
        Some(Target { host, port })
    }
}

/// The targets that clients may name.
#[derive(Debug, Clone)]
pub(crate) struct AllowList {
    rules: Vec<Rule>,
}

/// Why a client gets no tunnel to what it asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It named no target, and this end has not exactly one.
    Unnamed,
    /// What it named is no target.
    Malformed(String),
    /// It may not name this target.
    NotAllowed(Target),
}

impl AllowList {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Returns the target for a request with this query.
    pub(crate) fn choose(&self, query: Option<&str>) -> Result<Target, Denied> {
        let Some(target) = Target::of_query(query).map_err(Denied::Malformed)? else {
            return match &self.rules[..] {
                [rule] => rule.only().ok_or(Denied::Unnamed),
                _ => Err(Denied::Unnamed),
            };
        };
        if self.rules.iter().any(|rule| rule.allows(&target)) {
            return Ok(target);
        }
        Err(Denied::NotAllowed(target))
    }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let parts = text.rsplit_once(':');
    parts.ok_or_else(|| "a target is HOST:PORT, with a colon".to_owned())
}

fn parse_port(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| text.parse().ok()).flatten();
    port.filter(|&port| port != 0)
        .ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}

/// Returns the address if the host is one, which for IPv6 has brackets.
fn address(host: &str) -> Result<Option<IpAddr>, String> {
    if let Some(rest) = host.strip_prefix('[') {
        let inner = rest.strip_suffix(']');
        let address: Option<Ipv6Addr> = inner.and_then(|inner| inner.parse().ok());
        let address = address.ok_or("what is in brackets is not an IPv6 address")?;
        return Ok(Some(address.into()));
    }
    Ok(host.parse::<Ipv4Addr>().ok().map(IpAddr::from))
}

/// Returns the network if the host is one, or an address, with the number of bits that count.
fn network(host: &str) -> Result<Option<(IpAddr, u8)>, String> {
    let Some((start, bits)) = host.split_once('/') else {
        let address = address(host)?.map(|address| address.to_canonical());
        return Ok(address.map(|address| (address, width(address))));
    };
    let no_network = "a network is ADDRESS/BITS, such as 10.0.0.0/8 or [fd00::/8]";
    let (start, bits) = match bits.strip_suffix(']') {
        Some(bits) => (format!("{start}]"), bits),
        None => (start.to_owned(), bits),
    };
    let address = address(&start)?.ok_or(no_network)?;
    let bits = bits.parse().map_err(|_| no_network)?;
    if bits > width(address) {
        return Err(no_network.to_owned());
    }
    if !is_start(address, bits) {
        return Err("an address of a network has no bits after those that count".to_owned());
    }
    Ok(Some((address, bits)))
}

/// Returns the name of a host in lower case. What resolvers may take for a number is none: `127.1`, `0x7f000001`.
fn name(host: &str) -> Result<String, String> {
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

/// Returns the number of bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    address.is_ipv4() == network.is_ipv4() && first_bits(address, bits) == first_bits(network, bits)
}

fn is_start(address: IpAddr, bits: u8) -> bool {
    let rest = u32::from(width(address) - bits);
    number(address).trailing_zeros() >= rest
}

fn first_bits(address: IpAddr, bits: u8) -> u128 {
    let rest = u32::from(width(address) - bits);
    number(address).checked_shr(rest).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Replaces what is percent-encoded (RFC 3986 2.1).
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(decoded).ok()
}

/// What names the target in a query.
const PARAMETER: &str = "target=";
/// RFC 1035 2.3.4, as text.
const LONGEST_NAME: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(rules: &[&str]) -> AllowList {
        let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap());
        AllowList::new(rules.collect())
    }

    fn is_allowed(rule: &str, target: &str) -> bool {
        let target = Target::parse(target).unwrap();
        Rule::parse(rule).unwrap().allows(&target)
    }

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

    #[test]
    fn only_what_a_rule_says_is_allowed() {
        assert!(is_allowed("db:5432", "DB:5432"));
        assert!(!is_allowed("db:5432", "db:5433"));
        assert!(!is_allowed("db:5432", "db.:5432"));
        assert!(!is_allowed("db:5432", "a.db:5432"));
        assert!(is_allowed("db:*", "db:1"));
        assert!(is_allowed("127.0.0.1:*", "127.0.0.1:80"));
        assert!(!is_allowed("127.0.0.1:*", "127.0.0.2:80"));
        // A name is not resolved.
        assert!(!is_allowed("127.0.0.1:*", "localhost:80"));
        assert!(!is_allowed("localhost:*", "127.0.0.1:80"));
    }

    #[test]
    fn networks_hold_the_addresses_with_their_first_bits() {
        assert!(is_allowed("10.0.0.0/8:*", "10.255.0.1:80"));
        assert!(!is_allowed("10.0.0.0/8:*", "11.0.0.0:80"));
        assert!(is_allowed("0.0.0.0/0:80", "255.1.2.3:80"));
        assert!(!is_allowed("0.0.0.0/0:80", "[::1]:80"));
        assert!(is_allowed("[fd00::/8]:80", "[fdff::1]:80"));
        assert!(is_allowed("[fd00::]/8:80", "[fdff::1]:80"));
        assert!(!is_allowed("[fd00::/8]:80", "[fe00::1]:80"));
        assert!(is_allowed("[::/0]:80", "[::1]:80"));
        // An IPv4 address in another spelling is one still.
        assert!(!is_allowed("[::/0]:80", "[::ffff:127.0.0.1]:80"));
        assert!(is_allowed("127.0.0.0/8:80", "[::ffff:127.0.0.1]:80"));
        assert!(!is_allowed("0.0.0.0/0:*", "localhost:80"));
    }

    #[test]
    fn what_is_no_rule_is_an_error() {
        for text in [
            "",
            "*",
            "*:*",
            "*:80",
            "db",
            "db:0",
            "a/8:1",
            "10.0.0.0/33:1",
            "10.0.0.1/8:1",
            "10.0.0.0/:1",
            "[fd00::/129]:1",
            "[::1/0]:1",
            "10.0.0.0/8]:1",
            "db:**",
        ] {
            assert!(Rule::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_target_goes_through_a_query_as_it_is() {
        for text in ["db:5432", "127.0.0.1:1", "[fd00::1]:22"] {
            let target = Target::parse(text).unwrap();
            for url in ["ws://a/", "ws://a/?token=%26target"] {
                let url = target.add_to(url);
                let (_, query) = url.split_once('?').unwrap();
                assert!(!query.contains(['[', ']']));
                assert_eq!(Target::of_query(Some(query)).unwrap(), Some(target.clone()));
            }
        }
    }

    #[test]
    fn a_query_names_one_target_or_none() {
        let of = |query| Target::of_query(Some(query));
        assert_eq!(Target::of_query(None), Ok(None));
        for query in ["", "a=b", "targets=a:1", "Target=a:1", "a=target=b:1"] {
            assert_eq!(of(query), Ok(None), "{query}");
        }
        assert_eq!(
            of("target=%64b%3a5432").unwrap(),
            Target::parse("db:5432").ok()
        );
        for query in [
            "target=",
            "target=a:1&target=a:1",
            "target=a%0a:1",
            "target=a:1%0d%0a",
            "target=a%",
            "target=a%3",
            "target=a%3g1",
            "target=a%%33",
            "target=%ff:1",
            "target=a+b:1",
            "target=a%00:1",
            "target=a%252e:1",
        ] {
            assert!(of(query).is_err(), "{query}");
        }
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let none = allowing(&[]);
        assert_eq!(none.choose(None), Err(Denied::Unnamed));
        let target = Target::parse("a:1").unwrap();
        assert_eq!(
            none.choose(Some("target=a:1")),
            Err(Denied::NotAllowed(target))
        );
    }

    #[test]
    fn the_only_target_there_is_need_not_be_named() {
        let target = |text| Ok(Target::parse(text).unwrap());
        assert_eq!(allowing(&["db:1"]).choose(None), target("db:1"));
        assert_eq!(
            allowing(&["10.0.0.1:1"]).choose(Some("a")),
            target("10.0.0.1:1")
        );
        for rules in [&["db:*"][..], &["10.0.0.0/8:1"], &["db:1", "db:2"]] {
            assert_eq!(allowing(rules).choose(None), Err(Denied::Unnamed));
        }
        assert_eq!(
            allowing(&["a:1", "b:2"]).choose(Some("target=b:2")),
            target("b:2")
        );
    }
}
