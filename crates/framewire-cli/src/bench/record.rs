//! What is measured: by each thread for itself, and then together.

use std::time::Duration;

use super::content::Difference;
use super::flight::{Flight, Sent};
use super::latencies::Latencies;
use super::plan::{Pace, Plan, Window, nanos};
use super::trouble::{Kind, Troubles};

/// What is measured.
#[derive(Debug)]
pub(crate) struct Record {
    /// From when a message was due to its answer.
    pub(crate) from_due: Latencies,
    /// From when a message was sent to its answer.
    pub(crate) from_sent: Latencies,
    /// How long after it was due a message was sent, or given up, while the connection would have taken it.
    pub(crate) lateness: Latencies,
    /// How long it took to connect, with TLS and the handshake.
    pub(crate) connecting: Latencies,
    pub(crate) counts: Counts,
    pub(crate) slices: Slices,
    pub(crate) troubles: Troubles,
    pace: Pace,
    /// The messages of `from_sent` that were under way when the measurement began or ended, where each message waits
    /// for the answer to the last: as many as are under way at a time, twice.
    crossing: Vec<Span>,
}

/// From when a message was sent to its answer, or to when it was given up.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

/// How many messages there were: of those that were due while it was measured and, where each message waits for the
/// answer to the last, of those that were under way when that began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    /// Of those sent.
    pub(crate) answered: u64,
    /// Of those answered: the answers that were wrong.
    pub(crate) wrong: u64,
    /// Messages that were due and never sent.
    pub(crate) unsent: u64,
    /// Of those unsent: the connection would have taken them, but the bench had no time.
    pub(crate) missed: u64,
    /// Of those unsent: their thread had no connection any more.
    pub(crate) unconnected: u64,
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

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) now: u64,
    /// The connection ended before its time.
    pub(crate) is_lost: bool,
    /// From when on the connection would have taken another message; `None` if it takes none.
    pub(crate) free: Option<u64>,
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
            pace: plan.pace,
            crossing: Vec::new(),
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

    /// Notes an answer of `bytes` bytes, and how it differs from its message.
    pub(crate) fn answer(
        &mut self,
        window: &Window,
        sent: Sent,
        now: u64,
        bytes: usize,
        difference: Option<Difference>,
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
        if let Some(difference) = difference {
            self.troubles.add(Kind::Wrong, difference);
        }
        if self.counts(window, sent.due, now) {
            self.counts.sent += u64::from(!window.contains(sent.due));
            self.counts.answered += 1;
            self.counts.wrong += u64::from(difference.is_some());
            self.record(window, sent, now);
        }
    }

    /// Notes that no answer is waited for any more. Those who would have had to wait longer still count with the time
    /// up to now, unless the connection is lost: then nobody would have waited.
    pub(crate) fn give_up(&mut self, window: &Window, flight: &mut Flight, ending: Ending) {
        let Ending { now, is_lost, .. } = ending;
        for sent in flight.take_sent() {
            if self.counts(window, sent.due, now) {
                self.counts.sent += u64::from(!window.contains(sent.due));
                if !is_lost {
                    self.record(window, sent, now);
                }
            }
        }
        self.give_up_waiting(window, flight, ending);
    }

    /// Notes that what is not sent yet never will be.
    pub(crate) fn give_up_waiting(&mut self, window: &Window, flight: &mut Flight, ending: Ending) {
        let Ending { now, is_lost, free } = ending;
        for due in flight.take_waiting() {
            if !self.counts(window, due, now) {
                continue;
            }
            self.counts.unsent += 1;
            if is_lost {
                continue;
            }
            self.from_due.record(now.saturating_sub(due));
            if let Some(free) = free {
                self.counts.missed += 1;
                self.late(window, due.max(free), now);
            }
        }
    }

    /// Returns the latencies, corrected for coordinated omission.
    ///
    /// Where each message waits for the answer to the last, a server that stands still is asked nothing. Here it is
    /// asked once in a median latency for as long as the window lasts, and no longer: what waited before the window
    /// counts from its beginning.
    pub(crate) fn corrected(&self, window: &Window) -> Latencies {
        if let Pace::Open(_) = self.pace {
            return self.from_due.clone();
        }
        let interval = self.from_sent.quantile(0.5).map_or(1, nanos).max(1);
        let spans = self.crossing.iter();
        let rest = self
            .from_sent
            .without(spans.map(|span| span.to.saturating_sub(span.from)));
        let mut corrected = rest.corrected(interval);
        for span in &self.crossing {
            let from = span.from.max(window.from);
            let mut left = span.to.saturating_sub(from);
            if left < interval {
                // Nobody else would have waited in the window.
                corrected.record(span.to.saturating_sub(span.from));
                continue;
            }
            corrected.record(left);
            let mut due = from.saturating_add(interval);
            left -= interval;
            while left >= interval && due < window.to {
                corrected.record(left);
                due += interval;
                left -= interval;
            }
        }
        corrected
    }

    /// Returns whether a message counts that has its answer, or is given up, now.
    fn counts(&self, window: &Window, due: u64, now: u64) -> bool {
        match self.pace {
            // What waits since the warm-up keeps others from being sent.
            Pace::Closed(_) => due < window.to && now >= window.from,
            Pace::Open(_) => window.contains(due),
        }
    }

    /// Records how long a message took that counts.
    fn record(&mut self, window: &Window, sent: Sent, now: u64) {
        self.from_due.record(now.saturating_sub(sent.due));
        self.from_sent.record(now.saturating_sub(sent.at));
        let is_closed = matches!(self.pace, Pace::Closed(_));
        if is_closed && (sent.at < window.from || now > window.to) {
            self.crossing.push(Span {
                from: sent.at,
                to: now,
            });
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
        self.crossing.extend(other.crossing);
        self.slices.merge(&other.slices)
    }
}

impl Counts {
    /// Returns how many messages were sent and not answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.sent - self.answered
    }

    /// Returns how many messages were due and never sent, by reason.
    pub(crate) fn unsent_by_reason(&self) -> [(u64, &'static str); 3] {
        let refused = self.unsent - self.missed - self.unconnected;
        [
            (refused, "the server took no more"),
            (self.missed, "the bench had no time"),
            (self.unconnected, "no connection was left for them"),
        ]
    }

    /// Notes how many messages were due on a thread that had no connection.
    pub(crate) fn lack_connection(&mut self, messages: u64) {
        self.unsent += messages;
        self.unconnected += messages;
    }

    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.wrong += other.wrong;
        self.unsent += other.unsent;
        self.missed += other.missed;
        self.unconnected += other.unconnected;
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
    use crate::bench::plan::{Schedule, example};

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
            record.answer(&window, sent, now, 125, None);
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
        for (is_lost, waited) in [(false, 2), (true, 0)] {
            let (mut record, mut flight) = (Record::new(&plan).unwrap(), Flight::default());
            let sent = Sent {
                due: SECOND,
                at: 3 * SECOND,
            };
            flight.send(sent.due, sent.at);
            record.send(&window, sent);
            flight.release(2 * SECOND);
            let now = 5 * SECOND;
            let free = None;
            record.give_up(&window, &mut flight, Ending { now, is_lost, free });
            let counts = record.counts;
            assert_eq!((counts.sent, counts.unanswered(), counts.unsent), (1, 1, 1));
            assert_eq!(record.from_due.count(), waited);
            // From when it was due, and from when it was sent.
            let longest = [&record.from_due, &record.from_sent].map(Latencies::max);
            let expected = [4, 2].map(|seconds| (!is_lost).then_some(seconds));
            assert_eq!(longest.map(|max| max.map(|max| max.as_secs())), expected);
        }
    }

    #[test]
    fn what_the_bench_had_no_time_for_is_no_failure_of_the_server() {
        let plan = example(1, 1, Pace::Open(1.0));
        let window = Window::new(0, &plan);
        let now = 9 * SECOND;
        // The connection takes nothing; it took nothing until the third second; it is lost.
        for (free, is_lost, missed, late) in [
            (None, false, 0, &[][..]),
            (Some(3 * SECOND), false, 2, &[5, 6]),
            (Some(3 * SECOND), true, 0, &[]),
        ] {
            let (mut record, mut flight) = (Record::new(&plan).unwrap(), Flight::default());
            flight.release(SECOND);
            flight.release(4 * SECOND);
            record.give_up(&window, &mut flight, Ending { now, is_lost, free });
            assert_eq!((record.counts.unsent, record.counts.missed), (2, missed));
            let seconds = |(nanos, _)| (nanos + SECOND / 10) / SECOND;
            let told: Vec<_> = record.lateness.values().map(seconds).collect();
            assert_eq!(told, late);
        }
    }

    /// What is recorded of a connection with one message under way, from when on a message is sent at 0, of a server
    /// that answers after a millisecond, but stands still from one time to another: at the time of an answer.
    fn closed(plan: &Plan, stall: std::ops::Range<u64>) -> Record {
        let (window, mut record) = (Window::new(0, plan), Record::new(plan).unwrap());
        let mut at = 0;
        while at < window.to {
            let sent = Sent { due: at, at };
            record.send(&window, sent);
            at += MILLISECOND;
            if stall.contains(&at) {
                at = stall.end;
            }
            record.answer(&window, sent, at, 125, None);
        }
        record
    }

    fn seconds(latencies: &Latencies, share: f64) -> f64 {
        latencies.quantile(share).unwrap().as_secs_f64()
    }

    #[test]
    fn a_stall_that_outlasts_the_window_counts_for_those_who_were_due_in_it() {
        let plan = example(1, 1, Pace::Closed(1));
        let record = closed(&plan, 9 * SECOND..30 * SECOND);
        let corrected = record.corrected(&Window::new(0, &plan));
        // One in ten was due in the last second of the window, and waited for 20 s and more.
        assert!(
            (9_990..=10_010).contains(&corrected.count()),
            "{corrected:?}"
        );
        assert!(seconds(&corrected, 0.5) < 0.002);
        assert!(seconds(&corrected, 0.89) < 0.002);
        assert!((19.9..20.2).contains(&seconds(&corrected, 0.91)));
        assert!((20.9..21.1).contains(&seconds(&corrected, 1.0)));
    }

    #[test]
    fn a_stall_that_begins_in_the_warm_up_counts_for_those_who_were_due_in_the_window() {
        let plan = Plan {
            warm_up: Duration::from_secs(1),
            ..example(1, 1, Pace::Closed(1))
        };
        let record = closed(&plan, SECOND / 2..3 * SECOND);
        let corrected = record.corrected(&Window::new(0, &plan));
        // Two in ten were due in the first two seconds of the window.
        assert!(
            (9_990..=10_010).contains(&corrected.count()),
            "{corrected:?}"
        );
        assert!((0.99..1.01).contains(&seconds(&corrected, 0.9)));
        assert!((1.99..2.01).contains(&seconds(&corrected, 1.0)));
        let counts = record.counts;
        assert_eq!((counts.answered, counts.unanswered()), (8_001, 0));
        assert_eq!(record.from_sent.count(), 8_001);
    }

    #[test]
    fn without_a_stall_nothing_is_corrected() {
        let plan = Plan {
            warm_up: Duration::from_micros(1_500),
            ..example(1, 1, Pace::Closed(1))
        };
        let record = closed(&plan, 0..0);
        let corrected = record.corrected(&Window::new(0, &plan));
        let of = |latencies: &Latencies| latencies.values().collect::<Vec<_>>();
        assert_eq!(of(&corrected), of(&record.from_sent));
    }

    #[test]
    fn a_message_of_the_warm_up_that_nobody_answered_counts() {
        let plan = Plan {
            warm_up: Duration::from_secs(1),
            ..example(1, 1, Pace::Closed(1))
        };
        let window = Window::new(0, &plan);
        for (ended, is_lost, counted, recorded) in [
            (SECOND / 2, false, 0, 0),
            (5 * SECOND, true, 1, 0),
            (5 * SECOND, false, 1, 1),
        ] {
            let (mut record, mut flight) = (Record::new(&plan).unwrap(), Flight::default());
            let sent = Sent { due: 10, at: 20 };
            flight.send(sent.due, sent.at);
            record.send(&window, sent);
            let ending = Ending {
                now: ended,
                is_lost,
                free: None,
            };
            record.give_up(&window, &mut flight, ending);
            assert_eq!(record.counts.unanswered(), counted, "{ending:?}");
            let corrected = record.corrected(&window);
            assert_eq!(corrected.count(), recorded, "{ending:?}");
        }
    }

    #[test]
    fn an_answer_that_differs_is_wrong() {
        let plan = example(1, 1, Pace::Closed(1));
        let mut record = Record::new(&plan).unwrap();
        let window = Window::new(0, &plan);
        let sent = Sent { due: 1, at: 1 };
        record.send(&window, sent);
        let (bytes, expected) = (124, 125);
        let difference = Difference::Length { bytes, expected };
        record.answer(&window, sent, 2, bytes, Some(difference));
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
        record.answer(&window, sent, 10, 125, None);
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
                record.answer(&window, sent, now * MILLISECOND, 10, None);
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
