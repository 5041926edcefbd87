//! Numbers as people read them.

use std::time::Duration;

/// Returns a time with three digits and its unit, such as `95.2 µs`.
pub(crate) fn time(time: Duration) -> String {
    let nanos = time.as_secs_f64() * 1e9;
    // As much as would be shown as 1000 is one of the next unit.
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6)];
    let unit = units.iter().find(|(_, size)| nanos / size < 999.5);
    let (unit, size) = unit.unwrap_or(&("s", 1e9));
    format!("{} {unit}", digits(nanos / size))
}

/// Returns a time as [`time`] does, or a dash.
pub(crate) fn time_or_none(of: Option<Duration>) -> String {
    of.map_or_else(|| "–".to_owned(), time)
}

/// Returns a number with its thousands apart, such as `12,345`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number in each second: whole, where it is not small.
#[expect(
    clippy::cast_sign_loss,
    reason = "what is counted in a time is not negative"
)]
pub(crate) fn rate(rate: f64) -> String {
    if rate < 99.95 {
        return digits(rate);
    }
    count(rate.round() as u64)
}

/// Returns a number of bytes with three digits and its unit, such as `10.2 MB`.
pub(crate) fn bytes(bytes: f64) -> String {
    if bytes < 999.5 {
        return format!("{bytes:.0} B");
    }
    let units = [("kB", 1e3), ("MB", 1e6)];
    let unit = units.iter().find(|(_, size)| bytes / size < 999.5);
    let (unit, size) = unit.unwrap_or(&("GB", 1e9));
    format!("{} {unit}", digits(bytes / size))
}

/// Returns a share in percent, such as `12.3 %`.
#[expect(clippy::cast_precision_loss, reason = "a share needs few digits")]
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    if part == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if percent < 0.01 {
        return "< 0.01 %".to_owned();
    }
    format!("{percent:.*} %", if percent < 1.0 { 2 } else { 1 })
}

/// Returns `1 thing` or `2 things`.
pub(crate) fn things(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// Returns a number with three digits, without zeros at its end.
fn digits(number: f64) -> String {
    let decimals = match number {
        _ if number >= 99.95 => 0,
        _ if number >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (nanos, text) in [
            (0, "0 ns"),
            (7, "7 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (95_240, "95.2 µs"),
            (999_600, "1 ms"),
            (1_234_567, "1.23 ms"),
            (9_996_000, "10 ms"),
            (12_345_678_900, "12.3 s"),
            (5_000_000_000_000, "5000 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(time_or_none(None), "–");
    }

    #[test]
    fn counts_and_shares_can_be_read() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!((rate(0.5), rate(1234.5)), ("0.5".into(), "1,235".into()));
        assert_eq!(
            (bytes(125.0), bytes(10_234_000.0)),
            ("125 B".into(), "10.2 MB".into())
        );
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(1, 1_000_000), "< 0.01 %");
        assert_eq!((percent(0, 8), percent(0, 0)), ("0 %".into(), "–".into()));
        assert_eq!(
            (things(1, "cat"), things(1000, "cat")),
            ("1 cat".into(), "1,000 cats".into())
        );
    }
}
