//! What the members of the crowd have received, and whether that is everything, once and in order.

/// A message as a member has received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub sequence: u64,
    /// Which member of the room has sent it.
    pub sender: u32,
    /// Which one of its messages, from 1.
    pub number: u32,
}

/// All that one member has received, in the order in which it came.
#[derive(Debug, Default)]
pub struct Log {
    received: Vec<Received>,
    /// Which messages there are, each once: a bit for each message of each member.
    seen: Vec<bool>,
    each: u32,
    distinct: usize,
}

/// What was wrong with a log, or with all of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    pub lost: usize,
    pub duplicated: usize,
    /// Messages that came after one that follows them, or in another order than another member has them.
    pub disordered: usize,
}

impl Log {
    /// Makes a log of a room in which this many members send this many messages each.
    #[must_use]
    pub fn new(members: u32, each: u32) -> Self {
        Self {
            received: Vec::new(),
            seen: vec![false; members as usize * each as usize],
            each,
            distinct: 0,
        }
    }

    pub fn add(&mut self, received: Received) {
        self.received.push(received);
        let (sender, number) = (received.sender as usize, received.number as usize);
        if number == 0 || number > self.each as usize {
            return;
        }
        if let Some(seen) = self.seen.get_mut(sender * self.each as usize + number - 1) {
            self.distinct += usize::from(!*seen);
            *seen = true;
        }
    }

    /// Returns how many messages each member sends.
    #[must_use]
    pub fn each(&self) -> u32 {
        self.each
    }

    /// Returns whether every message has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.distinct == self.seen.len()
    }

    /// Returns how many messages are to come.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.seen.len()
    }

    /// Returns how many messages have come, those that came twice counted twice.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received.len()
    }

    /// Returns what is wrong with this log, also in comparison with that of another member of the room.
    #[must_use]
    pub fn faults(&self, other: &Self) -> Faults {
        let later = |pair: &&[Received]| pair[1].sequence < pair[0].sequence;
        // The same message at two places of the order is a message twice, not one out of order.
        let mut last = vec![0; self.seen.len().div_ceil(self.each.max(1) as usize)];
        let mut backwards = 0;
        for received in &self.received {
            if let Some(last) = last.get_mut(received.sender as usize) {
                backwards += usize::from(received.number < *last);
                *last = received.number.max(*last);
            }
        }
        let differs = self
            .received
            .iter()
            .zip(&other.received)
            .filter(|(own, other)| own != other)
            .count();
        let disordered = self.received.windows(2).filter(later).count() + backwards;
        Faults {
            lost: self.seen.len() - self.distinct,
            duplicated: self.received.len() - self.distinct,
            disordered: disordered.max(differs),
        }
    }
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
    }
}

/// Returns the value below which this part of the sorted values lies.
#[must_use]
pub fn quantile(sorted: &[u32], part: f64) -> u32 {
    #[allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let index = (sorted.len() as f64 * part) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(messages: &[(u64, u32, u32)]) -> Log {
        let mut log = Log::new(2, 2);
        for &(sequence, sender, number) in messages {
            log.add(Received {
                sequence,
                sender,
                number,
            });
        }
        log
    }

    const ALL: [(u64, u32, u32); 4] = [(3, 0, 1), (4, 1, 1), (9, 1, 2), (10, 0, 2)];

    #[test]
    fn everything_once_and_in_order_has_no_faults() {
        let log = log(&ALL);
        assert!(log.is_complete());
        assert_eq!(log.faults(&log), Faults::default());
    }

    #[test]
    fn a_missing_message_is_lost() {
        let log = log(&ALL[..3]);
        assert!(!log.is_complete());
        assert_eq!(log.faults(&log).lost, 1);
    }

    #[test]
    fn a_message_twice_is_duplicated_delivered_or_stored_twice() {
        let delivered = log(&[ALL[0], ALL[0], ALL[1], ALL[2], ALL[3]]);
        assert_eq!(delivered.faults(&delivered).duplicated, 1);
        let stored = log(&[ALL[0], ALL[1], ALL[2], ALL[3], (11, 0, 2)]);
        assert_eq!(stored.faults(&stored).duplicated, 1);
        assert!(stored.is_complete());
    }

    #[test]
    fn a_message_twice_does_not_make_up_for_a_lost_one() {
        let log = log(&[ALL[0], ALL[0], ALL[1], ALL[2]]);
        assert!(!log.is_complete());
        let faults = log.faults(&log);
        assert_eq!((faults.lost, faults.duplicated), (1, 1));
    }

    #[test]
    fn an_order_that_goes_back_is_disordered() {
        let log = log(&[ALL[1], ALL[0], ALL[2], ALL[3]]);
        assert_eq!(log.faults(&log).disordered, 1);
    }

    #[test]
    fn a_senders_messages_in_the_wrong_order_are_disordered() {
        let log = log(&[(3, 0, 2), (4, 0, 1), (9, 1, 1), (10, 1, 2)]);
        assert_eq!(log.faults(&log).disordered, 1);
    }

    #[test]
    fn an_order_that_differs_from_another_members_is_disordered() {
        let other = log(&[(3, 1, 1), (4, 0, 1), (9, 1, 2), (10, 0, 2)]);
        assert_eq!(log(&ALL).faults(&other).disordered, 2);
    }

    #[test]
    fn quantiles_are_values_of_the_sorted_list() {
        assert_eq!(quantile(&[], 0.99), 0);
        assert_eq!(quantile(&[5], 0.99), 5);
        let values: Vec<u32> = (0..1000).collect();
        assert_eq!(quantile(&values, 0.5), 500);
        assert_eq!(quantile(&values, 0.99), 990);
        assert_eq!(quantile(&values, 1.0), 999);
    }
}
