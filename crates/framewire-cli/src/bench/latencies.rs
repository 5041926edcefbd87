//! A distribution of times.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A distribution of times, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// Creates an empty distribution, in which a time is right to `digits` decimal digits.
    pub(crate) fn new(digits: u8) -> Result<Self, String> {
        Histogram::new(digits)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        // It fails for no number, as the distribution grows.
        let _ = self.0.record(nanos);
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), String> {
        self.0.add(&other.0).map_err(|error| error.to_string())
    }

    /// Returns the distribution as it would be if, while each recorded time passed, others had begun once in each
    /// `interval` nanoseconds, and had all ended with it: a correction for coordinated omission.
    pub(crate) fn corrected(&self, interval: u64) -> Self {
        Self(self.0.clone_correct(interval.max(1)))
    }

    /// Returns the distribution without some of its times.
    pub(crate) fn without(&self, times: impl Iterator<Item = u64>) -> Self {
        let (mut rest, mut less) = (self.0.clone(), Histogram::new_from(&self.0));
        // Neither fails for times that are in the distribution.
        for nanos in times {
            let _ = less.record(nanos);
        }
        let _ = rest.subtract(&less);
        Self(rest)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the time that a share of all is not over; `None` if there is none at all.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        // The bounds of the value are those of its bucket, which may lie beyond the longest time.
        let value = || self.0.value_at_quantile(share).min(self.0.max());
        (!self.0.is_empty()).then(|| Duration::from_nanos(value()))
    }

    pub(crate) fn max(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.max()))
    }

    pub(crate) fn min(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.min()))
    }

    #[expect(
        clippy::cast_sign_loss,
        reason = "a mean of times that are not negative"
    )]
    pub(crate) fn mean(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_nanos(self.0.mean() as u64))
    }

    /// Returns each recorded time, to the precision of the distribution, with how often it was recorded, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        let recorded = self.0.iter_recorded();
        recorded.map(|value| (value.value_iterated_to(), value.count_at_value()))
    }
}

/// The shares that are told of a distribution, with their names.
pub(crate) const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn a_stall_counts_for_all_who_would_have_waited() {
        let mut latencies = Latencies::new(3).unwrap();
        for _ in 0..9_000 {
            latencies.record(MILLISECOND);
        }
        latencies.record(1_000 * MILLISECOND);
        let p99 = |latencies: &Latencies| latencies.quantile(0.99).unwrap().as_millis();
        assert_eq!(p99(&latencies), 1);
        // A thousand of ten thousand waited, the last hundred of them 900 ms at least.
        let corrected = latencies.corrected(MILLISECOND);
        assert!((9_990..=10_010).contains(&corrected.count()));
        assert!((890..=910).contains(&p99(&corrected)));
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        let latencies = Latencies::new(3).unwrap();
        assert_eq!(latencies.corrected(1).quantile(0.5), None);
        assert_eq!((latencies.max(), latencies.mean()), (None, None));
    }

    #[test]
    fn times_that_are_taken_out_leave_the_others() {
        let mut latencies = Latencies::new(3).unwrap();
        for nanos in [1, 2, 2, 1_000_000] {
            latencies.record(nanos);
        }
        let rest = latencies.without([2, 1_000_000].into_iter());
        assert_eq!(rest.values().collect::<Vec<_>>(), [(1, 1), (2, 1)]);
        assert_eq!(rest.max(), Some(Duration::from_nanos(2)));
    }

    #[test]
    fn no_quantile_is_over_the_longest_time() {
        let mut latencies = Latencies::new(2).unwrap();
        latencies.record(1_234_567);
        assert_eq!(latencies.quantile(0.9999), latencies.max());
    }
}
