//! Times on the command line.

use std::time::Duration;

/// Parses a number of seconds, with or without a fraction.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration >= Duration::from_millis(1) => Ok(duration.min(FOREVER)),
        _ => Err("must be at least a millisecond".to_owned()),
    }
}

/// Parses a number of seconds as [`parse_seconds`] does, and allows 0.
pub(crate) fn parse_seconds_or_none(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0.0) => Ok(Duration::ZERO),
        _ => parse_seconds(text),
    }
}

/// Longer than any user waits, and within the range of clocks.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn seconds_may_have_a_fraction_and_are_never_none() {
        assert_eq!(parse_seconds("2.5"), Ok(Duration::from_millis(2500)));
        let longest = parse_seconds("1e19").unwrap();
        assert!(Instant::now().checked_add(longest).is_some());
        for text in ["0", "-1", "nan", "inf", "1e300", "", "2s"] {
            assert!(parse_seconds(text).is_err(), "{text:?}");
        }
    }
}
