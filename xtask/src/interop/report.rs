//! Who was checked, and with what result.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::project::Project;
use crate::tally::Tally;

/// Software of others, and how the checks with it have gone so far.
pub(crate) struct Peer {
    name: String,
    version: String,
    /// What it was run against.
    against: &'static str,
    tally: Tally,
}

impl Peer {
    pub(crate) fn new(name: &str, version: String, against: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            version,
            against,
            tally: Tally::default(),
        }
    }

    /// Runs some checks under a heading. One that cannot be run is one that failed.
    pub(crate) fn suite(&mut self, how: &str, run: impl FnOnce() -> Result<Tally>) {
        println!("{} {how}:", self.name);
        self.tally += run().unwrap_or_else(|error| {
            println!("interop: FAILED: {error:#}");
            Tally {
                passed: 0,
                failed: 1,
            }
        });
    }
}

/// All that was checked.
#[derive(Default)]
pub(crate) struct Report {
    peers: Vec<Peer>,
    /// Parts that could not be run.
    failed: u32,
}

impl Report {
    pub(crate) fn add(&mut self, peers: Result<Vec<Peer>>) {
        match peers {
            Ok(peers) => self.peers.extend(peers),
            Err(error) => {
                println!("interop: FAILED: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// Returns how many checks failed, and parts that could not be run.
    pub(crate) fn failed(&self) -> u32 {
        self.tally().failed
    }

    /// Returns the last line of a run.
    pub(crate) fn summary(&self) -> String {
        let Tally { passed, failed } = self.tally();
        format!(
            "interop: {} peers, {} checks passed, {} failed",
            self.peers.len(),
            grouped(passed),
            grouped(failed)
        )
    }

    /// Returns a table of the peers in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = "| peer | version | against | checks |\n|---|---|---|--:|\n".to_owned();
        for peer in &self.peers {
            let Peer {
                name,
                version,
                against,
                tally,
            } = peer;
            let checks = match tally {
                Tally { passed, failed: 0 } => grouped(*passed),
                Tally { passed, failed } => format!("{passed}, {failed} failed"),
            };
            let _ = writeln!(table, "| {name} | {version} | {against} | {checks} |");
        }
        table
    }

    /// Replaces what stands between the marks in `README.md`.
    pub(crate) fn write(&self, project: &Project) -> Result<()> {
        let path = project.path("README.md");
        let text = fs::read_to_string(&path).context("README.md")?;
        let text = replaced(&text, &self.table()).context("README.md")?;
        fs::write(path, text).context("README.md")
    }

    fn tally(&self) -> Tally {
        let mut all = Tally {
            passed: 0,
            failed: self.failed,
        };
        for peer in &self.peers {
            all += peer.tally;
        }
        all
    }
}

fn replaced(text: &str, table: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("no {END} after it"))?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// Writes a number with a comma between thousands.
fn grouped(number: u32) -> String {
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

const BEGIN: &str = "<!-- interop:begin -->";
const END: &str = "<!-- interop:end -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\nfresh\n{END}\nafter\n");
        assert_eq!(replaced(&text, "fresh\n").unwrap(), expected);
        assert!(replaced("no marks", "fresh\n").is_err());
    }

    #[test]
    fn thousands_are_grouped() {
        let written = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(written, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
