//! How many connections there may be, and which goes first when there are too many.

use std::collections::BTreeMap;

/// The places of one server: some for handshakes, others for connections that are open.
///
/// `H` is what a handshake is ended by.
#[derive(Debug)]
pub(crate) struct Places<H> {
    max_open: usize,
    open: usize,
    /// How many have not left: those that lost their place, too.
    present: usize,
    next_number: u64,
    /// By age: numbers only grow.
    handshakes: BTreeMap<u64, H>,
}

/// What one connection has of them, until [`Places::leave`].
#[derive(Debug)]
pub(crate) enum Place {
    /// Before its handshake's end, by its number. It may have lost it to another.
    Handshake(u64),
    Open,
}

impl<H> Places<H> {
    pub(crate) fn new(max_open: usize) -> Self {
        Self {
            max_open,
            open: 0,
            present: 0,
            next_number: 0,
            handshakes: BTreeMap::new(),
        }
    }

    /// A place for another handshake, and the one that has to be ended for it, if all were taken.
    pub(crate) fn begin(&mut self, handshake: H) -> (Place, Option<H>) {
        let oldest = if self.handshakes.len() == MAX_HANDSHAKES {
            self.take_oldest_handshake()
        } else {
            None
        };
        self.present += 1;
        let number = self.next_number;
        self.next_number += 1;
        self.handshakes.insert(number, handshake);
        (Place::Handshake(number), oldest)
    }

    /// Exchanges a handshake's place for one of an open connection, if one is free.
    pub(crate) fn open(&mut self, place: &mut Place) -> bool {
        if let Place::Handshake(number) = *place {
            if self.open == self.max_open {
                return false;
            }
            self.handshakes.remove(&number);
            self.open += 1;
            *place = Place::Open;
        }
        true
    }

    pub(crate) fn leave(&mut self, place: &Place) {
        self.present -= 1;
        match place {
            Place::Handshake(number) => drop(self.handshakes.remove(number)),
            Place::Open => self.open -= 1,
        }
    }

    /// Takes its place from the handshake that has taken the longest: it is to be ended.
    pub(crate) fn take_oldest_handshake(&mut self) -> Option<H> {
        self.handshakes.pop_first().map(|(_, handshake)| handshake)
    }

    /// Whether a handshake has lost its place to another.
    pub(crate) fn has_lost(&self, place: &Place) -> bool {
        matches!(place, Place::Handshake(number) if !self.handshakes.contains_key(number))
    }

    /// Whether all have left.
    pub(crate) fn is_empty(&self) -> bool {
        self.present == 0
    }
}

/// How many connections may be before their handshake's end. One more ends the oldest of them, so
/// that those who send half a request and wait keep nobody out.
const MAX_HANDSHAKES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handshake_more_ends_the_oldest() {
        let mut places = Places::new(1);
        for number in 0..MAX_HANDSHAKES {
            assert_eq!(places.begin(number).1, None);
        }
        assert_eq!(places.begin(MAX_HANDSHAKES).1, Some(0));
        // One that leaves makes room.
        places.leave(&Place::Handshake(5));
        assert_eq!(places.begin(MAX_HANDSHAKES + 1).1, None);
        assert_eq!(places.begin(MAX_HANDSHAKES + 2).1, Some(1));
    }

    #[test]
    fn a_handshake_that_lost_its_place_is_there_until_it_leaves() {
        let mut places = Places::new(1);
        let (place, _) = places.begin(());
        assert!(!places.has_lost(&place));
        places.take_oldest_handshake();
        assert!(places.has_lost(&place));
        assert!(!places.is_empty());
        places.leave(&place);
        assert!(places.is_empty());
    }

    #[test]
    fn open_connections_are_counted_until_they_leave() {
        let mut places = Places::new(1);
        let (mut first, _) = places.begin(());
        let (mut second, _) = places.begin(());
        assert!(places.open(&mut first));
        assert!(!places.open(&mut second));
        // One that did not get in takes nobody's place with it.
        places.leave(&second);
        assert!(!places.is_empty());
        places.leave(&first);
        assert!(places.is_empty());
        let (mut third, _) = places.begin(());
        assert!(places.open(&mut third));
        assert!(places.take_oldest_handshake().is_none());
    }
}
