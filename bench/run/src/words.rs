//! How cells and figures are written.

use crate::goals::Limit;
use crate::results::Measure;
use crate::stats::Summary;

/// Names a cell in memory: bytes × frames that come with each read.
pub(crate) fn in_memory_cell(bytes: usize, frames: usize) -> String {
    format!("{} × {frames}", size(bytes))
}

/// Names a cell on loopback: connections × bytes × messages in flight on each.
pub(crate) fn loopback_cell(connections: usize, bytes: usize, depth: usize) -> String {
    format!("{connections} × {} × {depth}", size(bytes))
}

/// Writes a number of bytes as `125`, `16 Ki` or `1 Mi`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0 => "0".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{} Gi", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} Mi", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} Ki", bytes >> 10),
        _ => bytes.to_string(),
    }
}

/// Writes a figure in the unit of its measure, without the unit.
pub(crate) fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::User
        | Measure::System
        | Measure::Cpu
        | Measure::LatencyP50
        | Measure::LatencyP99
        | Measure::LatencyP999 => digits(value / 1000.0),
        Measure::LoadCpu => format!("{:.0} %", value * 100.0),
        _ => digits(value),
    }
}

/// Writes a figure with its noise in percent where it has any.
pub(crate) fn with_noise(measure: Measure, summary: Summary) -> String {
    let amount = amount(measure, summary.median);
    let percent = summary.noise / summary.median * 100.0;
    if percent >= 0.5 {
        format!("{amount} ± {percent:.0} %")
    } else {
        amount
    }
}

/// Returns what a table of a measure says above it.
pub(crate) const fn title(measure: Measure) -> &'static str {
    match measure {
        Measure::Instructions => "Instructions for each message, echoed in memory",
        Measure::EchoTime => "Nanoseconds for each message, echoed in memory",
        Measure::LibraryTime => "Nanoseconds, the library against bare loops",
        Measure::User => "User time of the server, µs for each message",
        Measure::System => "System time of the server, µs for each message",
        Measure::Cpu => {
            "CPU time of the server, or of the client where the cell says so, µs for each message"
        }
        Measure::MessagesPerSecond => "Messages for each second",
        Measure::LoadCpu => "CPU of the load generator",
        Measure::ResidentKib => "Resident memory of the server, KiB",
        Measure::SystemCalls => "System calls of the server for each message",
        Measure::LatencyP50 => "Latency at a fixed rate, median, µs",
        Measure::LatencyP99 => "Latency at a fixed rate, 99 %, µs",
        Measure::LatencyP999 => "Latency at a fixed rate, 99.9 %, µs",
        Measure::IdleBytes => "Resident bytes of the server for each connection at rest",
    }
}

/// Returns what a line says that is about a measure.
pub(crate) const fn short(measure: Measure) -> &'static str {
    match measure {
        Measure::Instructions => "instructions",
        Measure::EchoTime | Measure::LibraryTime => "ns",
        Measure::User => "user µs",
        Measure::System => "system µs",
        Measure::Cpu => "CPU µs",
        Measure::MessagesPerSecond => "messages/s",
        Measure::LoadCpu => "load CPU",
        Measure::ResidentKib => "resident KiB",
        Measure::SystemCalls => "system calls",
        Measure::LatencyP50 => "50 %",
        Measure::LatencyP99 => "99 %",
        Measure::LatencyP999 => "99.9 %",
        Measure::IdleBytes => "bytes",
    }
}

/// Returns a limit in words.
pub(crate) fn limit(measure: Measure, limit: Limit) -> String {
    let factor = |factor: f64| digits(factor);
    match limit {
        Limit::Absolute(most) => format!("≤ {}", amount(measure, most)),
        Limit::BestPeer(1.0) => "≤ the best peer".to_owned(),
        Limit::BestPeer(share) => format!("≤ {} × the best peer", factor(share)),
        Limit::Floor(share, 0.0) => format!("≤ {} × the floor", factor(share)),
        Limit::Floor(share, more) => {
            format!(
                "≤ {} × the floor + {}",
                factor(share),
                amount(measure, more)
            )
        }
        Limit::Subject(name, share) => format!("≤ {} × {name}", factor(share)),
    }
}

/// Writes a ratio of two figures.
pub(crate) fn ratio(of: Summary, to: Summary) -> String {
    format!("{:.2}", of.median / to.median)
}

/// Writes three digits of a number below 1000, and no fractions of one above.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        less if less >= 100.0 => grouped(value),
        less if less >= 10.0 => format!("{value:.1}"),
        less if less >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped(value: f64) -> String {
    let mut text = format!("{value:.0}");
    let mut place = text.len();
    while place > 3 && text.as_bytes()[place - 4].is_ascii_digit() {
        place -= 3;
        text.insert(place, ',');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_named_by_binary_units() {
        assert_eq!(in_memory_cell(16_384, 1), "16 Ki × 1");
        assert_eq!(loopback_cell(10, 1 << 20, 1), "10 × 1 Mi × 1");
        assert_eq!(loopback_cell(100, 125, 16), "100 × 125 × 16");
    }

    #[test]
    fn three_digits_are_written() {
        let written = [0.1234, 1.234, 12.34, 123.4, 1234.0, 1_234_567.0].map(digits);
        assert_eq!(
            written,
            ["0.123", "1.23", "12.3", "123", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn noise_that_rounds_to_nothing_is_not_written() {
        let summary = |noise| Summary {
            median: 2000.0,
            noise,
        };
        assert_eq!(with_noise(Measure::Cpu, summary(100.0)), "2.00 ± 5 %");
        assert_eq!(with_noise(Measure::Instructions, summary(0.0)), "2,000");
    }

    #[test]
    fn a_limit_says_its_factor_and_its_constant() {
        assert_eq!(
            limit(Measure::User, Limit::Floor(1.3, 40.0)),
            "≤ 1.30 × the floor + 0.040"
        );
    }
}
