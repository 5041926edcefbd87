//! The options of `framewire serve`.

use clap::{Args, ValueEnum};

use crate::accept::{Accept, parse_count};
use crate::size::parse_bytes;

/// Echo every message, and serve a page to try it from a browser.
///
/// Prints `listening on ws://HOST:PORT/` (with TLS `wss://`) when it is ready. Ctrl-C, SIGTERM or SIGHUP closes
/// every connection with 1001 (going away) and ends the program; under nohup SIGHUP does so, too.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
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

    /// Log nothing for each connection
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) accept: Accept,
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

const EXAMPLES: &str = "\
Examples:
  framewire serve
  framewire serve --listen 0.0.0.0:9001 --deflate --origin https://example.com
  framewire serve --tls-cert cert.pem --tls-key key.pem

A certificate for trying it, which clients trust with --tls-ca cert.pem:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=test-server \\
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \\
    -keyout key.pem -out cert.pem";
