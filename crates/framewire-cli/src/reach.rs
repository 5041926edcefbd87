//! How the program reaches a server: the options that its clients share, and the connection that follows from them.

mod refusal;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use framewire::Socket as _;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{Connector, Established};
use framewire::upgrade::{Dialer, Limits, Proxy, Stream};
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue};

use crate::failure::Failure;
use crate::seconds::parse_seconds;
use crate::tls;

pub(crate) use self::refusal::failure;
pub(crate) use self::url::{parse_url, to_ascii};

/// How a server is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How the server is reached")]
pub(crate) struct Reach {
    /// A header to send with the handshake; may be given again
    ///
    /// User-Agent is framewire/VERSION unless given.
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = parse_header)]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,

    /// A subprotocol to offer, the most preferred first; may be given again
    #[arg(long, short = 's', value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,

    /// The origin to name, as a browser does
    #[arg(long, value_name = "URL", value_parser = parse_value)]
    pub(crate) origin: Option<HeaderValue>,

    /// Offer to compress messages (permessage-deflate), at level 0 to 9
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u8).range(0..=9),
    )]
    pub(crate) deflate: Option<u8>,

    /// Connect to this place instead of the URL's host and port
    ///
    /// These stay in the Host header and in the check of the certificate. Redirects that are followed lead to this
    /// place, too.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect_to: Option<String>,

    /// Follow at most this many redirects, but none from wss to ws
    ///
    /// Another server is sent no Authorization or Cookie header, and cookies that a redirect sets are not kept.
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) follow: usize,

    /// Go through a proxy: `http://[USER:PASSWORD@]HOST:PORT`, or `socks5://…`
    ///
    /// With `socks5h://…` the proxy resolves the host's name.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// Trust the root certificates in this PEM file, instead of those of the system
    ///
    /// Or a server's own certificate, where it signed itself.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Take any certificate: anybody between here and the server can read and change everything
    ///
    /// And any signature, for any host, even where it cannot be parsed.
    #[arg(long, conflicts_with = "tls_ca")]
    pub(crate) insecure: bool,

    /// How long connecting and the handshake may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,

    /// How long the server may take nothing of what is sent
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) write_timeout: Duration,
}

impl Reach {
    /// Makes the handshake, by the deadline of the options.
    pub(crate) fn open(&self, url: &str) -> Result<Established<Stream>, Failure> {
        let connector = self.connector().map_err(Failure::NoConnection)?;
        let ascii = to_ascii(url).map_err(Failure::NoConnection)?;
        let established = connector.connect(&ascii);
        let established = established.map_err(|error| failure(&error.into()))?;
        let stream = established.get_ref();
        let set = stream.set_write_timeout(Some(self.write_timeout));
        set.map_err(|error| Failure::NoConnection(error.to_string()))?;
        Ok(established)
    }

    /// Returns what makes such connections, for the blocking front end and for tokio's.
    pub(crate) fn connector(&self) -> Result<Connector, String> {
        let limits = Limits::default().time(self.timeout);
        let mut connector = Connector::new()
            .limits(limits)
            .follow_redirects(self.follow)
            .subprotocols(self.subprotocol.clone())
            .map_err(|error| error.to_string())?;
        let mut headers = self.header.clone();
        if headers.iter().all(|(name, _)| name != USER_AGENT) {
            headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
        }
        for (name, value) in headers {
            let with_header = connector.header(name, value);
            connector = with_header.map_err(|error| error.to_string())?;
        }
        if let Some(origin) = &self.origin {
            let with_origin = connector.origin(origin.clone());
            connector = with_origin.map_err(|error| error.to_string())?;
        }
        if let Some(level) = self.deflate {
            let config = DeflateConfig::default().level(level);
            connector = connector.deflate(Deflate::new(config).map_err(|error| error.to_string())?);
        }
        Ok(connector.dialer(self.dialer()?))
    }

    fn dialer(&self) -> Result<Dialer, String> {
        let mut dialer = Dialer::new();
        if let Some(place) = &self.connect_to {
            let to_place = dialer.connect_to(place);
            dialer = to_place.map_err(|error| error.to_string())?;
        }
        if let Some(proxy) = &self.proxy {
            dialer = dialer.proxy(Proxy::parse(proxy).map_err(|error| error.to_string())?);
        }
        match &self.tls_ca {
            Some(roots) => Ok(dialer.tls(tls::trusting(roots)?)),
            None if self.insecure => Ok(dialer.tls(tls::trusting_anybody()?)),
            None => Ok(dialer),
        }
    }
}

/// Parses `NAME: VALUE`.
pub(crate) fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header is NAME: VALUE, with a colon")?;
    let name = name.trim().parse().map_err(|_| "not a header's name")?;
    Ok((name, parse_value(value.trim())?))
}

fn parse_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "cannot be a header's value".to_owned())
}

/// The name of the program in requests (RFC 9110 10.1.5).
const AGENT: &str = concat!("framewire/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::parse_header;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = parse_header("X-Token:  a:b ").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-token", &b"a:b"[..]));
        for text in ["", "X-Token", ": b", "a b: c", "a: b\r\nc: d"] {
            assert!(parse_header(text).is_err(), "{text:?}");
        }
    }
}
