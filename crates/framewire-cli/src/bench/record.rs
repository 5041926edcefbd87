//! What is measured: by each thread for itself, and then together.

use std::time::Duration;

use super::flight::{Flight, Sent};
use super::latencies::Latencies;
use super::plan::{Plan, Window, nanos};
use super::trouble::{Kind, Troubles};

/// What is measured.
#[derive(Debug)]
pub(crate) struct Record {
    /// From when a message was due to its answer.
    pub(crate) from_due: Latencies,
    /// From when a message was sent to its answer.
    pub(crate) from_sent: Latencies,
    /// How long after it was due a message was sent, where the connection took it at once.
    pub(crate) lateness: Latencies,
    /// How long it took to connect, with TLS and the handshake.
    pub(crate) connecting: Latencies,
    pub(crate) counts: Counts,
    pub(crate) slices: Slices,
    pub(crate) troubles: Troubles,
}

/// How many messages there were, of those that were due while it was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    /// Of those sent.
    pub(crate) answered: u64,
    /// Of those answered: the answers that were wrong.
    pub(crate) wrong: u64,
    /// Messages that were due and never sent, as the connection took no more.
    pub(crate) unsent: u64,
    /// Messages that came before the first was sent.
    pub(crate) greetings: u64,
}

/// What came in each slice of the time.
#[derive(Debug)]
pub(crate) struct Slices {
    /// The length of a slice in nanoseconds.
    width: u64,
    slices: Vec<Slice>,
}

/// What came in a slice of the time.
#[derive(Debug)]
pub(crate) struct Slice {
    /// How many answers came, whenever the messages were due.
    pub(crate) answers: u64,
    /// The bytes of their payload.
    pub(crate) bytes: u64,
    /// How long they took, from when the messages were due.
    pub(crate) latencies: Latencies,
}

impl Record {
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        Ok(Self {
            from_due: Latencies::new(DIGITS)?,
            from_sent: Latencies::new(DIGITS)?,
            lateness: Latencies::new(DIGITS)?,
            connecting: Latencies::new(DIGITS)?,
            counts: Counts::default(),
            slices: Slices::new(plan.duration)?,
            troubles: Troubles::default(),
        })
    }

    /// Notes that a message is sent.
    pub(crate) fn send(&mut self, window: &Window, sent: Sent) {
        self.counts.sent += u64::from(window.contains(sent.due));
    }

    /// Notes by how much the bench was late with a message that it could have sent at `possible`.
    pub(crate) fn late(&mut self, window: &Window, possible: u64, at: u64) {
        if window.contains(possible) {
            self.lateness.record(at.saturating_sub(possible));
        }
    }

    /// Notes an answer of `bytes` bytes, `expected` of which were sent.
    pub(crate) fn answer(
        &mut self,
        window: &Window,
        sent: Sent,
        now: u64,
        (bytes, expected): (usize, usize),
    ) {
        let took = now.saturating_sub(sent.due);
        if window.contains(now) {
            let slice = self.slices.at(now - window.from);
            if let Some(slice) = slice {
                slice.answers += 1;
                slice.bytes += bytes as u64;
                slice.latencies.record(took);
            }
        }
        if bytes != expected {
            let text = format_args!("{bytes} bytes instead of {expected}");
            self.troubles.add(Kind::Wrong, text);
        }
        if window.contains(sent.due) {
            self.counts.answered += 1;
            self.counts.wrong += u64::from(bytes != expected);
            self.from_due.record(took);
            self.from_sent.record(now.saturating_sub(sent.at));
        }
    }

    /// Notes that no answer is waited for any more. Those who would have had to wait longer still count with the time
    /// up to now, unless the connection is lost: then nobody would have waited.
    pub(crate) fn give_up(&mut self, window: &Window, flight: &mut Flight, now: Option<u64>) {
        let (sent, unsent) = flight.give_up();
        let counts = |due: &&u64| window.contains(**due);
        self.counts.unsent += unsent.iter().filter(counts).count() as u64;
        let Some(now) = now else { return };
        for due in sent.iter().chain(&unsent).filter(counts) {
            self.from_due.record(now.saturating_sub(*due));
        }
        for due in sent.iter().filter(counts) {
            self.from_sent.record(now.saturating_sub(*due));
        }
    }

    /// Adds what another thread has measured.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), String> {
        self.from_due.add(&other.from_due)?;
        self.from_sent.add(&other.from_sent)?;
        self.lateness.add(&other.lateness)?;
        self.connecting.add(&other.connecting)?;
        self.counts.merge(other.counts);
        self.troubles.merge(other.troubles);
        self.slices.merge(&other.slices)
    }
}

impl Counts {
    /// Returns how many messages were sent and not answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.sent - self.answered
    }

    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.wrong += other.wrong;
        self.unsent += other.unsent;
        self.greetings += other.greetings;
    }
}

impl Slices {
    fn new(time: Duration) -> Result<Self, String> {
        let width = nanos(time).div_ceil(MOST_SLICES).max(LEAST_WIDTH);
        let count = nanos(time).div_ceil(width);
        let slice = || {
            Ok(Slice {
                answers: 0,
                bytes: 0,
                latencies: Latencies::new(DIGITS_OF_SLICES)?,
            })
        };
        Ok(Self {
            width,
            slices: (0..count).map(|_| slice()).collect::<Result<_, String>>()?,
        })
    }

    /// Returns the slice of a time, in nanoseconds since the measurement began.
    fn at(&mut self, time: u64) -> Option<&mut Slice> {
        self.slices.get_mut((time / self.width) as usize)
    }

    fn merge(&mut self, other: &Self) -> Result<(), String> {
        for (slice, other) in self.slices.iter_mut().zip(&other.slices) {
            slice.answers += other.answers;
            slice.bytes += other.bytes;
            slice.latencies.add(&other.latencies)?;
        }
        Ok(())
    }

    /// Returns the slices of a measurement that ended after `time`, each with its beginning and its length.
    pub(crate) fn until(
        &self,
        time: Duration,
    ) -> impl Iterator<Item = (Duration, Duration, &Slice)> {
        let end = nanos(time);
        let starts = (0..end).step_by(self.width as usize);
        let slices = self.slices.iter().zip(starts);
        slices.map(move |(slice, start)| {
            let length = self.width.min(end - start);
            let (start, length) = (Duration::from_nanos(start), Duration::from_nanos(length));
            (start, length, slice)
        })
    }
}

/// How exact times are: to a thousandth.
const DIGITS: u8 = 3;
const DIGITS_OF_SLICES: u8 = 2;

/// The plots need no more.
const MOST_SLICES: u64 = 60;
/// 100 ms.
const LEAST_WIDTH: u64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::{Pace, Schedule, example};

    const MILLISECOND: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MILLISECOND;

    /// A server that answers after a millisecond, but stands still for the third second: at the time of an answer.
    fn answer_of_a_server_that_stalls(asked: u64) -> u64 {
        let answered = asked + MILLISECOND;
        if (2 * SECOND..3 * SECOND).contains(&answered) {
            3 * SECOND
        } else {
            answered
        }
    }

    #[test]
    fn a_stall_shows_in_the_latency_of_all_messages_that_were_due_in_it() {
        let plan = example(1, 1, Pace::Open(1000.0));
        let window = Window::new(0, &plan);
        let schedule = Schedule::new(&plan, 0, 1000.0);
        let (mut record, mut flight) = (Record::new(&plan).unwrap(), Flight::default());
        // The connection takes no more while the server stands still: what is due waits.
        for number in 0..10_000 {
            let (_, due) = schedule.due(number);
            flight.release(due);
        }
        let mut free = 0;
        while let Some(due) = flight.next_to_send() {
            let at = due.max(free);
            flight.send(due, at);
            record.send(&window, Sent { due, at });
            let sent = flight.answer().unwrap();
            let now = answer_of_a_server_that_stalls(at);
            record.answer(&window, sent, now, (125, 125));
            free = if now == 3 * SECOND { now } else { at };
        }
        let p99 = |latencies: &Latencies| latencies.quantile(0.99).unwrap().as_millis();
        // One in ten was due in that second, and waited for half of it on average.
        assert!((890..=910).contains(&p99(&record.from_due)));
        assert_eq!(p99(&record.from_sent), 1);
        let counts = record.counts;
        assert_eq!(
            (counts.sent, counts.answered, counts.unanswered()),
            (10_000, 10_000, 0)
        );
    }

    #[test]
    fn messages_that_nobody_answered_count_with_the_time_that_was_waited() {
        let plan = example(1, 1, Pace::Open(1.0));
        let window = Window::new(0, &plan);
        for (now, waited) in [(Some(5 * SECOND), 2), (None, 0)] {
            let (mut record, mut flight) = (Record::new(&plan).unwrap(), Flight::default());
            let sent = Sent {
                due: SECOND,
                at: SECOND,
            };
            flight.send(sent.due, sent.at);
            record.send(&window, sent);
            flight.release(2 * SECOND);
            record.give_up(&window, &mut flight, now);
            let counts = record.counts;
            assert_eq!((counts.sent, counts.unanswered(), counts.unsent), (1, 1, 1));
            assert_eq!(record.from_due.count(), waited);
            let longest = now.map(|now| Duration::from_nanos(now - SECOND));
            assert_eq!(
                record.from_due.max().map(|max| max.as_secs()),
                longest.map(|time| time.as_secs())
            );
        }
    }

    #[test]
    fn an_answer_of_another_length_is_wrong() {
        let plan = example(1, 1, Pace::Closed(1));
        let mut record = Record::new(&plan).unwrap();
        let window = Window::new(0, &plan);
        let sent = Sent { due: 1, at: 1 };
        record.send(&window, sent);
        record.answer(&window, sent, 2, (124, 125));
        assert_eq!((record.counts.answered, record.counts.wrong), (1, 1));
        let (kind, trouble) = record.troubles.iter().next().unwrap();
        assert_eq!(
            (kind, &trouble.first[..]),
            (Kind::Wrong, "124 bytes instead of 125")
        );
    }

    #[test]
    fn what_is_due_outside_of_the_window_counts_nowhere() {
        let plan = Plan {
            warm_up: Duration::from_secs(1),
            ..example(1, 1, Pace::Closed(1))
        };
        let mut record = Record::new(&plan).unwrap();
        let window = Window::new(0, &plan);
        let sent = Sent { due: 0, at: 0 };
        record.send(&window, sent);
        record.answer(&window, sent, 10, (125, 125));
        assert_eq!(record.counts, Counts::default());
        assert_eq!(record.from_due.count(), 0);
    }

    #[test]
    fn slices_cover_the_time_and_threads_add_up() {
        let plan = Plan {
            duration: Duration::from_millis(250),
            ..example(2, 2, Pace::Closed(1))
        };
        let window = Window::new(0, &plan);
        let mut records = [Record::new(&plan).unwrap(), Record::new(&plan).unwrap()];
        for record in &mut records {
            for now in [0, 99, 100, 249, 250] {
                let sent = Sent { due: 0, at: 0 };
                record.answer(&window, sent, now * MILLISECOND, (10, 10));
            }
        }
        let [mut record, other] = records;
        record.merge(other).unwrap();
        let slices = |time| {
            let slices = record.slices.until(Duration::from_millis(time));
            slices
                .map(|(start, length, slice)| {
                    (start.as_millis(), length.as_millis(), slice.answers)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(slices(250), [(0, 100, 4), (100, 100, 2), (200, 50, 2)]);
        assert_eq!(slices(120), [(0, 100, 4), (100, 20, 2)]);
        assert_eq!(slices(0), []);
    }
}
