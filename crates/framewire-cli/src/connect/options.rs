//! The options of `framewire connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderName, HeaderValue};

use crate::seconds::{parse_seconds, parse_seconds_or_none};
use crate::size::parse_bytes;

/// Send lines as text messages, and print the messages that come back.
///
/// A text message is printed as a line, a binary one as a line of hexadecimal digits. The end of
/// the input, or Ctrl-C, closes the connection; what the server still sends until it has closed its
/// side is printed. Most servers answer nothing more once they are told to close: `--wait` has the
/// end of the input close the connection later. Ends with 0 after a clean close (1000, 1001 or no
/// code), with 1 where there was no connection or no handshake, and with 2 where the connection
/// ended in any other way, or the options are wrong.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where to connect to, such as `ws://localhost:9001/` or `wss://example.com/chat`
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// A header to send with the handshake; may be given again. User-Agent is framewire/VERSION unless
    /// given
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

    /// Connect to this place instead of the URL's host and port, which stay in the Host header and in
    /// the check of the certificate. Redirects that are followed lead to this place, too
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect_to: Option<String>,

    /// Follow at most this many redirects, but none from wss to ws. Another server is sent no
    /// Authorization or Cookie header, and cookies that a redirect sets are not kept
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) follow: usize,

    /// Go through a proxy: `http://[USER:PASSWORD@]HOST:PORT`, or `socks5://…`, or `socks5h://…`
    /// to have the proxy resolve the host's name
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// Trust the root certificates in this PEM file, instead of those of the system; or a server's own
    /// certificate, where it signed itself
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Take any certificate and any signature, whoever it is for, even where it cannot be parsed:
    /// anybody between here and the server can read and change everything
    #[arg(long, conflicts_with = "tls_ca")]
    pub(crate) insecure: bool,

    /// Send a Ping this often, and give the connection up where a Pong is as late as that
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) ping_interval: Option<Duration>,

    /// Write binary messages to this file, one after the other as they are, instead of printing
    /// them
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,

    /// The largest message taken, such as 65536, 64KiB or 1MiB
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = parse_bytes)]
    pub(crate) max_message: usize,

    /// How long connecting and the handshake may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,

    /// How long the server may take nothing of what is sent
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) write_timeout: Duration,

    /// Stay this long after the end of the input, for answers that are slow, before closing the
    /// connection; Ctrl-C closes it at once
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds_or_none)]
    pub(crate) wait: Duration,

    /// How long the server may send nothing before it answers the close
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub(crate) close_timeout: Duration,

    /// Print messages alone, and not how the connection began and ended
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header is NAME: VALUE, with a colon")?;
    let name = name.trim().parse().map_err(|_| "not a header's name")?;
    Ok((name, parse_value(value.trim())?))
}

fn parse_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "cannot be a header's value".to_owned())
}

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
