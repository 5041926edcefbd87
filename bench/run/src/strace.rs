//! What `strace -c` counts.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// Waits until a process is traced.
pub(crate) fn wait_until_traced(id: u32) -> Result<()> {
    let started = Instant::now();
    while !is_traced(&status(id)?) {
        ensure!(
            started.elapsed() < Duration::from_secs(10),
            "strace does not trace it"
        );
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn status(id: u32) -> Result<String> {
    fs::read_to_string(format!("/proc/{id}/status")).context("the server has ended")
}

fn is_traced(status: &str) -> bool {
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|id| id.trim() != "0")
}

/// Returns the sum of all calls in the summary of `strace -c`, or `None` where there is no summary.
pub(crate) fn calls(summary: &str) -> Option<u64> {
    let lines = summary
        .lines()
        .skip_while(|line| !line.starts_with("% time"));
    let mut sum = None;
    // `% time     seconds  usecs/call     calls    errors syscall`, where a column of errors may be empty.
    for line in lines.skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, _, calls, .., name] = words[..]
            && name != "total"
            && let Ok(calls) = calls.parse::<u64>()
        {
            sum = Some(sum.unwrap_or(0) + calls);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\
strace: Process 4242 attached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           0      2000           write
 39.00    0.000390           0      1990        10 read
  1.00    0.000010          10         1           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           0      3991        10 total
";

    #[test]
    fn calls_are_added_with_and_without_errors() {
        assert_eq!(calls(SUMMARY), Some(3991));
    }

    #[test]
    fn a_single_call_is_counted() {
        let lines: Vec<&str> = SUMMARY.lines().collect();
        let one = [lines[1], lines[2], lines[5], lines[6]].join("\n");
        assert_eq!(calls(&one), Some(1));
    }

    #[test]
    fn a_traced_process_has_a_tracer() {
        assert!(is_traced("Name:\tserver\nTracerPid:\t42\n"));
        assert!(!is_traced("Name:\tserver\nTracerPid:\t0\n"));
    }

    #[test]
    fn no_summary_is_no_count() {
        assert_eq!(calls(""), None);
        assert_eq!(calls("strace: attach: Operation not permitted\n"), None);
    }
}
