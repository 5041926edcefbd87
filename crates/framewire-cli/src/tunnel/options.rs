//! The options of `framewire tunnel`.

use std::time::Duration;

use clap::Args;
use clap::builder::Resettable;

use super::allow::Rule;
use super::place::Place;
use super::target::Target;
use crate::accept::{Origin, Tls, parse_count, parse_origin};
use crate::reach::Reach;
use crate::required::RequiredHeader;
use crate::seconds::{parse_seconds, parse_seconds_or_none};

/// Carry TCP connections through WebSocket connections, at either end.
///
/// The client end takes TCP connections and opens a WebSocket connection for each:
///
///   `framewire tunnel --listen tcp://127.0.0.1:5432 --connect wss://gateway.example/ --target db:5432`
///
/// The server end takes WebSocket connections and opens a TCP connection to the target for each:
///
///   `framewire tunnel --listen ws://127.0.0.1:9001 --allow db:5432 --allow '10.0.0.0/8:*'`
///
/// Prints `listening on tcp://HOST:PORT` or `listening on ws://HOST:PORT/` when it is ready, and logs a
/// line on standard error when a tunnel is open and when it has ended. Anybody who reaches the server end
/// may use it: give both ends a secret with `--require-header` and `--header`, put it behind a proxy that
/// knows its users, or have it listen where only they are.
///
/// The bytes are sent in binary messages, which may be cut anywhere. An end that takes nothing stops the
/// other: neither program holds more than some buffers for each direction.
///
/// Between two ends of this program, each direction ends by itself, as in TCP (half-close): they agree on the
/// subprotocol framewire.tunnel.1, where an empty text message stands for the end of a direction. WebSocket
/// itself has no half-close. With another program at the other end, the end of the TCP stream is a Close
/// frame with 1000, which that program answers at once: what it has sent by then still arrives, and
/// nothing after it. One that does not answer is given up when it has sent no data for `--close-timeout`. Its
/// Close frame ends both directions, too.
///
/// A TCP connection that fails closes its WebSocket connection with 1011. Any close code but 1000 or none
/// resets the TCP connection at the other end. So does a WebSocket connection that breaks: a tunnel cannot
/// be continued on another one. The next TCP connection gets a new one.
///
/// The server end answers 400 to a target that cannot be understood or is not named, 403 to one that is not
/// allowed, 502 to one that cannot be reached, 504 to one that does not answer in time, and 503 when there
/// are too many connections or open files. It gets the name of the target as `?target=HOST:PORT` in the URL.
/// The client end then resets its TCP connection and logs why.
///
/// Ctrl-C, SIGTERM or SIGHUP closes every tunnel with 1001 (going away) and ends the program with 0. It ends
/// with 1 where it cannot listen or a certificate cannot be used, and with 2 where the options are wrong.
#[derive(Debug, Clone, Args)]
// Verbatim for the examples. That keeps the full stop, which `about` has not, as it stands in the list of commands.
#[command(
    verbatim_doc_comment,
    about = "Carry TCP connections through WebSocket connections, at either end"
)]
// These are of both ends here.
#[command(mut_arg("write_timeout", |arg| arg
    .help_heading(Resettable::Reset)
    .default_value("0")
    .value_parser(parse_seconds_or_none)
    .help("How long either side of a tunnel may take nothing of what waits for it before the tunnel is \
           ended; 0 is for ever, as with TCP")))]
#[command(mut_arg("timeout", |arg| arg
    .help_heading(Resettable::Reset)
    .help("How long connecting and the handshake may take, at the server end the request and then the \
           connection to the target")))]
#[command(mut_arg("deflate", |arg| arg
    .help_heading(Resettable::Reset)
    .help("Compress messages (permessage-deflate), at level 0 to 9, where both ends do")))]
pub(crate) struct Options {
    /// Where to listen: tcp://HOST:PORT makes this the client end, ws://HOST:PORT or wss://HOST:PORT the server end
    ///
    /// Port 0 takes a free one.
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    pub(crate) listen: Place,

    /// Where to connect to: the URL of the server end, or of the server end its only target, tcp://HOST:PORT
    ///
    /// The URL is one such as `wss://gateway.example/tunnel`.
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    pub(crate) connect: Option<Place>,

    /// How many tunnels may be open at once
    ///
    /// Each needs two open files: have the system allow as many (`ulimit -n`). One more waits at the client end, and is
    /// answered with HTTP status 503 at the server end.
    #[arg(long, value_name = "N", default_value = "448", value_parser = parse_count)]
    pub(crate) max_connections: usize,

    /// Send a Ping this often, and give a tunnel up on which nothing has come for twice as long; 0 does neither
    ///
    /// While its TCP side takes nothing, it is not given up. Give both ends the same.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds_or_none)]
    pub(crate) ping_interval: Duration,

    /// How long another program at the other end may send no data before it answers a Close frame
    ///
    /// That frame stands for the end of the TCP stream.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) close_timeout: Duration,

    /// Log nothing for each connection
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) client: ClientEnd,

    #[command(flatten)]
    pub(crate) server: ServerEnd,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What is for the client end alone, beside how the server is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client end")]
pub(crate) struct ClientEnd {
    /// The service that the server end is asked to connect to
    ///
    /// Without it, the server end must have exactly one.
    #[arg(long, value_name = "HOST:PORT", value_parser = Target::parse)]
    pub(crate) target: Option<Target>,

    /// How long to try again, for each TCP connection, while the server is away or answers that it has trouble
    ///
    /// Such as 502; a 403 is final. Nothing is read from the TCP connection meanwhile, so that no byte is lost. The
    /// first failure is logged, and how it ends.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds_or_none)]
    pub(crate) retry: Duration,
}

/// What is for the server end alone.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server end")]
pub(crate) struct ServerEnd {
    /// A target that clients may name; may be given again
    ///
    /// The host may be a network, such as `10.0.0.0/8` or `[fd00::/8]`, and the port `*`. Only what is written is
    /// compared: a name is allowed wherever it leads, as its resolver decides, and a network allows no name, even of a
    /// host in it. Where there is one target alone, clients need not name it.
    #[arg(long, value_name = "HOST:PORT", value_parser = Rule::parse, conflicts_with = "connect")]
    pub(crate) allow: Vec<Rule>,

    /// A header that each client must send, with this value; may be given again
    ///
    /// Requests without it are answered with 401. Other users of this machine can read the value in the list of
    /// processes, and without TLS it crosses the network in the clear.
    #[arg(long, value_name = "NAME: VALUE", value_parser = RequiredHeader::parse)]
    pub(crate) require_header: Vec<RequiredHeader>,

    /// Web pages that may connect: those of the same host and port, all, or those of the origins listed
    ///
    /// Without this, none may. Programs that are not browsers send no origin and may always connect.
    #[arg(
        long,
        value_name = "any|same|URL|null|file://",
        num_args = 1..,
        value_delimiter = ',',
        value_parser = parse_origin,
    )]
    pub(crate) allow_origin: Vec<Origin>,

    #[command(flatten)]
    pub(crate) tls: Tls,
}
