//! How busy a thread of the bench is: whether it measures the server or itself.

use std::fs;
use std::time::Duration;

/// The time that a thread has spent so far, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// On a core.
    running: u64,
    /// Ready to run, while other threads had the cores.
    waiting: u64,
}

/// What a thread did with its time, as shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Busy {
    pub(crate) running: f64,
    /// Ready to run, while other threads had the cores.
    pub(crate) waiting: f64,
}

impl Usage {
    /// Reads the time that this thread has spent; `None` where the system does not tell.
    pub(crate) fn of_this_thread() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
    }

    /// Parses a line of Linux: nanoseconds on a core, nanoseconds in the queue for one, and how often.
    fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        Some(Self {
            running: numbers.next()?.ok()?,
            waiting: numbers.next()?.ok()?,
        })
    }

    /// Returns what the thread did in the time since it had spent `before`.
    #[expect(clippy::cast_precision_loss, reason = "shares need few digits")]
    pub(crate) fn since(self, before: Self, time: Duration) -> Option<Busy> {
        let share = |now: u64, before: u64| {
            let spent = now.saturating_sub(before) as f64;
            (spent / time.as_nanos() as f64).min(1.0)
        };
        (!time.is_zero()).then(|| Busy {
            running: share(self.running, before.running),
            waiting: share(self.waiting, before.waiting),
        })
    }
}

impl Busy {
    /// Returns whether the thread had hardly any time left: a faster server would not have shown.
    pub(crate) fn is_bottleneck(&self) -> bool {
        self.running > MOST
    }

    /// Returns whether the thread would have had hardly any time left on cores of its own.
    pub(crate) fn lacks_cores(&self) -> bool {
        !self.is_bottleneck() && self.running + self.waiting > MOST
    }
}

/// The share of its time beyond which a thread is busy.
const MOST: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_has_no_time_left_is_the_bottleneck() {
        let before = Usage::parse("1000 5000 3\n").unwrap();
        let second = Duration::from_secs(1);
        let busy = |running: u64, waiting: u64| {
            let after = Usage {
                running: 1000 + running * 10_000_000,
                waiting: 5000 + waiting * 10_000_000,
            };
            after.since(before, second).unwrap()
        };
        assert!(busy(95, 0).is_bottleneck() && !busy(95, 0).lacks_cores());
        assert!(busy(50, 45).lacks_cores() && !busy(50, 45).is_bottleneck());
        let idle = busy(50, 10);
        assert!(!idle.is_bottleneck() && !idle.lacks_cores());
        assert!((idle.running - 0.5).abs() < 1e-9, "{idle:?}");
        assert_eq!(before.since(before, Duration::ZERO), None);
    }

    #[test]
    fn a_line_that_is_not_understood_says_nothing() {
        for line in ["", "1", "a b c", "-1 2 3"] {
            assert_eq!(Usage::parse(line), None, "{line:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn work_is_seen() {
        let Some(before) = Usage::of_this_thread() else {
            // A kernel without this statistic.
            return;
        };
        let mut sum = 0_u64;
        for number in 0..10_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_mul(31) ^ number);
        }
        let after = Usage::of_this_thread().unwrap();
        assert!(after.running > before.running, "{before:?} {after:?} {sum}");
    }
}
