//! The number of connections that a server may have, and which handshake ends first when there are too many.

use std::collections::BTreeMap;

/// The slots of one server: some for handshakes, others for open connections.
///
/// An `H` is the handle that ends a handshake.
#[derive(Debug)]
pub(crate) struct Slots<H> {
    max_open: usize,
    open: usize,
    /// How many connections have not left, including those that have lost their slot.
    present: usize,
    next_number: u64,
    /// By age, since numbers only grow.
    handshakes: BTreeMap<u64, H>,
}

/// The slot of one connection, until [`Slots::leave`].
#[derive(Debug)]
pub(crate) enum Slot {
    /// A handshake, by its number. It may have lost the slot to another.
    Handshake(u64),
    Open,
}

impl<H> Slots<H> {
    pub(crate) fn new(max_open: usize) -> Self {
        Self {
            max_open,
            open: 0,
            present: 0,
            next_number: 0,
            handshakes: BTreeMap::new(),
        }
    }

    /// Takes a slot for another handshake. If all were taken, also returns the handshake that must be ended for
    /// it.
    pub(crate) fn begin(&mut self, handshake: H) -> (Slot, Option<H>) {
        let oldest = if self.handshakes.len() == MAX_HANDSHAKES {
            self.take_oldest_handshake()
        } else {
            None
        };
        self.present += 1;
        let number = self.next_number;
        self.next_number += 1;
        self.handshakes.insert(number, handshake);
        (Slot::Handshake(number), oldest)
    }

    /// Exchanges a handshake's slot for one of an open connection, if one is free.
    pub(crate) fn open(&mut self, slot: &mut Slot) -> bool {
        if let Slot::Handshake(number) = *slot {
            if self.open == self.max_open {
                return false;
            }
            self.handshakes.remove(&number);
            self.open += 1;
            *slot = Slot::Open;
        }
        true
    }

    pub(crate) fn leave(&mut self, slot: &Slot) {
        self.present -= 1;
        match slot {
            Slot::Handshake(number) => drop(self.handshakes.remove(number)),
            Slot::Open => self.open -= 1,
        }
    }

    /// Takes the slot of the oldest handshake, and returns the handshake to be ended.
    pub(crate) fn take_oldest_handshake(&mut self) -> Option<H> {
        self.handshakes.pop_first().map(|(_, handshake)| handshake)
    }

    /// Returns whether a handshake has lost its slot to another.
    pub(crate) fn has_lost(&self, slot: &Slot) -> bool {
        matches!(slot, Slot::Handshake(number) if !self.handshakes.contains_key(number))
    }

    /// Returns whether all connections have left.
    pub(crate) fn is_empty(&self) -> bool {
        self.present == 0
    }
}

/// The most handshakes at a time. One more ends the oldest, so that peers that send half a request and wait
/// keep no other out.
const MAX_HANDSHAKES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handshake_more_ends_the_oldest() {
        let mut slots = Slots::new(1);
        for number in 0..MAX_HANDSHAKES {
            assert_eq!(slots.begin(number).1, None);
        }
        assert_eq!(slots.begin(MAX_HANDSHAKES).1, Some(0));
        // A connection that leaves makes room.
        slots.leave(&Slot::Handshake(5));
        assert_eq!(slots.begin(MAX_HANDSHAKES + 1).1, None);
        assert_eq!(slots.begin(MAX_HANDSHAKES + 2).1, Some(1));
    }

    #[test]
    fn a_handshake_that_lost_its_place_is_there_until_it_leaves() {
        let mut slots = Slots::new(1);
        let (slot, _) = slots.begin(());
        assert!(!slots.has_lost(&slot));
        slots.take_oldest_handshake();
        assert!(slots.has_lost(&slot));
        assert!(!slots.is_empty());
        slots.leave(&slot);
        assert!(slots.is_empty());
    }

    #[test]
    fn open_connections_are_counted_until_they_leave() {
        let mut slots = Slots::new(1);
        let (mut first, _) = slots.begin(());
        let (mut second, _) = slots.begin(());
        assert!(slots.open(&mut first));
        assert!(!slots.open(&mut second));
        // A connection that got no slot takes none from others when it leaves.
        slots.leave(&second);
        assert!(!slots.is_empty());
        slots.leave(&first);
        assert!(slots.is_empty());
        let (mut third, _) = slots.begin(());
        assert!(slots.open(&mut third));
        assert!(slots.take_oldest_handshake().is_none());
    }
}
