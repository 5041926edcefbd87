//! What the RFCs require and the tests that hold it, compared with `CLAUSES.md`.

mod keywords;
mod page;
mod requirements;

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::requirements::{Entry, Level, Proof, Rfc, Section};
use crate::project::Project;
use crate::sources::{self, Tests};

/// Check that each requirement of the RFCs has a test or a reason why it has none, as `CLAUSES.md` shows
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Write the file anew instead of comparing it
    #[arg(long)]
    accept: bool,
    /// Compare how often an RFC's text, such as `rfc6455.txt`, says MUST or SHOULD in each section, too
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let rfcs = read(project)?;
    let tests = sources::tests(project)?;
    let mut faults = judge(&rfcs, &tests);
    for file in &options.text {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        faults.extend(keywords::compare(&rfcs, &text)?);
    }
    ensure!(
        faults.is_empty(),
        "the clauses and their tests:\n{}",
        faults.join("\n")
    );

    let path = project.path(PAGE);
    let is = page::write(&rfcs, &tests);
    if options.accept {
        fs::write(&path, is).with_context(|| format!("cannot write {PAGE}"))?;
    } else {
        let was = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
        ensure!(
            was == is,
            "{PAGE} is not what the tests and {FOLDER} say: commit what `cargo xtask clauses --accept` writes"
        );
    }
    println!("{}", Counts::of(rfcs.iter()));
    Ok(())
}

/// Reads the files of requirements, in the order of [`FILES`].
fn read(project: &Project) -> Result<Vec<Rfc>> {
    let mut rfcs = Vec::new();
    for name in FILES {
        let path = format!("{FOLDER}/{name}");
        let text = fs::read_to_string(project.path(&path))
            .with_context(|| format!("cannot read {path}"))?;
        rfcs.extend(requirements::parse(&text).context(path)?);
    }
    Ok(rfcs)
}

/// Returns what is missing, and what names something that is not there.
fn judge(rfcs: &[Rfc], tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    for rfc in rfcs {
        for section in &rfc.sections {
            let place = format!("RFC {} {}", rfc.number, section.number);
            faults.extend(keyword_fault(section).map(|fault| format!("{place}: {fault}")));
            for entry in &section.entries {
                let of_entry = entry_faults(entry, tests);
                faults
                    .extend(of_entry.map(|fault| format!("{place}: {fault}: {}", entry.sentence)));
            }
        }
    }
    let unnamed = tests.keys().filter(|test| !is_named(test, rfcs));
    faults.extend(unnamed.map(|test| format!("{test} stands under no requirement of its section")));
    faults
}

/// Returns whether the requirements of a section are for all the keywords of its text.
fn keyword_fault(section: &Section) -> Option<String> {
    let found: usize = section.entries.iter().map(|entry| entry.keywords).sum();
    let stated = section.keywords?;
    (found != stated).then(|| format!("{stated} keywords, and requirements for {found}"))
}

fn entry_faults(entry: &Entry, tests: &Tests) -> impl Iterator<Item = String> {
    let names = match &entry.proof {
        Proof::Tests(names) => &names[..],
        Proof::Reason(_) => &[],
    };
    let is_open = names.is_empty() && matches!(entry.proof, Proof::Tests(_));
    let open = is_open.then(|| "neither a test nor a reason".to_owned());
    let unclear = names
        .iter()
        .filter_map(|name| match tests.get(name).map(Vec::as_slice) {
            None => Some(format!("there is no test {name}")),
            Some([_]) => None,
            Some(files) => Some(format!("{name} is a test in {}", files.join(" and in "))),
        });
    open.into_iter().chain(unclear)
}

/// Returns whether a test whose name begins with a clause is named by a requirement there. Other tests may be named
/// anywhere, or nowhere.
fn is_named(test: &str, rfcs: &[Rfc]) -> bool {
    let Some((number, section)) = clause(test) else {
        return true;
    };
    let mut sections = rfcs
        .iter()
        .filter(|rfc| rfc.number == number)
        .flat_map(|rfc| &rfc.sections)
        .filter(|other| is_within(&section, &other.number) || is_within(&other.number, &section));
    sections.any(|section| {
        let mut proofs = section.entries.iter().map(|entry| &entry.proof);
        proofs.any(
            |proof| matches!(proof, Proof::Tests(names) if names.iter().any(|name| name == test)),
        )
    })
}

/// Returns the clause that a test's name begins with: of `rfc6455_5_5_1_close_is_answered`, 6455 and `5.5.1`.
fn clause(test: &str) -> Option<(u32, String)> {
    let mut words = test.strip_prefix("rfc")?.split('_');
    let number = words.next()?.parse().ok()?;
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let section: Vec<&str> = words.take_while(is_number).collect();
    Some((number, section.join(".")))
}

/// Returns whether a section is another one or a part of it. All are parts of the RFC, which is empty here.
fn is_within(section: &str, whole: &str) -> bool {
    let rest = section.strip_prefix(whole);
    whole.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// How many requirements there are. What is allowed, and no more, is none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    tested: usize,
    reasoned: usize,
    not_held: usize,
}

impl Counts {
    fn of<'a>(rfcs: impl Iterator<Item = &'a Rfc>) -> Self {
        let mut counts = Self::default();
        let entries = rfcs
            .flat_map(|rfc| &rfc.sections)
            .flat_map(|section| &section.entries);
        for entry in entries.filter(|entry| entry.level != Level::May) {
            match entry.proof {
                Proof::Tests(_) => counts.tested += 1,
                Proof::Reason(ref reason) if reason.starts_with(NOT_HELD) => counts.not_held += 1,
                Proof::Reason(_) => counts.reasoned += 1,
            }
        }
        counts
    }

    fn all(&self) -> usize {
        self.tested + self.reasoned + self.not_held
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tested,
            reasoned,
            not_held,
        } = self;
        let all = self.all();
        write!(
            f,
            "{all} requirements: {tested} held by tests, {reasoned} with a reason, {not_held} not held"
        )
    }
}

/// What the reason begins with where the library does not do what is required.
const NOT_HELD: &str = "not held";
const PAGE: &str = "CLAUSES.md";
const FOLDER: &str = "tests/clauses/requirements";
const FILES: [&str; 4] = ["rfc6455.txt", "rfc7692.txt", "http.txt", "dial.txt"];

#[cfg(test)]
mod tests {
    use super::{Counts, Tests, clause, judge, page, requirements::parse};

    const RFC: &str = "
        rfc 6455 The WebSocket Protocol
        section 5.2 Base Framing Protocol, 3 keywords
        MUST both x2: Reserved bits are zero.
          rfc6455_5_2_reserved_bits
        SHOULD server: It logs.
          none: the application's
        MAY client: It waits.
          waits
    ";

    fn tests(names: &[(&str, &[&str])]) -> Tests {
        let owned = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
        let tests = names.iter();
        tests
            .map(|(name, files)| ((*name).to_owned(), owned(files)))
            .collect()
    }

    fn all() -> Tests {
        tests(&[
            ("rfc6455_5_2_reserved_bits", &["a.rs"]),
            ("waits", &["b.rs"]),
        ])
    }

    fn faults(text: &str, tests: &Tests) -> Vec<String> {
        judge(&parse(text).unwrap(), tests)
    }

    #[test]
    fn requirements_with_a_test_or_a_reason_are_counted() {
        assert_eq!(faults(RFC, &all()), [""; 0]);
        let counts = Counts::of(parse(RFC).unwrap().iter());
        let line = "2 requirements: 1 held by tests, 1 with a reason, 0 not held";
        assert_eq!(counts.to_string(), line);
        let not_held = RFC.replace("none: the", "none: not held: the");
        let counts = Counts::of(parse(&not_held).unwrap().iter());
        let line = "2 requirements: 1 held by tests, 0 with a reason, 1 not held";
        assert_eq!(counts.to_string(), line);
    }

    #[test]
    fn a_requirement_with_neither_is_open() {
        for proof in [
            "  none: the application's\n",
            "  rfc6455_5_2_reserved_bits\n",
            "  waits\n",
        ] {
            let faults = faults(&RFC.replace(proof, "\n"), &tests(&[("waits", &["b.rs"])]));
            assert!(
                faults
                    .iter()
                    .any(|fault| fault.contains("neither a test nor a reason")),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn a_test_that_is_not_there_or_there_twice_is_named() {
        let mut there = all();
        there.insert(
            "waits".to_owned(),
            vec!["b.rs".to_owned(), "c.rs".to_owned()],
        );
        assert_eq!(
            faults(RFC, &there),
            ["RFC 6455 5.2: waits is a test in b.rs and in c.rs: It waits."]
        );
        there.remove("waits");
        assert_eq!(
            faults(RFC, &there),
            ["RFC 6455 5.2: there is no test waits: It waits."]
        );
    }

    #[test]
    fn a_test_of_a_clause_without_a_requirement_there_is_named() {
        for stray in [
            "rfc6455_5_2_another",
            "rfc6455_5_20_another",
            "rfc6455_6_another",
            "rfc1_5_2_another",
        ] {
            let mut there = all();
            there.insert(stray.to_owned(), vec!["a.rs".to_owned()]);
            assert_eq!(
                faults(RFC, &there),
                [format!(
                    "{stray} stands under no requirement of its section"
                )]
            );
            let elsewhere = RFC.replace("waits\n", &format!("waits\n  {stray}\n"));
            let is_of_section = stray.starts_with("rfc6455_5_2_");
            assert_eq!(
                faults(&elsewhere, &there).is_empty(),
                is_of_section,
                "{stray}"
            );
        }
    }

    #[test]
    fn a_test_of_a_part_or_of_the_whole_is_of_the_section() {
        for named in ["rfc6455_5_2_1_part", "rfc6455_5_whole", "rfc6455_all_of_it"] {
            let text = RFC.replace("waits\n", &format!("waits\n  {named}\n"));
            let mut there = all();
            there.insert(named.to_owned(), vec!["a.rs".to_owned()]);
            assert_eq!(faults(&text, &there), [""; 0]);
        }
    }

    #[test]
    fn keywords_without_a_requirement_are_counted() {
        let fault = "RFC 6455 5.2: 4 keywords, and requirements for 3";
        assert_eq!(
            faults(&RFC.replace("3 keywords", "4 keywords"), &all()),
            [fault]
        );
        assert_eq!(faults(&RFC.replace(", 3 keywords", ""), &all()), [""; 0]);
    }

    #[test]
    fn the_clause_is_what_a_name_begins_with() {
        let of = |test| clause(test).map(|(number, section)| format!("{number} {section}"));
        assert_eq!(of("rfc6455_5_5_1_close_is_answered").unwrap(), "6455 5.5.1");
        assert_eq!(of("rfc8441_refusals_have_their_status").unwrap(), "8441 ");
        assert_eq!(of("rfc_of_another_kind"), None);
        assert_eq!(of("close_is_answered"), None);
    }

    #[test]
    fn the_page_is_a_table_for_each_section() {
        let page = page::write(&parse(RFC).unwrap(), &all());
        for line in [
            "## RFC 6455: The WebSocket Protocol",
            "### 5.2 Base Framing Protocol",
            "| Reserved bits are zero. | MUST | both | `rfc6455_5_2_reserved_bits` in [a.rs](a.rs) |",
            "| It logs. | SHOULD | server | none: the application's |",
            "| It waits. | MAY | client | `waits` in [b.rs](b.rs) |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
