//! What an end has sent, and whether that is what the other has received.

use framewire::Opcode;

/// A message: Text or Binary, and its bytes.
pub type Message = (Opcode, Vec<u8>);

/// The messages that were sent, in order.
#[derive(Debug, Default)]
pub struct Ledger(Vec<(Message, Certainty)>);

/// Whether a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The call said so.
    Sent,
    /// The call was dropped while it waited: it has taken the message whole or not at all.
    Maybe,
}

impl Ledger {
    pub fn note(&mut self, message: Message, certainty: Certainty) {
        self.0.push((message, certainty));
    }

    /// Checks that what was received is what was sent, from its beginning on. Returns whether it is all of it.
    pub fn check(&self, received: &[Message]) -> bool {
        // The numbers of messages sent that may have been received so far.
        let mut may_be = self.after(vec![0]);
        for message in received {
            let next = may_be.iter().copied();
            let next = next.filter(|&at| self.0.get(at).is_some_and(|(sent, _)| sent == message));
            may_be = self.after(next.map(|at| at + 1).collect());
            assert!(
                !may_be.is_empty(),
                "received {received:x?}, sent {:x?}",
                self.0
            );
        }
        may_be.contains(&self.0.len())
    }

    /// Adds what comes of passing over messages that were maybe sent.
    fn after(&self, mut places: Vec<usize>) -> Vec<usize> {
        let mut n = 0;
        while let Some(&at) = places.get(n) {
            let is_maybe = matches!(self.0.get(at), Some((_, Certainty::Maybe)));
            if is_maybe && !places.contains(&(at + 1)) {
                places.push(at + 1);
            }
            n += 1;
        }
        places
    }
}
