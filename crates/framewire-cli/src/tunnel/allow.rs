//! The targets that clients may name.

use ipnet::{IpNet, Ipv4Net};

use super::query::target_of;
use super::target::{Host, Target, parse_address, parse_port, split};

/// The targets that clients may name: all values of `--allow`.
#[derive(Debug, Clone)]
pub(super) struct AllowList {
    rules: Vec<Rule>,
}

/// Why a client gets no tunnel to what it asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It named no target, and this end has not exactly one.
    Unnamed,
    /// What it named is no target.
    Malformed(String),
    /// It may not name this target.
    NotAllowed(Target),
}

impl AllowList {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Returns the target for a request with this query.
    pub(super) fn choose(&self, query: Option<&str>) -> Result<Target, Denied> {
        let Some(target) = target_of(query).map_err(Denied::Malformed)? else {
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
    /// Never one of IPv4 addresses that are written as those of IPv6.
    Network(IpNet),
}

impl Rule {
    /// Parses `HOST:PORT`, where the host may be a network, such as `10.0.0.0/8` or `[fd00::/8]`, and the port `*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split(text)?;
        let hosts = Hosts::parse(host)?;
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
                (Hosts::Network(network), Host::Address(address)) => network.contains(address),
                _ => false,
            }
    }

    /// Returns the target, if there is but one.
    fn only(&self) -> Option<Target> {
        let host = match &self.hosts {
            Hosts::Name(name) => Host::Name(name.clone()),
            Hosts::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                Host::Address(network.addr())
            }
            Hosts::Network(_) => return None,
        };
        let port = self.port?;
        Some(Target { host, port })
    }
}

impl Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return network(text).map(Self::Network);
        }
        Ok(match Host::parse(text)? {
            Host::Name(name) => Self::Name(name),
            Host::Address(address) => Self::Network(address.into()),
        })
    }
}

/// Parses `ADDRESS/BITS`. The brackets of IPv6 are around the address or around the whole.
fn network(text: &str) -> Result<IpNet, String> {
    let no_network = "a network is ADDRESS/BITS, such as 10.0.0.0/8 or [fd00::/8]";
    let (start, bits) = text.split_once('/').ok_or(no_network)?;
    let (start, bits) = match bits.strip_suffix(']') {
        Some(bits) => (format!("{start}]"), bits),
        None => (start.to_owned(), bits),
    };
    let address = parse_address(&start)?.ok_or(no_network)?;
    let bits = bits.parse().map_err(|_| no_network)?;
    let network = IpNet::new(address, bits).map_err(|_| no_network)?;
    if network.addr() != network.network() {
        return Err("an address of a network has no bits after those that count".to_owned());
    }
    Ok(canonical(network))
}

/// Returns IPv4 addresses that are written as those of IPv6, which no target is, as what they are.
fn canonical(network: IpNet) -> IpNet {
    let bits = network.prefix_len().checked_sub(MAPPED);
    let inner = bits.and_then(|bits| match network {
        IpNet::V4(_) => None,
        IpNet::V6(network) => Ipv4Net::new(network.addr().to_ipv4_mapped()?, bits).ok(),
    });
    inner.map_or(network, IpNet::V4)
}

/// How many bits all IPv4 addresses have first that are written as those of IPv6 (RFC 4291 2.5.5.2).
const MAPPED: u8 = 96;

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
            "010.0.0.0/8:1",
            "fd00::/8:1",
            "[fd00::]/8]:1",
            "[::ffff:127.0.0.1/104]:1",
            "db:**",
        ] {
            assert!(Rule::parse(text).is_err(), "{text:?}");
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

    /// No target is one of these addresses: each is taken for the IPv4 address that it stands for.
    #[test]
    fn a_network_of_ipv4_addresses_written_as_ipv6_is_one_of_ipv4() {
        let rule = "[::ffff:127.0.0.0/104]:80";
        assert_eq!(Rule::parse(rule), Rule::parse("127.0.0.0/8:80"));
        assert!(is_allowed(rule, "[::ffff:127.0.0.1]:80"));
        assert!(is_allowed(rule, "127.0.0.1:80"));
        assert!(!is_allowed(rule, "128.0.0.1:80"));
        assert!(is_allowed("[::ffff:0:0/96]:80", "1.2.3.4:80"));
        assert_eq!(
            allowing(&["[::ffff:127.0.0.1/128]:80"]).choose(None),
            Ok(Target::parse("127.0.0.1:80").unwrap())
        );
        // It has other addresses of IPv6, too.
        assert!(is_allowed("[::fffe:0:0/95]:80", "[::fffe:0:1]:80"));
        assert!(!is_allowed("[::fffe:0:0/95]:80", "127.0.0.1:80"));
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
