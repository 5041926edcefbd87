//! A connection before it is open, and by when it has to be.

use std::time::Instant;

use crate::serve::TIME;
use crate::serve::places::Place;
use crate::serve::request::{Lack, Reception, Refusal};

/// TLS, where the server has it, and then the request.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) place: Place,
    pub(super) reception: Reception,
    /// Whether TLS is still to be agreed on: by a deadline of its own.
    securing: bool,
    pub(super) deadline: Instant,
}

impl Handshake {
    pub(super) fn new(place: Place, securing: bool) -> Self {
        Self {
            place,
            reception: Reception::new(),
            securing,
            deadline: Instant::now() + TIME,
        }
    }

    /// Takes note of how far TLS is: the time for the request begins after it.
    pub(super) fn note_securing(&mut self, securing: bool) {
        if self.securing && !securing {
            self.securing = false;
            self.deadline = Instant::now() + TIME;
        }
    }

    /// What to do when no request comes.
    pub(super) fn fail(&self, lack: &Lack) -> Refusal {
        Refusal::without_request(lack, self.securing)
    }

    /// What to do when the time is over.
    pub(super) fn expire(&self) -> Refusal {
        if self.securing {
            return self.fail(&Lack::Late);
        }
        self.reception.expire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_the_request_begins_after_tls() {
        let mut handshake = Handshake::new(Place::Open, true);
        let first = handshake.deadline;
        handshake.note_securing(true);
        assert_eq!(handshake.deadline, first);
        assert!(handshake.expire().why.contains("tls"));
        handshake.note_securing(false);
        assert!(handshake.deadline > first);
        let second = handshake.deadline;
        handshake.note_securing(false);
        assert_eq!(handshake.deadline, second);
    }
}
