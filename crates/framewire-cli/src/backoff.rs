//! How long to wait before another try.

use std::time::Duration;

/// The pauses between the tries of one row: each may be twice as long as the last, up to the longest.
///
/// A pause is cut by a random part, of up to half: clients that were cut off together do not come back together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    /// The most that the next pause may be.
    bound: Duration,
    longest: Duration,
    /// Returns a number from 0 to less than 1.
    random: fn() -> f64,
}

impl Backoff {
    /// Creates pauses of at most `first` to begin with, and of at most `longest` in the end.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            bound: first.min(longest),
            longest,
            random: fastrand::f64,
        }
    }

    /// Returns how long to wait before the next try.
    pub(crate) fn pause(&mut self) -> Duration {
        let cut = (self.bound / 2).mul_f64((self.random)());
        let pause = self.bound.saturating_sub(cut);
        self.bound = self.bound.saturating_mul(2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(first: u64, longest: u64, random: fn() -> f64) -> Vec<u128> {
        let [first, longest] = [first, longest].map(Duration::from_millis);
        let mut backoff = Backoff {
            random,
            ..Backoff::new(first, longest)
        };
        (0..6).map(|_| backoff.pause().as_millis()).collect()
    }

    #[test]
    fn each_pause_is_twice_as_long_up_to_the_longest() {
        assert_eq!(pauses(100, 1000, || 0.0), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pauses(100, 50, || 0.0), [50; 6]);
    }

    #[test]
    fn chance_takes_up_to_half_of_each() {
        assert_eq!(pauses(100, 1000, || 0.5), [75, 150, 300, 600, 750, 750]);
        let most = || 1.0 - f64::EPSILON;
        assert_eq!(pauses(100, 1000, most), [50, 100, 200, 400, 500, 500]);
    }

    #[test]
    fn those_that_are_cut_off_together_come_back_apart() {
        let pause = |_| Backoff::new(Duration::from_secs(1), Duration::MAX).pause();
        let first: Vec<_> = (0..20).map(pause).collect();
        assert!(first.iter().any(|pause| *pause != first[0]), "{first:?}");
        let all = Duration::from_millis(500)..=Duration::from_secs(1);
        assert!(first.iter().all(|pause| all.contains(pause)), "{first:?}");
    }

    #[test]
    fn a_row_without_end_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        backoff.random = || 0.0;
        assert_eq!([backoff.pause(), backoff.pause()], [Duration::MAX; 2]);
    }
}
