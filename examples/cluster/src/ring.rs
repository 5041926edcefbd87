//! The last messages of a room, and where a client that has read up to some message goes on.

use std::collections::VecDeque;

/// The last messages of a room, without a gap: all that were stored after [`base`](Self::base), up to
/// [`last`](Self::last).
///
/// A client is no more than the number of the last message that it has, its cursor. The ring holds nothing for it.
#[derive(Debug)]
pub struct Ring<T> {
    base: u64,
    last: u64,
    messages: VecDeque<(u64, T)>,
    capacity: usize,
}

/// What a message that has arrived is to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one after the last.
    Next,
    /// One that the ring has or had, or that is older than the ring.
    Known,
    /// Others before it have not arrived, or may not have: the history tells.
    AfterGap,
}

/// The cursor is before the ring: what comes next is in the history alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeforeRing;

impl<T: Clone> Ring<T> {
    /// Makes an empty ring for messages that come after this one.
    #[must_use]
    pub fn new(last: u64, capacity: usize) -> Self {
        Self {
            base: last,
            last,
            messages: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    /// Adds a message that follows the last one. One that does not come after it is left out, and `false` returned.
    pub fn push(&mut self, sequence: u64, message: T) -> bool {
        if sequence <= self.last {
            return false;
        }
        if self.messages.len() == self.capacity
            && let Some((oldest, _)) = self.messages.pop_front()
        {
            self.base = oldest;
        }
        self.messages.push_back((sequence, message));
        self.last = sequence;
        true
    }

    /// Says what a message is to this ring, by its number and that of the room's message before it.
    ///
    /// The number before must be the last one here. 0, for none, is not taken on trust: the history tells.
    #[must_use]
    pub fn place(&self, sequence: u64, previous: u64) -> Place {
        if sequence <= self.last {
            Place::Known
        } else if previous == self.last && previous > 0 {
            Place::Next
        } else {
            Place::AfterGap
        }
    }

    /// Returns up to `most` messages that follow the cursor, with their numbers: none if there is none yet.
    ///
    /// # Errors
    /// The cursor is before the ring.
    pub fn after(&self, cursor: u64, most: usize) -> Result<Vec<(u64, T)>, BeforeRing> {
        if cursor < self.base {
            return Err(BeforeRing);
        }
        let first = self
            .messages
            .partition_point(|(sequence, _)| *sequence <= cursor);
        Ok(self.messages.range(first..).take(most).cloned().collect())
    }

    /// Returns the message of this number.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<&T> {
        let found = self.messages.binary_search_by_key(&sequence, |(it, _)| *it);
        found.ok().map(|index| &self.messages[index].1)
    }

    /// Returns the number of the message before the first one here.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Returns the number of the last message.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room's numbers are not consecutive: other rooms have the ones between.
    const ROOM: [u64; 8] = [3, 4, 9, 10, 20, 21, 22, 40];

    fn numbers(messages: Vec<(u64, u64)>) -> Vec<u64> {
        messages.into_iter().map(|(sequence, _)| sequence).collect()
    }

    /// What a client receives that has read up to `cursor`: history while it is before the ring, then the ring.
    fn resumed(ring: &Ring<u64>, mut cursor: u64, page: usize) -> Vec<u64> {
        let mut received = Vec::new();
        loop {
            let next = ring.after(cursor, page).map_or_else(
                |BeforeRing| {
                    ROOM.into_iter()
                        .filter(|it| *it > cursor)
                        .take(page)
                        .collect()
                },
                numbers,
            );
            let Some(last) = next.last() else {
                return received;
            };
            cursor = *last;
            received.extend(next);
        }
    }

    #[test]
    fn every_cursor_meets_every_ring_without_a_gap_and_without_a_repeat() {
        for started in 0..=41 {
            for capacity in 1..=9 {
                let mut ring = Ring::new(started, capacity);
                for sequence in ROOM {
                    ring.push(sequence, sequence);
                }
                for cursor in 0..=41 {
                    let rest: Vec<u64> = ROOM.into_iter().filter(|it| *it > cursor).collect();
                    // A ring that has begun after the last message has nothing; a cursor at its begin needs nothing.
                    for page in 1..=3 {
                        assert_eq!(
                            resumed(&ring, cursor, page),
                            rest,
                            "after {cursor}, a ring of {capacity} from {started}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_cursor_before_the_ring_is_told_so_even_if_the_ring_is_empty() {
        let ring = Ring::<u64>::new(10, 4);
        assert_eq!(ring.after(9, 8), Err(BeforeRing));
        assert_eq!(ring.after(10, 8), Ok(vec![]));
    }

    #[test]
    fn a_cursor_ahead_of_the_ring_waits_for_what_comes_after_it() {
        // It was with another node, which had more already.
        let mut ring = Ring::new(10, 4);
        assert_eq!(ring.after(12, 8), Ok(vec![]));
        for sequence in [11, 12, 13] {
            ring.push(sequence, sequence);
        }
        assert_eq!(ring.after(12, 8).map(numbers), Ok(vec![13]));
    }

    #[test]
    fn what_leaves_the_ring_moves_its_base() {
        let mut ring = Ring::new(0, 2);
        for sequence in [3, 4, 9] {
            ring.push(sequence, sequence);
        }
        assert_eq!((ring.base(), ring.last()), (3, 9));
        assert_eq!(ring.after(2, 8), Err(BeforeRing));
        assert_eq!(ring.after(3, 8).map(numbers), Ok(vec![4, 9]));
    }

    #[test]
    fn a_message_twice_is_in_the_ring_once() {
        let mut ring = Ring::new(0, 4);
        assert!(ring.push(3, 3));
        assert!(!ring.push(3, 3));
        assert_eq!(ring.place(3, 0), Place::Known);
        assert_eq!(ring.after(0, 8).map(numbers), Ok(vec![3]));
    }

    #[test]
    fn a_message_whose_predecessor_has_not_arrived_is_after_a_gap() {
        let mut ring = Ring::new(0, 4);
        ring.push(3, 3);
        assert_eq!(ring.place(9, 4), Place::AfterGap);
        assert_eq!(ring.place(4, 3), Place::Next);
    }

    #[test]
    fn a_message_that_names_none_before_it_may_be_after_a_gap() {
        assert_eq!(Ring::<u64>::new(3, 4).place(9, 0), Place::AfterGap);
        assert_eq!(Ring::<u64>::new(0, 4).place(27, 0), Place::AfterGap);
    }

    #[test]
    fn a_ring_holds_no_more_than_its_capacity() {
        let mut ring = Ring::new(0, 3);
        for sequence in 1..=1000 {
            ring.push(sequence, sequence);
        }
        assert_eq!(ring.messages.len(), 3);
        assert!(ring.messages.capacity() <= 8);
    }
}
