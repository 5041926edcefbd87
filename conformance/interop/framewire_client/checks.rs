//! Checks with names, run one by one until the time is over.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::tally::Tally;

/// How the checks have gone so far.
pub(crate) struct Checks {
    deadline: Instant,
    tally: Tally,
}

impl Checks {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            deadline: Instant::now() + time,
            tally: Tally::default(),
        }
    }

    pub(crate) fn run(&mut self, name: impl Display, check: impl FnOnce() -> Result<()>) {
        let result = if Instant::now() < self.deadline {
            check()
        } else {
            Err(anyhow!("the time was over"))
        };
        match result {
            Ok(()) => self.tally.passed += 1,
            Err(error) => {
                self.tally.failed += 1;
                println!("framewire: FAILED: {name}: {error:#}");
            }
        }
    }

    pub(crate) fn finish(self) -> Tally {
        println!("{}", self.tally);
        self.tally
    }
}
