//! The options of `framewire serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::seconds::parse_seconds;
use crate::size::parse_bytes;

/// Echo every message, and serve a page to try it from a browser.
///
/// Prints `listening on ws://HOST:PORT/` (with TLS `wss://`) when it is ready. Ctrl-C, SIGTERM or SIGHUP closes
/// every connection with 1001 (going away) and ends the program; under nohup SIGHUP does so, too.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9001", value_parser = parse_place)]
    pub(crate) listen: String,

    /// How the connections are served; their peers cannot tell
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Engine::Tokio)]
    pub(crate) engine: Engine,

    /// How many threads the engine tokio has, up to 1024 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// The largest message taken, such as 65536, 64KiB or 1MiB; a larger one is closed with 1009
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = parse_bytes)]
    pub(crate) max_message: usize,

    /// How many connections may be open at once; one more is answered with HTTP status 503
    #[arg(long, value_name = "N", default_value = "512", value_parser = parse_count)]
    pub(crate) max_connections: usize,

    /// How long a client may take nothing of what is sent before its connection is ended
    ///
    /// On systems other than Linux and Android it may be longer, as what they buffer counts as taken.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) write_timeout: Duration,

    /// Which web pages may connect: those of this server, all, or those of the origins listed
    ///
    /// Programs that are not browsers send no origin and may always connect. file:// is for pages opened from a disk,
    /// and null for sandboxed ones: any web page can send that.
    #[arg(
        long,
        value_name = "any|same|URL|null|file://",
        num_args = 1..,
        value_delimiter = ',',
        default_value = "same",
        value_parser = parse_origin,
    )]
    pub(crate) origin: Vec<Origin>,

    /// Compress messages with clients that offer it (permessage-deflate), at level 0 to 9
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u8).range(0..=9),
    )]
    pub(crate) deflate: Option<u8>,

    /// Compress each message without the ones before it, in both directions
    ///
    /// That takes less memory for each connection, and compresses less.
    #[arg(long, requires = "deflate")]
    pub(crate) no_context_takeover: bool,

    /// The base-2 logarithm of the compression window, in both directions as far as the client allows
    #[arg(
        long,
        value_name = "BITS",
        default_value_t = 15,
        requires = "deflate",
        value_parser = clap::value_parser!(u8).range(9..=15),
    )]
    pub(crate) window_bits: u8,

    /// Take TLS connections (`wss://`) and no others, with the certificate in this PEM file
    ///
    /// The certificates between it and its root follow it there.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key to the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Log nothing for each connection
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What moves the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A thread for each connection
    Blocking,
    /// A task of tokio's for each connection
    Tokio,
    /// One thread that waits for all of them (epoll, kqueue): the least memory for each
    Poll,
}

/// One value of `--origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Every origin.
    Any,
    /// The origin that the request itself was sent to.
    Same,
    /// This origin, as a browser writes it: `scheme://host`, `scheme://host:port`, `null`, `file://`.
    Exactly(String),
}

impl Origin {
    /// Returns the URL that was given, if it is one.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Exactly(url) => Some(url),
            Self::Any | Self::Same => None,
        }
    }
}

/// Takes a host and a port, which are looked up only later.
pub(crate) fn parse_place(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let is_host = host.starts_with('[') || !host.is_empty() && !host.contains(':');
    match port.parse::<u16>() {
        Ok(_) if is_host => Ok(text.to_owned()),
        Ok(port) if host.is_empty() => Err(format!("HOST is missing, as in 127.0.0.1:{port}")),
        _ => Err("this is not HOST:PORT, such as 127.0.0.1:9001".to_owned()),
    }
}

pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn parse_origin(text: &str) -> Result<Origin, String> {
    match text {
        "any" => return Ok(Origin::Any),
        "same" => return Ok(Origin::Same),
        // Pages without a host: in a web view, a desktop shell or a sandbox.
        "null" | "file://" => return Ok(Origin::Exactly(text.to_owned())),
        _ => {}
    }
    let Some((scheme, host)) = text.split_once("://") else {
        return Err(
            "an origin is any, same, null, or a URL such as https://example.com".to_owned(),
        );
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_scheme = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"/?#@\\".contains(&b));
    if host.contains('*') {
        return Err("an origin has no wildcards: list each one".to_owned());
    }
    if !is_scheme || !is_host {
        return Err(
            "an origin has a scheme, a host and perhaps a port, and nothing after them".to_owned(),
        );
    }
    // Browsers send both in lower case.
    Ok(Origin::Exactly(
        format!("{scheme}://{host}").to_ascii_lowercase(),
    ))
}

const EXAMPLES: &str = "\
Examples:
  framewire serve
  framewire serve --listen 0.0.0.0:9001 --deflate --origin https://example.com
  framewire serve --tls-cert cert.pem --tls-key key.pem

A certificate for trying it, which clients trust with --tls-ca cert.pem:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \\
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \\
    -keyout key.pem -out cert.pem";

#[cfg(test)]
mod tests {
    use super::{Origin, parse_count, parse_origin, parse_place};

    #[test]
    fn counts_start_at_one() {
        assert_eq!(parse_count("1"), Ok(1));
        assert!(parse_count("0").is_err());
        assert!(parse_count("many").is_err());
    }

    #[test]
    fn places_have_a_host_and_a_port() {
        for place in ["127.0.0.1:0", "localhost:80", "[::1]:65535"] {
            assert_eq!(parse_place(place).as_deref(), Ok(place));
        }
        for (place, advice) in [
            ("9102", "127.0.0.1:9102"),
            (":9102", "127.0.0.1:9102"),
            ("localhost", "HOST:PORT"),
            ("localhost:65536", "HOST:PORT"),
            ("localhost:", "HOST:PORT"),
            ("::1", "HOST:PORT"),
            ("", "HOST:PORT"),
        ] {
            let error = parse_place(place).unwrap_err();
            assert!(error.contains(advice), "{place}: {error}");
        }
    }

    #[test]
    fn origins_are_any_same_or_a_url() {
        assert_eq!(parse_origin("any"), Ok(Origin::Any));
        assert_eq!(parse_origin("same"), Ok(Origin::Same));
        let origin = |text: &str| Ok(Origin::Exactly(text.to_owned()));
        assert_eq!(
            parse_origin("https://Example.com"),
            origin("https://example.com")
        );
        assert_eq!(
            parse_origin("http://localhost:8080/"),
            origin("http://localhost:8080")
        );
        assert_eq!(
            parse_origin("http://[::1]:8080"),
            origin("http://[::1]:8080")
        );
        assert_eq!(parse_origin("null"), origin("null"));
        assert_eq!(parse_origin("file://"), origin("file://"));
        for text in [
            "example.com",
            "://example.com",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://me@a",
            "https://a b",
        ] {
            assert!(parse_origin(text).is_err(), "{text:?}");
        }
    }
}
