//! The messages of one connection that have no answer yet.

use std::collections::VecDeque;

/// The messages of one connection that have no answer yet, the oldest first. Times are nanoseconds of the run's clock.
///
/// Takes 8 bytes for each message that is due and 16 for each that was sent.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// When the messages were due that are not sent yet.
    waiting: VecDeque<u64>,
    sent: VecDeque<Sent>,
}

/// When a message was due, and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) due: u64,
    pub(crate) at: u64,
}

impl Flight {
    /// Adds a message that is due.
    pub(crate) fn release(&mut self, due: u64) {
        self.waiting.push_back(due);
    }

    /// Takes the next message that is to be sent, and returns when it was due.
    pub(crate) fn next_to_send(&mut self) -> Option<u64> {
        self.waiting.pop_front()
    }

    /// Notes that a message is sent.
    pub(crate) fn send(&mut self, due: u64, at: u64) {
        self.sent.push_back(Sent { due, at });
    }

    /// Takes the message that an answer belongs to: answers come in order.
    pub(crate) fn answer(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// Returns whether a message is to be sent.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the messages that are not sent yet, and returns when they were due.
    pub(crate) fn take_waiting(&mut self) -> Vec<u64> {
        self.waiting.drain(..).collect()
    }

    /// Takes the messages that were sent.
    pub(crate) fn take_sent(&mut self) -> Vec<Sent> {
        self.sent.drain(..).collect()
    }

    /// Returns when the oldest message was sent. One that is not sent yet keeps no answer waiting.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.sent.front().map(|sent| sent.at)
    }

    /// Returns whether each message has its answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Flight, Sent};

    #[test]
    fn answers_are_those_of_the_oldest_messages() {
        let mut flight = Flight::default();
        assert_eq!((flight.answer(), flight.oldest()), (None, None));
        for due in [10, 20, 30] {
            flight.release(due);
        }
        assert_eq!(flight.oldest(), None);
        for at in [15, 25] {
            let due = flight.next_to_send().unwrap();
            flight.send(due, at);
        }
        assert_eq!(flight.answer(), Some(Sent { due: 10, at: 15 }));
        assert_eq!(flight.oldest(), Some(25));
        assert_eq!(flight.take_sent(), [Sent { due: 20, at: 25 }]);
        assert_eq!(flight.take_waiting(), [30]);
        assert!(flight.is_empty());
    }
}
