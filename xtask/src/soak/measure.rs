//! What a process holds.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// The open file descriptors and the threads of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handles {
    descriptors: usize,
    threads: usize,
}

impl Handles {
    fn of(process: u32) -> Result<Self> {
        Ok(Self {
            descriptors: count(process, "fd")?,
            threads: count(process, "task")?,
        })
    }

    /// Returns what a server has without a client, once that has stayed the same for a while.
    pub(super) fn at_rest(process: u32) -> Result<Self> {
        let started = Instant::now();
        let mut last = Self::of(process)?;
        let mut since = started;
        while since.elapsed() < REST {
            ensure!(started.elapsed() < DEADLINE, "it does not come to rest");
            thread::sleep(POLL);
            let handles = Self::of(process)?;
            if handles != last {
                (last, since) = (handles, Instant::now());
            }
        }
        Ok(last)
    }

    /// Waits until a server without a client has as much as at the start.
    pub(super) fn wait_for_return(self, process: u32) -> Result<()> {
        let started = Instant::now();
        let mut handles = Self::of(process)?;
        while handles != self {
            ensure!(
                started.elapsed() < DEADLINE,
                "{handles} are open {} s after the last client left, and {self} were at the start",
                DEADLINE.as_secs()
            );
            thread::sleep(POLL);
            handles = Self::of(process)?;
        }
        Ok(())
    }
}

impl fmt::Display for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            descriptors,
            threads,
        } = self;
        write!(f, "{descriptors} descriptors and {threads} threads")
    }
}

/// Counts the entries of a folder that the system keeps for a process.
fn count(process: u32, folder: &str) -> Result<usize> {
    let path = format!("/proc/{process}/{folder}");
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(entries.count())
}

const POLL: Duration = Duration::from_millis(10);
const REST: Duration = Duration::from_millis(300);
/// Longer than the server waits for any client that has left.
const DEADLINE: Duration = Duration::from_secs(20);
