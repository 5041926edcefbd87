//! Who was checked, and with what result.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::project::Project;
use crate::tally::{Tally, grouped};

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

    /// Returns its row of the table.
    fn row(&self) -> String {
        let Self {
            name,
            version,
            against,
            tally: Tally { passed, failed },
        } = self;
        let passed = grouped((*passed).into());
        let checks = if *failed == 0 {
            passed
        } else {
            format!("{passed}, {failed} failed")
        };
        format!("| {name} | {version} | {against} | {checks} |\n")
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

    /// Returns the last line of a run in which every check passed.
    pub(crate) fn summary(&self) -> String {
        let peers = self.peers.iter().map(|peer| {
            let name = peer.name.replace('`', "");
            format!("{name} {}", peer.version)
        });
        format!(
            "interop: {} checks passed against {}",
            grouped(self.tally().passed.into()),
            peers.collect::<Vec<_>>().join(", ")
        )
    }

    /// Returns a table of the peers in Markdown.
    pub(crate) fn table(&self) -> String {
        HEAD.to_owned() + &self.peers.iter().map(Peer::row).collect::<String>()
    }

    /// Writes the table of `README.md`: the rows of these peers, and where not all parts were run those of the others.
    pub(crate) fn write(&self, project: &Project, is_all: bool) -> Result<()> {
        let path = project.path("README.md");
        let text = fs::read_to_string(&path).context("README.md")?;
        let (before, table, after) = parts(&text).context("README.md")?;
        let table = if is_all {
            self.table()
        } else {
            merged(table, &self.peers)
        };
        let text = format!("{before}{BEGIN}\n{table}{END}{after}");
        fs::write(path, text).context("README.md")
    }

    /// Checks that `README.md` has a row for each of these peers, whatever versions and checks it names.
    pub(crate) fn is_in_readme(&self, project: &Project) -> Result<()> {
        let text = fs::read_to_string(project.path("README.md")).context("README.md")?;
        let (_, table, _) = parts(&text).context("README.md")?;
        for Peer { name, against, .. } in &self.peers {
            let is_there = table
                .lines()
                .any(|row| is_row_of(row, name) && row.contains(&format!("| {against} |")));
            ensure!(
                is_there,
                "README.md has no row of {name} as {against}: cargo xtask interop --write-readme"
            );
        }
        Ok(())
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

/// Returns what stands before, between and after the marks of the table.
fn parts(text: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no {BEGIN}"))?;
    let (table, after) = rest
        .split_once(END)
        .with_context(|| format!("no {END} after it"))?;
    Ok((before, table.trim_start(), after))
}

/// Puts the rows of some peers in the places of those that they had, or at the end.
fn merged(table: &str, peers: &[Peer]) -> String {
    let mut rows: Vec<String> = table.lines().map(|row| format!("{row}\n")).collect();
    for peer in peers {
        match rows.iter_mut().find(|row| is_row_of(row, &peer.name)) {
            Some(row) => *row = peer.row(),
            None => rows.push(peer.row()),
        }
    }
    rows.concat()
}

fn is_row_of(row: &str, name: &str) -> bool {
    row.starts_with(&format!("| {name} | "))
}

const HEAD: &str = "| peer | version | as | checks passed |\n|---|---|---|--:|\n";
const BEGIN: &str = "<!-- interop:begin -->";
const END: &str = "<!-- interop:end -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_found() {
        let text = format!("before\n{BEGIN}\nrows\n{END}\nafter\n");
        assert_eq!(parts(&text).unwrap(), ("before\n", "rows\n", "\nafter\n"));
        assert!(parts("no marks").is_err());
    }

    #[test]
    fn rows_are_replaced_where_they_are() {
        let peer = |name, version: &str| Peer::new(name, version.to_owned(), "a client");
        let table = format!("{HEAD}{}{}", peer("b", "1").row(), peer("a", "1").row());
        let merged = merged(&table, &[peer("b", "2"), peer("c", "3")]);
        let rows = [peer("b", "2"), peer("a", "1"), peer("c", "3")].map(|peer| peer.row());
        assert_eq!(merged, HEAD.to_owned() + &rows.concat());
    }

    #[test]
    fn one_line_sums_up() {
        let mut report = Report::default();
        for (name, version) in [("Python `http`", "3.11.7"), ("curl", "7.88.1")] {
            let mut peer = Peer::new(name, version.to_owned(), "a client");
            peer.tally = Tally::passed(600);
            report.add(Ok(vec![peer]));
        }
        let expected = "interop: 1,200 checks passed against Python http 3.11.7, curl 7.88.1";
        assert_eq!(report.summary(), expected);
        report.add(Err(anyhow::anyhow!("not installed")));
        assert_eq!(report.failed(), 1);
    }
}
