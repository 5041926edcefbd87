//! Instructions for each message: the difference of two counts by callgrind.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// An echo in memory whose instructions are counted.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) frames: usize,
    pub(crate) text: bool,
}

/// Counts for all jobs, as many at a time as there are cores, and returns the results in their order.
pub(crate) fn count(program: &Path, jobs: &[Job]) -> Vec<Result<Vec<f64>>> {
    let next = AtomicUsize::new(0);
    let counted = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((number, job)) = take(jobs, &next) {
                    let result = job.count(program);
                    if let Ok(mut counted) = counted.lock() {
                        counted.push((number, result));
                    }
                }
            });
        }
    });
    let mut counted = counted.into_inner().unwrap_or_default();
    counted.sort_by_key(|(number, _)| *number);
    counted.into_iter().map(|(_, result)| result).collect()
}

fn take<'a>(jobs: &'a [Job], next: &AtomicUsize) -> Option<(usize, &'a Job)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    Some((number, jobs.get(number)?))
}

impl Job {
    /// Returns samples of the instructions for each message: the same, but where a peer draws lots.
    fn count(&self, program: &Path) -> Result<Vec<f64>> {
        let few = self.messages();
        let one = self.instructions(program, few)?;
        let two = self.instructions(program, 2 * few)?;
        let three = self.instructions(program, 3 * few)?;
        let samples = [each(one, two, few), each(two, three, few)];
        if agree(samples) {
            return Ok(samples.into());
        }
        let repeat = |_| {
            let less = self.instructions(program, few)?;
            let more = self.instructions(program, (1 + MANY) * few)?;
            Ok(each(less, more, MANY * few))
        };
        let samples: Vec<f64> = (0..SAMPLES).map(repeat).collect::<Result<_>>()?;
        ensure!(
            are_of_one_size(&samples),
            "the counts {samples:.0?} differ too much"
        );
        Ok(samples)
    }

    fn instructions(&self, program: &Path, messages: usize) -> Result<u64> {
        let mut valgrind = Command::new("valgrind");
        valgrind
            .env("GLIBC_TUNABLES", COPIES_BY_VECTORS)
            .args([
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                "--log-fd=1",
            ])
            .arg(program)
            .args(["count", &self.name])
            .args([self.frames, self.bytes, messages].map(|number| number.to_string()));
        if self.text {
            valgrind.arg("--text");
        }
        let log = process::output(&mut valgrind, DEADLINE)?;
        collected(&log).context("callgrind printed no count")
    }

    /// Returns a number of messages, of whole reads, that takes a million instructions or more.
    fn messages(&self) -> usize {
        let some = (2 << 20) / (self.bytes + 1024);
        some.max(32).next_multiple_of(self.frames)
    }
}

/// Returns the instructions in the log of callgrind: `==4242== Collected : 123456`.
fn collected(log: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.split_once("Collected :"));
    line?.1.trim().parse().ok()
}

/// Returns the instructions for each of so many messages that one run had more than another.
fn each(less: u64, more: u64, messages: usize) -> f64 {
    (more as f64 - less as f64) / messages as f64
}

fn agree([left, right]: [f64; 2]) -> bool {
    left > 0.0 && right > 0.0 && (left / right - 1.0).abs() < 0.01
}

/// Returns whether samples say anything: a start that draws lots may outweigh the messages.
fn are_of_one_size(samples: &[f64]) -> bool {
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(0.0, f64::max);
    least > 0.0 && most < 2.0 * least
}

/// Makes glibc copy and fill by vectors whatever the length.
///
/// Otherwise it does so for more than a few KiB by one instruction. callgrind counts that for each byte again, and
/// its speed depends on the distance of the addresses. A stream in memory stands for a socket, where the kernel
/// copies.
pub(crate) const COPIES_BY_VECTORS: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";
/// How many times more messages, and how often, where two counts do not agree.
const MANY: usize = 15;
const SAMPLES: usize = 3;
const DEADLINE: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_in_the_log() {
        let log = "==1== Callgrind, a call-graph generating cache profiler\n==1== Events    : Ir\n==1== Collected : 2190471\n";
        assert_eq!(collected(log), Some(2_190_471));
        assert_eq!(collected("valgrind: no such program\n"), None);
    }

    #[test]
    fn counts_that_draw_lots_do_not_agree() {
        assert!(agree([1000.0, 1001.0]));
        assert!(!agree([1000.0, 1100.0]));
        assert!(!agree([-1000.0, -1000.0]));
        assert!((each(2_000, 1_000, 10) + 100.0).abs() < 1e-9);
        assert!(are_of_one_size(&[700.0, 1000.0, 1300.0]));
        assert!(!are_of_one_size(&[60.0, 170.0, 200.0]));
        assert!(!are_of_one_size(&[-1.0, 170.0, 170.0]));
    }

    #[test]
    fn messages_come_in_whole_reads() {
        for (bytes, frames) in crate::goals::IN_MEMORY {
            let name = String::new();
            let messages = Job {
                name,
                bytes,
                frames,
                text: false,
            }
            .messages();
            assert!(
                messages > 0 && messages.is_multiple_of(frames),
                "{messages}"
            );
        }
    }
}
