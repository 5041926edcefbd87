//! How many checks passed and failed.

use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::Running;

/// How many checks passed, and how many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    pub(crate) fn passed(passed: u32) -> Self {
        Self { passed, failed: 0 }
    }

    /// Runs a script to its end, prints what it prints, and takes the tally from its last line.
    pub(crate) fn of_script(script: &mut Command, deadline: Duration) -> Result<Self> {
        let script = Running::spawn(script.stdout(Stdio::piped()))?;
        let (last, status) = last_line(&script, deadline)?;
        match Self::parse(&last) {
            Some(tally) if status.success() == (tally.failed == 0) => Ok(tally),
            _ => bail!("the script ended with {status}, and its last line was {last:?}"),
        }
    }

    /// Reads what [`Display`](fmt::Display) writes.
    fn parse(line: &str) -> Option<Self> {
        let (passed, failed) = line.split_once(" passed, ")?;
        Some(Self {
            passed: passed.parse().ok()?,
            failed: failed.strip_suffix(" failed")?.parse().ok()?,
        })
    }
}

/// Waits for the end, and prints what the script prints. Returns its last line, and how it ended.
fn last_line(script: &Running, deadline: Duration) -> Result<(String, ExitStatus)> {
    let stdout = script.child().stdout.take();
    let stdout = BufReader::new(stdout.context("standard output is piped")?);
    // In a thread of its own: a full pipe would keep the script from ending.
    let reader = thread::spawn(move || {
        let mut last = String::new();
        for line in stdout.lines() {
            last = line?;
            println!("{last}");
        }
        io::Result::Ok(last)
    });
    let status = script.wait(deadline)?;
    match reader.join() {
        Ok(last) => Ok((last.context("output of the script")?, status)),
        Err(_) => bail!("output of the script was lost"),
    }
}

/// Writes a number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let written = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(written, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_tally_is_read_as_it_is_written() {
        let tally = Tally {
            passed: 12,
            failed: 3,
        };
        assert_eq!(Tally::parse(&tally.to_string()), Some(tally));
        assert_eq!(Tally::parse("12 passed"), None);
        assert_eq!(Tally::parse("x passed, 3 failed"), None);
    }
}
