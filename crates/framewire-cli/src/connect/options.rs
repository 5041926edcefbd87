//! The options of `framewire connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::reach::Reach;
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

    #[command(flatten)]
    pub(crate) reach: Reach,
}
