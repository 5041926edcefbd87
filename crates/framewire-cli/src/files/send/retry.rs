//! How often to try again, and after how long.

use std::time::Duration;

/// The tries that are left.
#[derive(Debug)]
pub(super) struct Retries {
    most: u32,
    tried: u32,
}

impl Retries {
    pub(super) fn new(most: u32) -> Self {
        Self { most, tried: 0 }
    }

    /// Counts anew, after a success.
    pub(super) fn start_over(&mut self) {
        self.tried = 0;
    }

    /// Returns how long to wait before the next try; `None` if there is none left.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if self.tried >= self.most {
            return None;
        }
        let pause = FIRST.saturating_mul(1_u32.checked_shl(self.tried).unwrap_or(u32::MAX));
        self.tried += 1;
        Some(pause.min(LONGEST))
    }
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_half_a_minute() {
        let mut retries = Retries::new(100);
        let pauses: Vec<_> = std::iter::from_fn(|| retries.next()).collect();
        let seconds: Vec<_> = pauses.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!((seconds.len(), seconds[99]), (100, 30));
        retries.start_over();
        assert_eq!(retries.next(), Some(FIRST));
        assert_eq!(Retries::new(0).next(), None);
    }
}
