//! What a run does: how many connections and threads there are, and when messages are due.

use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use super::options::Options;

/// What a run does.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) pace: Pace,
    /// The length of a message in bytes.
    pub(crate) size: usize,
    pub(crate) binary: bool,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) answer_timeout: Duration,
}

/// What makes a connection send its next message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// An answer: this many messages of each connection are under way.
    Closed(usize),
    /// The clock: this many messages a second are due, over all connections.
    Open(f64),
}

impl Plan {
    pub(crate) fn new(options: &Options) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = options.threads.map_or_else(cores, usize::from);
        Self {
            connections: options.connections,
            threads: threads.min(options.connections),
            pace: match options.rate {
                Some(rate) => Pace::Open(rate),
                None => Pace::Closed(options.depth),
            },
            size: options.size,
            binary: options.binary,
            warm_up: options.warm_up,
            duration: options.duration,
            answer_timeout: options.answer_timeout,
        }
    }

    /// Returns how many connections a thread has. The thread `t` of `n` has every `n`th, from `t` on.
    pub(crate) fn share(&self, thread: usize) -> usize {
        (self.connections + self.threads - 1 - thread) / self.threads
    }
}

/// When a run measures, in nanoseconds of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// When the first message is sent.
    pub(crate) start: u64,
    /// When the warm-up is over.
    pub(crate) from: u64,
    /// From when on no message is sent.
    pub(crate) to: u64,
}

impl Window {
    /// Returns the window of a run that starts at `start`.
    pub(crate) fn new(start: u64, plan: &Plan) -> Self {
        let from = start.saturating_add(nanos(plan.warm_up));
        Self {
            start,
            from,
            to: from.saturating_add(nanos(plan.duration)),
        }
    }

    /// Returns whether what happens at `time` counts.
    pub(crate) fn contains(&self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// When the messages of one thread are due, and on which of its connections.
///
/// All connections have their turn one after the other, whichever thread they belong to, so that the messages of a
/// run are evenly spaced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    connections: usize,
    threads: usize,
    thread: usize,
    share: usize,
    nanos_per_message: f64,
}

impl Schedule {
    pub(crate) fn new(plan: &Plan, thread: usize, rate: f64) -> Self {
        Self {
            connections: plan.connections,
            threads: plan.threads,
            thread,
            share: plan.share(thread).max(1),
            nanos_per_message: 1e9 / rate,
        }
    }

    /// Returns the connection, of those of the thread, whose turn the message `number` of the thread is, and when it is
    /// due after the start.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "2^53 ns are 104 days"
    )]
    pub(crate) fn due(&self, number: u64) -> (usize, u64) {
        let share = self.share as u64;
        let (round, lane) = (number / share, (number % share) as usize);
        let connection = self.thread + lane * self.threads;
        let overall = round * self.connections as u64 + connection as u64;
        (lane, (overall as f64 * self.nanos_per_message) as u64)
    }

    /// Returns how many messages of the thread, from the message `first` on, are due in a time after the start.
    pub(crate) fn count(&self, first: u64, time: Range<u64>) -> u64 {
        let from = self.first_from(time.start).max(first);
        self.first_from(time.end).saturating_sub(from)
    }

    /// Returns the number of the first message that is due at a time after the start, or later.
    fn first_from(&self, time: u64) -> u64 {
        let is_before = |number| self.due(number).1 < time;
        let (mut low, mut high) = (0, 1);
        while is_before(high) {
            (low, high) = (high, high * 2);
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Returns a time as nanoseconds: at most 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) fn example(connections: usize, threads: usize, pace: Pace) -> Plan {
    Plan {
        connections,
        threads,
        pace,
        size: 125,
        binary: false,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_belongs_to_one_thread() {
        for (connections, threads) in [(1, 1), (10, 3), (7, 7), (1000, 16)] {
            let plan = example(connections, threads, Pace::Closed(1));
            let shares: Vec<_> = (0..threads).map(|thread| plan.share(thread)).collect();
            assert_eq!(shares.iter().sum::<usize>(), connections);
            assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
        }
    }

    #[test]
    fn messages_of_all_threads_are_evenly_spaced() {
        let plan = example(10, 3, Pace::Open(1000.0));
        let mut times = Vec::new();
        for thread in 0..3 {
            let schedule = Schedule::new(&plan, thread, 1000.0);
            let share = plan.share(thread);
            let dues = (0..5 * share as u64).map(|number| schedule.due(number));
            times.extend(dues.inspect(|(lane, _)| assert!(*lane < share)));
        }
        let mut times: Vec<_> = times.into_iter().map(|(_, time)| time).collect();
        times.sort_unstable();
        let expected: Vec<_> = (0..50).map(|number| number * 1_000_000).collect();
        assert_eq!(times, expected);
    }

    #[test]
    fn messages_are_counted_without_going_through_them() {
        let plan = example(10, 3, Pace::Open(1000.0));
        for thread in 0..3 {
            let schedule = Schedule::new(&plan, thread, 1000.0);
            for (first, time) in [
                (0, 0..1),
                (0, 0..20_000_000),
                (3, 3_000_001..50_000_000),
                (9, 0..20_000_001),
                (9, 5..5),
            ] {
                let is_due = |number| number >= first && time.contains(&schedule.due(number).1);
                let expected = (0..100).filter(|number| is_due(*number)).count() as u64;
                assert_eq!(schedule.count(first, time.clone()), expected, "{time:?}");
            }
            assert_eq!(schedule.count(u64::MAX, 0..1 << 62), 0);
        }
    }

    #[test]
    fn nothing_counts_before_the_warm_up_is_over() {
        let plan = Plan {
            warm_up: Duration::from_nanos(5),
            duration: Duration::from_nanos(10),
            ..example(1, 1, Pace::Closed(1))
        };
        let window = Window::new(100, &plan);
        let counts: Vec<_> = (95..120).filter(|time| window.contains(*time)).collect();
        assert_eq!((counts[0], counts.len()), (105, 10));
    }
}
