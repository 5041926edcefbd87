//! When a Ping is due, and when a Pong was: the plan of a keep-alive, without a clock of its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::sides::{WriteSide, is_blocked, now as done};
use crate::connection::Inbound;
use crate::deadline::after;
use crate::error::{Error, ErrorKind};
use crate::frame::{Opcode, Rsv};

/// The Pings of a connection that were sent, and those that no Pong has answered.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    /// The number of the last Ping.
    number: u64,
    /// The number of the last Ping that a Pong answered.
    answered: u64,
    /// The Pings without a Pong, and when they were sent, the oldest first.
    unanswered: VecDeque<(u64, Instant)>,
}

/// What a keep-alive does next.
#[derive(Debug)]
pub(crate) enum NextBeat<End> {
    End(End),
    Ping,
    Wait(Instant),
}

/// The rhythm of one keep-alive.
#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Duration,
    pong_deadline: Duration,
    due: Instant,
}

/// A Ping had no Pong in time.
#[derive(Debug)]
pub(crate) struct NoPong;

impl Pulse {
    /// Begins a keep-alive, whose first Ping is due after one interval. Fails for an interval of 0.
    pub(crate) fn begin(
        interval: Duration,
        pong_deadline: Duration,
        now: Instant,
    ) -> Result<Self, Error> {
        if interval.is_zero() {
            return Err(ErrorKind::Config("keep-alive interval of 0").into());
        }
        Ok(Self {
            interval,
            pong_deadline,
            due: after(now, interval),
        })
    }

    /// Records that a Ping is being sent: the next one is due after one more interval.
    pub(crate) fn beat(&mut self, now: Instant) {
        self.due = after(now, self.interval);
    }
}

impl Pings {
    /// Returns the number of a Ping to send now.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Records that a Ping was sent. Its Pong may already have arrived.
    pub(crate) fn sent(&mut self, number: u64, now: Instant) {
        if number > self.answered && self.unanswered.len() < MAX_UNANSWERED {
            self.unanswered.push_back((number, now));
        }
    }

    /// Records a Pong. It answers the Pings before its own too (RFC 6455 5.5.3); one that answers no Ping of ours
    /// changes nothing.
    pub(crate) fn answered(&mut self, number: u64) {
        if number <= self.number {
            self.unanswered.retain(|&(ping, _)| ping > number);
            self.answered = self.answered.max(number);
        }
    }

    /// Forgets the deadlines of an earlier keep-alive.
    pub(crate) fn forget(&mut self) {
        self.unanswered.clear();
    }

    /// Returns when the Pong of the oldest Ping is due that has none.
    fn deadline(&self, pulse: &Pulse) -> Option<Instant> {
        let oldest = self.unanswered.front();
        oldest.map(|&(_, sent)| after(sent, pulse.pong_deadline))
    }

    pub(crate) fn next(&self, pulse: &Pulse, now: Instant) -> NextBeat<NoPong> {
        let deadline = self.deadline(pulse);
        if deadline.is_some_and(|deadline| now >= deadline) {
            return NextBeat::End(NoPong);
        }
        if now >= pulse.due {
            return NextBeat::Ping;
        }
        NextBeat::Wait(deadline.map_or(pulse.due, |deadline| deadline.min(pulse.due)))
    }
}

/// How many Pings without a Pong have a deadline. Those after them have none.
const MAX_UNANSWERED: usize = 64;

/// The keep-alive of a connection that is not split, driven by the reads that have to wait.
#[derive(Debug)]
pub(crate) struct KeepAlivePlan {
    pulse: Pulse,
    pings: Pings,
    /// Since when a Ping has waited for a stream that takes nothing or has failed, and how many bytes waited before it.
    waits_since: Option<(Instant, usize)>,
}

impl KeepAlivePlan {
    /// As [`Pulse::begin`].
    pub(crate) fn begin(
        interval: Duration,
        pong_deadline: Duration,
        now: Instant,
    ) -> Result<Self, Error> {
        Ok(Self {
            pulse: Pulse::begin(interval, pong_deadline, now)?,
            pings: Pings::default(),
            waits_since: None,
        })
    }

    /// Returns when to [`beat`](Self::beat) first.
    pub(crate) fn first(&self) -> Instant {
        self.pulse.due
    }

    /// Returns whether a Ping waits for the stream to take it.
    #[cfg(feature = "tokio")]
    pub(crate) fn waits(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Does what is due, once all that has arrived was read. Returns when something will be due next; `None` where no
    /// Ping can be sent any more, and none is out.
    ///
    /// # Errors
    /// [`ErrorKind::NoPong`]: also where the stream has taken nothing before a Ping, or has failed to, for as long as
    /// its Pong may take.
    pub(crate) fn beat(
        &mut self,
        inbound: &mut Inbound,
        side: &mut impl WriteSide,
        now: Instant,
    ) -> Result<Option<Instant>, Error> {
        self.pings.answered(inbound.pongs().answered);
        loop {
            match self.pings.next(&self.pulse, now) {
                NextBeat::Wait(until) => return Ok(Some(until)),
                NextBeat::End(NoPong) => return Err(ErrorKind::NoPong.into()),
                NextBeat::Ping => {}
            }
            let number = inbound.pongs().sent + 1;
            let payload = number.to_be_bytes();
            let ping = side.poll_send(|outbound| {
                outbound.stage_frame(true, Rsv::NONE, Opcode::Ping, &payload)
            });
            let waits = is_blocked(&ping);
            let failed = !waits && done(ping).and_then(|()| side.flush_staged()).is_err();
            // After a Close frame nothing can be sent. The Pings that are out still have their deadline.
            if failed && side.outbound().failure().is_none() {
                return Ok(self.pings.deadline(&self.pulse));
            }
            if waits || failed {
                let buffered = side.outbound().buffered();
                let waits_since = self.waits_since.filter(|&(_, before)| before == buffered);
                let (since, _) = *self
                    .waits_since
                    .insert(waits_since.unwrap_or((now, buffered)));
                let until = after(since, self.pulse.pong_deadline);
                if now >= until {
                    return Err(ErrorKind::NoPong.into());
                }
                let deadline = self.pings.deadline(&self.pulse);
                return Ok(Some(deadline.map_or(until, |deadline| deadline.min(until))));
            }
            self.waits_since = None;
            inbound.pongs().sent = number;
            self.pings.number = number;
            self.pings.sent(number, now);
            self.pulse.beat(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Outbound, open};
    use crate::pool::{BufferPool, Buffers};
    use crate::protocol::Role;

    const INTERVAL: Duration = Duration::from_secs(10);
    const DEADLINE: Duration = Duration::from_secs(4);
    const HOURS: Duration = Duration::from_secs(5 * 60 * 60);
    const MOMENT: Duration = Duration::from_millis(1);

    /// A server's end with a keep-alive, and the clock that it is told of.
    struct End {
        plan: KeepAlivePlan,
        inbound: Inbound,
        side: Side,
        now: Instant,
    }

    /// A sending side whose stream takes everything.
    struct Side {
        outbound: Outbound,
        stream: Vec<u8>,
    }

    impl WriteSide for Side {
        type Stream = Vec<u8>;

        fn parts(&mut self) -> (&mut Outbound, &mut Vec<u8>) {
            (&mut self.outbound, &mut self.stream)
        }
    }

    impl End {
        fn new() -> Self {
            let (config, pool) = (Config::default(), BufferPool::per_thread());
            let opened = open(&[], Role::Server, &config, Buffers::Pooled(pool));
            let (inbound, outbound) = opened.unwrap();
            let now = Instant::now();
            Self {
                plan: KeepAlivePlan::begin(INTERVAL, DEADLINE, now).unwrap(),
                inbound,
                side: Side {
                    outbound,
                    stream: Vec::new(),
                },
                now,
            }
        }

        /// Beats after this time. Returns for how long it waits then.
        fn beat_after(&mut self, time: Duration) -> Result<Duration, Error> {
            self.now += time;
            let Self {
                plan,
                inbound,
                side,
                now,
            } = self;
            let next = plan.beat(inbound, side, *now)?;
            Ok(next.expect("the connection is open") - *now)
        }

        /// Reads a Pong for all Pings that were sent.
        fn read_pong(&mut self) {
            self.inbound.pongs().answered = self.inbound.pongs().sent;
        }

        /// Returns the numbers of the Pings that were sent: each is a header of two bytes, and its number.
        fn pings(&self) -> Vec<u64> {
            let (pings, rest) = self.side.stream.as_chunks::<10>();
            assert!(rest.is_empty());
            let number = |ping: &[u8; 10]| {
                assert_eq!(ping[..2], [0x89, 8]);
                u64::from_be_bytes(ping[2..].try_into().unwrap())
            };
            pings.iter().map(number).collect()
        }
    }

    fn is_no_pong<T>(result: Result<T, Error>) -> bool {
        result.is_err_and(|error| matches!(error.kind(), ErrorKind::NoPong))
    }

    #[test]
    fn after_a_jump_one_ping_stands_for_all_that_were_missed_and_its_pong_has_the_whole_deadline() {
        let mut end = End::new();
        for jumps in 1..=3 {
            assert_eq!(end.beat_after(HOURS).unwrap(), DEADLINE);
            assert_eq!(
                end.beat_after(DEADLINE.saturating_sub(MOMENT)).unwrap(),
                MOMENT
            );
            end.read_pong();
            assert_eq!(
                end.beat_after(MOMENT).unwrap(),
                INTERVAL.saturating_sub(DEADLINE)
            );
            assert_eq!(end.pings().len(), jumps);
        }
        end.beat_after(HOURS).unwrap();
        assert!(is_no_pong(end.beat_after(DEADLINE)));
        assert_eq!(end.pings(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_pong_that_is_read_after_the_jump_is_not_late() {
        let mut end = End::new();
        end.beat_after(INTERVAL).unwrap();
        end.now += HOURS;
        end.read_pong();
        assert_eq!(end.beat_after(Duration::ZERO).unwrap(), DEADLINE);
        assert_eq!(end.pings(), [1, 2]);
    }

    #[test]
    fn a_pong_that_is_not_there_after_the_jump_is_overdue() {
        let mut end = End::new();
        end.beat_after(INTERVAL).unwrap();
        assert!(is_no_pong(end.beat_after(HOURS)));
        assert_eq!(end.pings(), [1]);
    }

    #[test]
    fn while_the_clock_stands_still_nothing_is_due() {
        let mut end = End::new();
        for _ in 0..3 {
            assert_eq!(end.beat_after(Duration::ZERO).unwrap(), INTERVAL);
        }
        assert_eq!(end.pings(), [0; 0]);
        end.beat_after(INTERVAL).unwrap();
        for _ in 0..3 {
            assert_eq!(end.beat_after(Duration::ZERO).unwrap(), DEADLINE);
        }
        end.read_pong();
        for _ in 0..3 {
            assert_eq!(end.beat_after(Duration::ZERO).unwrap(), INTERVAL);
        }
        assert_eq!(end.pings(), [1]);
    }
}
