//! Which proxy is used for which host, as the environment says.

use super::endpoint::{Endpoint, Host};
use super::proxy::Proxy;
use super::target::Target;
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::syntax::split_host;
use http::Uri;
use std::net::IpAddr;

/// Which proxy is used for which host: none unless set.
///
/// # Examples
/// ```
/// use framewire_upgrade::{Dialer, Proxies, Proxy};
///
/// let proxies = Proxies::from(Proxy::parse("socks5h://127.0.0.1:9050")?).except("localhost, 10.0.0.0/8");
/// assert!(proxies.proxy_for(&"http://10.1.2.3/".parse()?)?.is_none());
/// let dialer = Dialer::new().proxy(proxies);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    plain: Option<Proxy>,
    secure: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// An element of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A domain and all names below it.
    Domain {
        name: String,
        port: Option<u16>,
    },
    /// Addresses whose first `prefix` bits are those of `network`.
    Network {
        network: IpAddr,
        prefix: u8,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads the process's environment, for a program that follows its surroundings.
    ///
    /// | variable | for |
    /// |---|---|
    /// | `http_proxy`, `HTTP_PROXY` | plain connections: `http` |
    /// | `https_proxy`, `HTTPS_PROXY` | connections with TLS: `https` |
    /// | `all_proxy`, `ALL_PROXY` | both, where the others are not set |
    /// | `no_proxy`, `NO_PROXY` | hosts that are connected to directly: see [`except`](Self::except) |
    ///
    /// The lower-case variable wins where both are set. An empty variable is not set. `HTTP_PROXY` is ignored where
    /// `REQUEST_METHOD` is set, and on Windows `http_proxy` too: in a CGI program it is the header `Proxy` that the
    /// sender of the request chose. The values are as for [`Proxy::parse`].
    ///
    /// # Errors
    /// [`UpgradeErrorKind::InvalidArgument`] where a value is not a proxy. The message names the variable.
    pub fn from_env() -> Result<Self, UpgradeError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with the variables that `lookup` returns.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, UpgradeError> {
        let find = |names: &[&str]| {
            names.iter().find_map(|&name| {
                let value = lookup(name)?;
                let value = value.trim();
                (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
            })
        };
        let proxy = |names: &[&str]| {
            let found = find(names).map(|(name, value)| {
                Proxy::parse(&value)
                    .map_err(|error| error.of(UpgradeErrorKind::InvalidArgument, &name))
            });
            found.transpose()
        };
        let in_cgi = lookup("REQUEST_METHOD").is_some();
        let plain: &[&str] = match in_cgi {
            // Windows finds a variable by its name in any case.
            true if cfg!(windows) => &[],
            true => &["http_proxy"],
            false => &["http_proxy", "HTTP_PROXY"],
        };
        let all = proxy(&["all_proxy", "ALL_PROXY"])?;
        let proxies = Self {
            plain: proxy(plain)?.or_else(|| all.clone()),
            secure: proxy(&["https_proxy", "HTTPS_PROXY"])?.or(all),
            exceptions: Vec::new(),
        };
        Ok(match find(&["no_proxy", "NO_PROXY"]) {
            Some((_, list)) => proxies.except(&list),
            None => proxies,
        })
    }

    /// Adds hosts to connect to directly: a list with commas or spaces, as in `NO_PROXY`.
    ///
    /// | element | stands for |
    /// |---|---|
    /// | `*` | every host |
    /// | `a.example`, `.a.example`, `*.a.example` | that name and every name below it, in any case |
    /// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | that address, where the URI has it |
    /// | `192.0.2.0/24`, `2001:db8::/32` | the addresses of that network (RFC 4632), where the URI has one |
    /// | a name or an address as above, with `:port` | the same, at that port only |
    ///
    /// Names are not resolved for this. An IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) is that IPv4
    /// address. An element that is none of these is ignored.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        let elements = list.split([',', ' ', '\t']).filter(|text| !text.is_empty());
        self.exceptions
            .extend(elements.filter_map(Exception::parse));
        self
    }

    /// Returns the proxy for an `http` or `https` URI. Does no I/O.
    ///
    /// # Errors
    /// [`UpgradeErrorKind::InvalidArgument`] where the URI is neither, or has no host.
    pub fn proxy_for(&self, uri: &Uri) -> Result<Option<&Proxy>, UpgradeError> {
        Ok(self.choose(&Target::of(uri)?))
    }

    pub(super) fn choose(&self, target: &Target) -> Option<&Proxy> {
        let proxy = if target.secure {
            self.secure.as_ref()
        } else {
            self.plain.as_ref()
        };
        let is_exception = |exception: &Exception| exception.covers(&target.endpoint);
        proxy.filter(|_| !self.exceptions.iter().any(is_exception))
    }
}

/// Uses one proxy for every host.
impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self {
            plain: Some(proxy.clone()),
            secure: Some(proxy),
            exceptions: Vec::new(),
        }
    }
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some((network, prefix)) = text.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let prefix = prefix
                .parse()
                .ok()
                .filter(|&prefix| prefix <= bits(network))?;
            return Some(Self::network(network, prefix, None));
        }
        // An IPv6 address without brackets would look like a host with a port.
        if let Ok(address) = text.parse() {
            return Some(Self::network(address, bits(address), None));
        }
        let (host, port) = split_host(text)?;
        Some(match Host::parse(host)? {
            Host::Address(address) => Self::network(address, bits(address), port),
            Host::Name(name) => {
                let name = name
                    .strip_prefix('*')
                    .filter(|rest| rest.starts_with('.'))
                    .unwrap_or(&name);
                Self::Domain {
                    name: normal(name.strip_prefix('.').unwrap_or(name)),
                    port,
                }
            }
        })
    }

    fn network(network: IpAddr, prefix: u8, port: Option<u16>) -> Self {
        let (network, prefix) = match (network.to_canonical(), prefix.checked_sub(MAPPED)) {
            // Of an IPv6 network: a prefix of IPv4 is shorter.
            (mapped @ IpAddr::V4(_), Some(prefix)) => (mapped, prefix),
            _ => (network, prefix),
        };
        Self::Network {
            network,
            prefix,
            port,
        }
    }

    fn covers(&self, endpoint: &Endpoint) -> bool {
        let at_port = |port: &Option<u16>| port.is_none_or(|port| port == endpoint.port);
        match (self, &endpoint.host) {
            (Self::Everything, _) => true,
            (Self::Domain { name, port }, Host::Name(host)) => {
                at_port(port) && is_below(&normal(host), name)
            }
            (
                Self::Network {
                    network,
                    prefix,
                    port,
                },
                Host::Address(address),
            ) => {
                let is_covered = |address| is_in(address, *network, *prefix);
                at_port(port) && (is_covered(*address) || is_covered(address.to_canonical()))
            }
            _ => false,
        }
    }
}

/// Returns a name in lower case, without the dot that ends an absolute one.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_below(host: &str, domain: &str) -> bool {
    match host.strip_suffix(domain) {
        Some(below) => below.is_empty() || below.ends_with('.'),
        None => false,
    }
}

fn is_in(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let differing = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (address.to_bits() ^ network.to_bits()).leading_zeros()
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            (address.to_bits() ^ network.to_bits()).leading_zeros()
        }
        _ => return false,
    };
    differing >= u32::from(prefix)
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// How many bits precede an IPv4 address that is mapped into IPv6 (RFC 4291 2.5.5.2).
const MAPPED: u8 = 96;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::process::Command;

    fn uses_proxy(no_proxy: &str, uri: &str) -> bool {
        let proxies = Proxies::from(Proxy::parse("http://p").unwrap()).except(no_proxy);
        proxies.proxy_for(&uri.parse().unwrap()).unwrap().is_some()
    }

    #[test]
    fn no_proxy_table() {
        for (no_proxy, uri, direct) in [
            ("", "http://a.example/", false),
            (" , ", "http://a.example/", false),
            ("*", "https://a.example/", true),
            ("a.example", "http://a.example/", true),
            ("a.example", "https://A.Example:8443/", true),
            ("a.example", "http://a.example./", true),
            ("A.EXAMPLE.", "http://a.example/", true),
            ("a.example", "http://b.a.example/", true),
            (".a.example", "http://b.a.example/", true),
            (".a.example", "http://a.example/", true),
            ("*.a.example", "http://b.a.example/", true),
            ("*.A.Example:8080", "http://a.example:8080/", true),
            ("*a.example", "http://a.example/", false),
            ("a.*.example", "http://a.b.example/", false),
            ("a.example", "http://ba.example/", false),
            ("b.a.example", "http://a.example/", false),
            ("a.example:8080", "http://a.example:8080/", true),
            ("a.example:8080", "http://a.example/", false),
            ("a.example:80", "http://a.example/", true),
            ("a.example:443", "https://a.example/", true),
            ("x, a.example", "http://a.example/", true),
            ("x a.example y", "http://a.example/", true),
            ("localhost", "http://localhost/", true),
            ("localhost", "http://127.0.0.1/", false),
            ("192.0.2.1", "http://192.0.2.1/", true),
            ("192.0.2.1", "http://192.0.2.10/", false),
            ("192.0.2.1:81", "http://192.0.2.1:81/", true),
            ("192.0.2.1:81", "http://192.0.2.1/", false),
            ("192.0.2.0/24", "http://192.0.2.200/", true),
            ("192.0.2.0/24", "http://192.0.3.1/", false),
            ("192.0.2.129/25", "http://192.0.2.128/", true),
            ("192.0.2.129/25", "http://192.0.2.127/", false),
            ("0.0.0.0/0", "http://192.0.2.1/", true),
            ("0.0.0.0/0", "http://[::1]/", false),
            ("0.0.0.0/0", "http://a.example/", false),
            ("192.0.2.0/33", "http://192.0.2.1/", false),
            ("192.0.2.0/x", "http://192.0.2.1/", false),
            ("::1", "http://[::1]/", true),
            ("[::1]", "http://[::1]/", true),
            ("[::1]:81", "http://[::1]:81/", true),
            ("[::1]:81", "http://[::1]/", false),
            ("192.0.2.0/24", "http://[::ffff:192.0.2.1]/", true),
            ("192.0.2.1", "http://[::ffff:192.0.2.1]/", true),
            ("::ffff:192.0.2.1", "http://192.0.2.1/", true),
            ("[::ffff:192.0.2.1]:81", "http://192.0.2.1:81/", true),
            ("::ffff:192.0.2.0/120", "http://192.0.2.1/", true),
            ("::ffff:192.0.2.0/120", "http://192.0.3.1/", false),
            ("::/0", "http://192.0.2.1/", false),
            ("::/0", "http://[::ffff:192.0.2.1]/", true),
            ("2001:db8::/32", "http://[2001:db8:1::9]/", true),
            ("2001:db8::/32", "http://[2001:db9::]/", false),
            ("example", "http://192.0.2.1/", false),
            ("1", "http://192.0.2.1/", false),
        ] {
            assert_eq!(uses_proxy(no_proxy, uri), !direct, "{no_proxy:?} {uri}");
        }
    }

    fn from(variables: Variables<'_>) -> Result<Proxies, UpgradeError> {
        Proxies::from_lookup(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// Returns the proxies for a plain and for a secure connection.
    fn chosen(variables: Variables<'_>) -> [String; 2] {
        let proxies = from(variables).unwrap();
        ["http://a.example/", "https://a.example/"].map(|uri| {
            let proxy = proxies.proxy_for(&uri.parse().unwrap()).unwrap();
            proxy.map_or_else(String::new, |proxy| proxy.endpoint.host.to_string())
        })
    }

    type Variables<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn environment_table() {
        let table: [(Variables<'_>, [&str; 2]); 10] = [
            (&[], ["", ""]),
            (&[("http_proxy", "p")], ["p", ""]),
            (&[("https_proxy", "p")], ["", "p"]),
            (&[("ALL_PROXY", "socks5://p")], ["p", "p"]),
            (&[("all_proxy", "p"), ("HTTPS_PROXY", "q")], ["p", "q"]),
            (&[("HTTP_PROXY", "P"), ("http_proxy", "q")], ["q", ""]),
            (&[("http_proxy", " "), ("HTTP_PROXY", "q")], ["q", ""]),
            (&[("HTTP_PROXY", "p"), ("REQUEST_METHOD", "GET")], ["", ""]),
            (
                &[
                    ("http_proxy", "p"),
                    ("HTTPS_PROXY", "q"),
                    ("REQUEST_METHOD", ""),
                ],
                ["p", "q"],
            ),
            (&[("ALL_PROXY", "p"), ("NO_PROXY", "example")], ["", ""]),
        ];
        for (variables, expected) in table {
            let found = chosen(variables).map(|host| host.to_lowercase());
            assert_eq!(found, expected, "{variables:?}");
        }
    }

    #[test]
    fn variable_that_is_no_proxy_is_named() {
        let error = from(&[("HTTPS_PROXY", "ftp://u:secret@p")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "HTTPS_PROXY: invalid proxy: scheme is not http, socks5 or socks5h"
        );
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument);
    }

    /// Runs itself with a variable that is a proxy.
    #[test]
    fn environment_is_that_of_the_process() {
        let (name, proxy) = ("ALL_PROXY", "socks5://proxy.example:1081");
        if std::env::var(name).is_ok_and(|value| value == proxy) {
            let proxies = Proxies::from_env().unwrap();
            assert_eq!(proxies, Proxy::parse(proxy).unwrap().into());
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "dial::proxies::tests::environment_is_that_of_the_process",
        ]);
        for other in ["all", "http", "https", "no"].map(|of| format!("{of}_proxy")) {
            child.env_remove(other.to_uppercase()).env_remove(other);
        }
        child.env_remove("REQUEST_METHOD");
        let output = child.env(name, proxy).output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(output.contains("1 passed"), "{output}");
    }
}
