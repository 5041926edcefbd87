//! How many checks passed and failed.

use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

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
        let (text, status) = shown(script, deadline)?;
        let last = text.lines().last().unwrap_or_default();
        match Self::parse(last) {
            Some(tally) if status.success() == (tally.failed == 0) => Ok(tally),
            _ => bail!("the script ended with {status}, and its last line was {last:?}"),
        }
    }

    /// Runs `cargo test` to its end, and prints what it prints. Returns how many tests have passed.
    ///
    /// # Errors
    /// A test has failed, or none has run, which `cargo test` takes for a success.
    pub(crate) fn of_tests(cargo: &mut Command, deadline: Duration) -> Result<u32> {
        let (text, status) = shown(cargo, deadline)?;
        ensure!(status.success(), "`cargo test` ended with {status}");
        let passed = text.lines().filter_map(passed).sum();
        ensure!(passed > 0, "no test has run");
        Ok(passed)
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

/// Runs a command to its end, and prints what it prints. Returns that too, and how it ended.
fn shown(command: &mut Command, deadline: Duration) -> Result<(String, ExitStatus)> {
    let running = Running::spawn(command.stdout(Stdio::piped()))?;
    let stdout = running.child().stdout.take();
    let stdout = BufReader::new(stdout.context("standard output is piped")?);
    // In a thread of its own: a full pipe would keep the child from ending.
    let reader = thread::spawn(move || {
        let mut text = String::new();
        for line in stdout.lines() {
            let line = line?;
            println!("{line}");
            text.extend([&line, "\n"]);
        }
        io::Result::Ok(text)
    });
    let status = running.wait(deadline)?;
    match reader.join() {
        Ok(text) => Ok((text.context("output of the program")?, status)),
        Err(_) => bail!("output of the program was lost"),
    }
}

/// Reads how many tests of one program have passed: `test result: ok. 12 passed; 0 failed; …`.
fn passed(line: &str) -> Option<u32> {
    let result = line.strip_prefix("test result: ok. ")?;
    result.split_once(" passed; ")?.0.parse().ok()
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
    fn tests_that_have_passed_are_counted_and_there_must_be_one() {
        let tests = |lines: &str| {
            let mut prints = Command::new("printf");
            Tally::of_tests(prints.arg(lines), Duration::from_secs(10))
        };
        let some = "running 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 1 ignored\n";
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
        assert_eq!(tests(&[some, none, some].concat()).unwrap(), 4);
        assert!(tests(none).is_err());
        assert!(tests("\n").is_err());
        let failed = Tally::of_tests(&mut Command::new("false"), Duration::from_secs(10));
        assert!(failed.is_err());
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
