//! How often to try again, and after how long.

use std::time::Duration;

use crate::backoff::Backoff;

/// The tries that are left.
#[derive(Debug)]
pub(super) struct Retries {
    most: u32,
    left: u32,
    backoff: Backoff,
}

impl Retries {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            left: most,
            backoff: Backoff::new(FIRST, LONGEST),
        }
    }

    /// Counts anew, after a success.
    pub(super) fn start_over(&mut self) {
        *self = Self::new(self.most);
    }

    /// Returns how long to wait before the next try; `None` if there is none left.
    pub(super) fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        Some(self.backoff.pause())
    }
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_tries_as_were_asked_for_and_again_after_a_success() {
        let mut retries = Retries::new(3);
        for _ in 0..2 {
            let pauses: Vec<_> = std::iter::from_fn(|| retries.next()).collect();
            assert_eq!(pauses.len(), 3);
            assert!(pauses[0] <= FIRST && pauses[2] > FIRST, "{pauses:?}");
            retries.start_over();
        }
        assert_eq!(Retries::new(0).next(), None);
    }
}
