//! The options of `framewire connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::reach::{Reach, parse_url};
use crate::seconds::{parse_seconds, parse_seconds_or_none};
use crate::size::parse_bytes;

/// Send lines as text messages, and print the messages that come back.
///
/// A text message is printed as a line, a binary one as a line of hexadecimal digits. At a terminal, lines can be
/// edited, the arrow keys bring earlier ones back, and what arrives is printed above the line being typed. The end
/// of the input (Ctrl-D at a terminal), or Ctrl-C, closes the connection; what the server still sends until it has
/// closed its side is printed. Most servers answer nothing more once they are told to close: `--wait` has the
/// end of the input close the connection later. Ends with 0 after a clean close (1000, 1001 or no
/// code), with 1 where there was no connection or no handshake, and with 2 where the connection
/// ended in any other way, or not every line was sent, or the options are wrong.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct Options {
    /// Where to connect to, such as `ws://localhost:9001/` or `wss://example.com/chat`
    #[arg(value_name = "URL", value_parser = parse_url)]
    pub(crate) url: String,

    /// Send a Ping this often, and give the connection up where a Pong is as late as that
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) ping_interval: Option<Duration>,

    /// Write binary messages to this file instead of printing them, one after the other as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,

    /// The largest message taken, such as 65536, 64KiB or 1MiB
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = parse_bytes)]
    pub(crate) max_message: usize,

    /// Stay this long after the end of the input, for answers that are slow
    ///
    /// Ctrl-C closes the connection at once.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds_or_none)]
    pub(crate) wait: Duration,

    /// How long the server may send nothing before it answers the close
    ///
    /// One that goes on sending is listened to, until Ctrl-C is pressed again.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub(crate) close_timeout: Duration,

    /// Connect again when the connection is lost or cannot be made, at most this many seconds later
    ///
    /// After about 1, 2, 4… seconds, up to as many as are given here. A line waits meanwhile, and what was sent last may be
    /// lost. A close with 1000, and a refusal that waiting does not change, end the program.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30",
        value_parser = parse_seconds,
    )]
    pub(crate) reconnect: Option<Duration>,

    /// Print each frame that is sent (`>`) or received (`<`)
    ///
    /// Its opcode, FIN, reserved bits, length (compressed, where it is) and mask, and what control frames carry. On
    /// standard error, but with --json.
    #[arg(long)]
    pub(crate) trace: bool,

    /// Print a JSON object for each message, and for how the connection began and ended, one a line
    ///
    /// Its `event` is open, message, frame (with --trace) or close, which has an `error` where the connection was
    /// lost or could not be made. Binary messages are hexadecimal digits.
    #[arg(long)]
    pub(crate) json: bool,

    /// Begin each line with the time, in UTC; an object of `--json` has it always
    #[arg(long)]
    pub(crate) timestamps: bool,

    /// Keep the lines typed at a terminal in this file, for the next time
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    /// Print messages alone, and not how the connection began and ended
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  framewire connect ws://localhost:9001/
  framewire connect --trace --deflate wss://example.com/chat
  echo '{\"subscribe\":\"trades\"}' | framewire connect --wait 60 --json wss://example.com/feed
  framewire connect --reconnect -H 'Authorization: Bearer TOKEN' wss://example.com/ < /dev/null";
