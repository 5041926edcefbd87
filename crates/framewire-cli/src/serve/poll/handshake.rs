//! A connection before it is open, and its deadlines.

use std::time::Instant;

use crate::serve::request::{NoRequest, Reception, Refusal};
use crate::serve::server::TIME;
use crate::serve::slots::Slot;

/// The handshake of a connection: TLS if the server has it, and then the request.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) slot: Slot,
    pub(super) reception: Reception,
    /// Whether the TLS handshake is under way. It has a deadline of its own.
    securing: bool,
    pub(super) deadline: Instant,
}

impl Handshake {
    pub(super) fn new(slot: Slot, securing: bool) -> Self {
        Self {
            slot,
            reception: Reception::new(),
            securing,
            deadline: Instant::now() + TIME,
        }
    }

    /// Records whether TLS is still under way. When it is done, the time for the request begins.
    pub(super) fn record_securing(&mut self, securing: bool) {
        if self.securing && !securing {
            self.securing = false;
            self.deadline = Instant::now() + TIME;
        }
    }

    /// Returns how to refuse a connection on which no request came.
    pub(super) fn fail(&self, reason: &NoRequest) -> Refusal {
        Refusal::without_request(reason, self.securing)
    }

    /// Returns how to refuse a connection whose time is over.
    pub(super) fn expire(&self) -> Refusal {
        if self.securing {
            return self.fail(&NoRequest::Late);
        }
        self.reception.expire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_the_request_begins_after_tls() {
        let mut handshake = Handshake::new(Slot::Open, true);
        let first = handshake.deadline;
        handshake.record_securing(true);
        assert_eq!(handshake.deadline, first);
        assert!(handshake.expire().why.contains("tls"));
        handshake.record_securing(false);
        assert!(handshake.deadline > first);
        let second = handshake.deadline;
        handshake.record_securing(false);
        assert_eq!(handshake.deadline, second);
    }
}
