//! Which of the files that one sender announces arrive.

/// The files that one sender has announced.
#[derive(Debug, Default)]
pub(super) struct Tally {
    announced: usize,
    arrived: usize,
    /// The file that was announced last, if the sender is to announce it again.
    put_off: Option<String>,
}

impl Tally {
    /// Counts a file that is announced, unless it is the one that was put off.
    pub(super) fn announce(&mut self, name: &str) {
        if self.put_off.take().as_deref() != Some(name) {
            self.announced += 1;
        }
    }

    /// Expects the same file to be announced again.
    pub(super) fn put_off(&mut self, name: String) {
        self.put_off = Some(name);
    }

    /// Counts a file that has arrived.
    pub(super) fn arrive(&mut self) {
        self.arrived += 1;
    }

    /// Returns whether all files have arrived; `None` if none was announced.
    pub(super) fn outcome(&self) -> Option<Result<(), String>> {
        let announced = self.announced;
        match announced - self.arrived {
            _ if announced == 0 => None,
            0 => Some(Ok(())),
            missing => Some(Err(format!(
                "{missing} of {announced} files did not arrive"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_arrive_is_told() {
        let mut tally = Tally::default();
        assert_eq!(tally.outcome(), None);
        tally.announce("a");
        let missing = "1 of 1 files did not arrive".to_owned();
        assert_eq!(tally.outcome(), Some(Err(missing)));
        // The sender may send another of that name.
        tally.announce("a");
        tally.arrive();
        let missing = "1 of 2 files did not arrive".to_owned();
        assert_eq!(tally.outcome(), Some(Err(missing)));
    }

    #[test]
    fn a_file_that_is_put_off_counts_once() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.announce("a");
            tally.put_off("a".to_owned());
        }
        tally.announce("a");
        tally.arrive();
        assert_eq!(tally.outcome(), Some(Ok(())));
        tally.announce("b");
        tally.put_off("b".to_owned());
        tally.announce("c");
        tally.arrive();
        let missing = "1 of 3 files did not arrive".to_owned();
        assert_eq!(tally.outcome(), Some(Err(missing)));
    }
}
