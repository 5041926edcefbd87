//! The options of `framewire send` and `framewire recv`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::accept::{Accept, parse_count};
use crate::reach::{Reach, parse_url};
use crate::required::RequiredHeader;
use crate::seconds::parse_seconds;
use crate::size::parse_bytes;

/// Send files of any size to `framewire recv`.
///
/// Each file goes as one WebSocket message, in constant memory, and keeps its name. It is there under that name only
/// once it is complete and its checksum (SHA-256) is right. Where the connection breaks, `send` connects again and goes
/// on where it was; so does the same command later, after Ctrl-C for example. Where the first connection does not come
/// about, it ends at once. A file that is there already is not sent again. On a terminal a bar shows progress, speed
/// and remaining time; anywhere else there is a line for each file.
///
/// As with `cp`, a file that cannot be opened and a directory are left out with a message, and the others are sent.
///
/// Ends with 0 where all files have arrived, with 1 where there was no connection or no handshake, with 2 where a file
/// was left out or refused, the connection was lost for good, or the options are wrong, and with 130 after Ctrl-C.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = SEND_EXAMPLES)]
pub(crate) struct SendOptions {
    /// Where `framewire recv` listens, such as `ws://192.168.0.7:9001/`
    #[arg(value_name = "URL", value_parser = parse_receiver)]
    pub(crate) url: String,

    /// The files to send; `-` is the standard input, which cannot go on after a break
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// The name that the file gets, instead of its own: for one file
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// How many times in a row to connect again after a break without more of the file having arrived
    ///
    /// First after a second, then after twice as long each time, up to 30 seconds. The first connection is not tried
    /// again.
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) retries: u32,

    /// How long nothing may come from the receiver
    ///
    /// One that is busy sends Pings every 5 seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) idle_timeout: Duration,

    /// Show neither progress nor a line for each file
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Receive files from `framewire send`.
///
/// Prints `listening on ws://HOST:PORT/` (with TLS `wss://`) when it is ready, and takes files from any number of
/// senders until Ctrl-C, SIGTERM or SIGHUP. While a file is incomplete, its name ends in `.framewire-part`. If the
/// transfer breaks, that part stays, and the next transfer of the same file goes on from its end. A file that exists is
/// replaced only with `--overwrite`, with one exception on file systems without hard links, such as FAT, unless Linux
/// renames there without replacing: a file that another program creates under the same name just as the received one
/// gets it.
///
/// Anybody who can connect can fill the directory with files, unless `--require-header` keeps them out. Only programs
/// on this machine can connect, unless `--listen` names an address that others reach.
///
/// Ends with 0 after a signal, after as many files as `--files` says, and with `--once` where all files have arrived;
/// with 1 where it cannot listen; and with 2 where a file was refused with `--once`, where there is no directory to
/// receive into, or the options are wrong.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = RECV_EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct RecvOptions {
    /// The directory for the files, which must exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) into: PathBuf,

    /// Replace files of the same name, once the ones that replace them are complete
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Take files whose names begin with a dot, too
    #[arg(long)]
    pub(crate) hidden: bool,

    /// The largest file taken
    #[arg(long, value_name = "BYTES", default_value = "16GiB", value_parser = parse_bytes)]
    pub(crate) max_file: usize,

    /// End after this many files have arrived
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) files: Option<usize>,

    /// End after one sender that has announced a file closes the connection
    ///
    /// With 2 if a file of it was refused. If the connection breaks, the next sender is waited for.
    #[arg(long)]
    pub(crate) once: bool,

    /// How many senders there may be at a time; one more is answered with HTTP status 503
    #[arg(long, value_name = "N", default_value = "64", value_parser = parse_count)]
    pub(crate) max_connections: usize,

    /// How long nothing may come from a sender
    ///
    /// One that is busy sends Pings every 5 seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) idle_timeout: Duration,

    /// A header that each sender must send, with this value; may be given again
    ///
    /// Requests without it are answered with 401. Other users of this machine can read the value in the list of
    /// processes, and without TLS it crosses the network in the clear.
    #[arg(long, value_name = "NAME: VALUE", value_parser = RequiredHeader::parse)]
    pub(crate) require_header: Vec<RequiredHeader>,

    /// Show neither progress nor a line for each file
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) accept: Accept,
}

/// Takes the URL of a receiver. Says what is missing where a file stands in its place.
fn parse_receiver(text: &str) -> Result<String, String> {
    parse_url(text).map_err(|why| {
        let is_file = Path::new(text).is_file();
        let why = if is_file { "this is a file" } else { &why };
        format!("the URL of the receiver comes first, and the files follow it; {why}")
    })
}

const SEND_EXAMPLES: &str = "\
Examples:
  framewire send ws://192.168.0.7:9001/ disk.img *.jpg
  tar c photos | framewire send ws://192.168.0.7:9001/ - --name photos.tar";
const RECV_EXAMPLES: &str = "\
Examples:
  framewire recv --into Downloads
  framewire recv --listen 0.0.0.0:9001 --once
  framewire recv --require-header 'Authorization: Bearer 5c1d' and
    framewire send --header 'Authorization: Bearer 5c1d' URL FILE";
