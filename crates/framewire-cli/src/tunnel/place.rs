//! The URLs of the two sides of one end: a TCP port, or a WebSocket server.

/// A place to listen at or to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `tcp://HOST:PORT`: the host and the port.
    Tcp(String),
    /// A `ws` or `wss` URL, whole.
    Web(String),
}

impl Place {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(WHAT_IT_IS)?;
        match scheme.to_ascii_lowercase().as_str() {
            "tcp" => {
                let address = rest.strip_suffix('/').unwrap_or(rest);
                Ok(Self::Tcp(host_and_port(address)?.to_owned()))
            }
            "ws" | "wss" => Ok(Self::Web(text.to_owned())),
            _ => Err(WHAT_IT_IS.to_owned()),
        }
    }
}

/// Where a server listens: the parts of `ws://HOST:PORT`, which has no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebAddress<'a> {
    pub(crate) is_secure: bool,
    pub(crate) address: &'a str,
}

impl<'a> WebAddress<'a> {
    pub(crate) fn parse(url: &'a str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(WHAT_IT_IS)?;
        let address = rest.strip_suffix('/').unwrap_or(rest);
        Ok(Self {
            is_secure: scheme.eq_ignore_ascii_case("wss"),
            address: host_and_port(address)?,
        })
    }
}

fn host_and_port(text: &str) -> Result<&str, String> {
    let is_clean = !text.contains(['/', '?', '#', '@']);
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_clean && has_port {
        return Ok(text);
    }
    Err("after the scheme comes HOST:PORT, and nothing else".to_owned())
}

const WHAT_IT_IS: &str = "must be tcp://HOST:PORT, or a URL that begins with ws:// or wss://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_tcp_port_or_a_websocket_url() {
        let tcp = |address: &str| Ok(Place::Tcp(address.to_owned()));
        assert_eq!(Place::parse("tcp://127.0.0.1:22"), tcp("127.0.0.1:22"));
        assert_eq!(Place::parse("TCP://[::1]:22/"), tcp("[::1]:22"));
        let web = |url: &str| Ok(Place::Web(url.to_owned()));
        assert_eq!(Place::parse("wss://a/b?c"), web("wss://a/b?c"));
        for text in [
            "",
            "127.0.0.1:22",
            "tcp://a",
            "tcp://a:b",
            "tcp://:1",
            "tcp://a:1/b",
            "http://a",
            "tcp://a@b:1",
        ] {
            assert!(Place::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_server_listens_at_a_host_and_a_port() {
        let parse = |url| WebAddress::parse(url).map(|web| (web.is_secure, web.address));
        assert_eq!(parse("ws://0.0.0.0:9001"), Ok((false, "0.0.0.0:9001")));
        assert_eq!(parse("WSS://[::]:0/"), Ok((true, "[::]:0")));
        for url in ["ws://a", "ws://a:1/path", "ws://a:1?b", "ws://a:1#b"] {
            assert!(parse(url).is_err(), "{url:?}");
        }
    }
}
