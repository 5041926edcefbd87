//! The options of `framewire bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::reach::{Reach, parse_url};
use crate::seconds::{parse_seconds, parse_seconds_or_none};
use crate::size::parse_bytes;

/// Measure how fast a server answers messages, and how many it answers.
///
/// The server is any that answers each message with the same message, in order, as an echo server does.
/// An answer that differs in any byte counts as wrong. Each connection is opened before the first message
/// is sent. What a server sends before it was asked anything, such as a greeting, is not counted.
///
/// Without `--rate`, each connection sends its next message when it has received an answer. This shows
/// the highest throughput of the server. The column "measured" has the latency of each message that was
/// sent. While a server stalls, this bench sends nothing to it, so a stall of a second shows as one slow
/// message, although everybody who asked within that second would have waited (this is called
/// coordinated omission). The column "corrected" adds a latency for each message that would have been
/// sent during the stall, at a rate of one per median latency.
///
/// With `--rate`, messages are sent on a fixed schedule, whether or not the server answers. The column
/// "corrected" is the time from when a message was due to its answer, as a user of the server sees it.
/// The column "measured" is the time from when it was sent, which can be later than it was due.
///
/// A message without an answer counts with the time that was waited for its answer, unless its
/// connection was lost. A message that was due and could not be sent within the answer timeout after the
/// end is given up and counted as unsent. What is due on a connection that is gone is sent on another of
/// its thread, and counted as unsent where there is none.
///
/// Messages are pieces of made-up JSON records, the same in each run, which compress to about a third,
/// long ones to less.
///
/// Warns where the bench itself is the bottleneck: because it sends messages late, and on Linux also because
/// its threads are busy or lack cores, which other systems do not tell.
///
/// Ctrl-C, SIGTERM or SIGHUP ends the run early, with the results so far, the report and the exit code that
/// they call for; a second one ends the program with 130. Ends with 0 where all went well, with 1 where no
/// connection came about, with 2 where a connection or an answer failed, or the options are wrong, and with
/// 130 where a signal came before there was a connection.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(mut_arg("write_timeout", |argument| argument.hide(true)))]
pub(crate) struct Options {
    /// The server to measure, such as `ws://localhost:9001/` or `wss://example.com/echo`
    #[arg(value_name = "URL", value_parser = parse_url)]
    pub(crate) url: String,

    /// How many connections to open
    #[arg(long, short = 'c', value_name = "N", default_value = "10", value_parser = parse_connections)]
    pub(crate) connections: usize,

    /// How many messages each connection has under way, unanswered, at a time
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_depth)]
    pub(crate) depth: usize,

    /// Send this many messages a second, over all connections together, whether or not they are
    /// answered
    #[arg(long, short = 'r', value_name = "MESSAGES", conflicts_with = "depth", value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,

    /// How long each message is, such as 125, 16KiB or 1MiB
    #[arg(long, value_name = "BYTES", default_value = "125", value_parser = parse_bytes)]
    pub(crate) size: usize,

    /// Send binary messages instead of text
    #[arg(long)]
    pub(crate) binary: bool,

    /// How long to measure
    #[arg(long, short = 'd', value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) duration: Duration,

    /// How long to send messages before the measurement
    ///
    /// One whose answer arrives during the measurement counts in the throughput and, without `--rate`, in the
    /// latencies.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds_or_none)]
    pub(crate) warm_up: Duration,

    /// How long an answer may take after its message was sent, before the connection is given up
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub(crate) answer_timeout: Duration,

    /// How many threads send and receive [default: as many as there are cores, and no more than
    /// connections]
    #[arg(long, short = 't', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Print the results as one JSON object, and nothing else
    ///
    /// Times are in nanoseconds.
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page with plots to this file, which needs nothing else and can be sent to others
    ///
    /// It shows the URL and the options, but neither the values of headers nor passwords.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Show no progress
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

fn parse_connections(text: &str) -> Result<usize, String> {
    parse_count(text, 1_000_000)
}

fn parse_depth(text: &str) -> Result<usize, String> {
    parse_count(text, 100_000)
}

fn parse_count(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(format!("must be a number from 1 to {most}")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (LEAST_RATE..=MOST_RATE).contains(&rate) => Ok(rate),
        _ => Err(format!("must be a number from {LEAST_RATE} to {MOST_RATE}")),
    }
}

const EXAMPLES: &str = "\
Examples:
  How much 10 connections get answered, for 10 seconds:
      framewire bench ws://localhost:9001/
  How long answers take under a load of 1000 messages a second, as a page for others:
      framewire bench wss://example.com/echo --rate 1000 -c 100 -d 30 --report out.html";

const LEAST_RATE: f64 = 0.01;
const MOST_RATE: f64 = 100_000_000.0;

#[cfg(test)]
mod tests {
    use super::{parse_connections, parse_rate};

    #[test]
    fn a_rate_is_a_number_within_reason() {
        assert_eq!(parse_rate("2500.5"), Ok(2500.5));
        for text in ["0", "-1", "nan", "inf", "1e9", "", "5/s"] {
            assert!(parse_rate(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn there_is_at_least_one_connection() {
        assert_eq!(parse_connections("1"), Ok(1));
        for text in ["0", "-1", "1.5", "1000001", ""] {
            assert!(parse_connections(text).is_err(), "{text:?}");
        }
    }
}
