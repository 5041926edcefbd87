//! `CLAUSES.md`: a table of requirements and their tests for each section.

use std::fmt::Display;

use super::requirements::{Entry, Proof, Rfc};
use super::{Counts, Tests};

/// Returns the page. Each test that a requirement names must be there.
pub(super) fn write(rfcs: &[Rfc], tests: &Tests) -> String {
    let mut page = INTRODUCTION.to_owned();
    for rfc in rfcs {
        let name = format!("{}: {}", rfc.number, rfc.title);
        add_counts(&mut page, &name, &Counts::of([rfc].into_iter()));
    }
    add_counts(&mut page, "all", &Counts::of(rfcs.iter()));
    for rfc in rfcs {
        page.extend(["\n## RFC ", &rfc.number.to_string(), ": ", &rfc.title, "\n"]);
        for section in &rfc.sections {
            page.extend(["\n### ", &section.number, " ", &section.title, "\n\n"]);
            page.push_str("| requirement | level | binds | tests |\n|---|---|---|---|\n");
            for entry in &section.entries {
                let proof = proof(entry, tests);
                add_row(
                    &mut page,
                    &[&entry.sentence, &entry.level.name(), &entry.binds, &proof],
                );
            }
        }
    }
    page
}

fn add_counts(page: &mut String, name: &str, counts: &Counts) {
    let Counts {
        tested,
        reasoned,
        not_held,
    } = counts;
    add_row(page, &[&name, &counts.all(), tested, reasoned, not_held]);
}

fn add_row(page: &mut String, cells: &[&dyn Display]) {
    let cells = cells
        .iter()
        .map(|cell| format!("| {} ", cell.to_string().replace('|', "\\|")));
    page.extend(cells);
    page.push_str("|\n");
}

/// Returns the names of the tests with the file that they are in, or the reason why there is none.
fn proof(entry: &Entry, tests: &Tests) -> String {
    let names = match &entry.proof {
        Proof::Tests(names) => names,
        Proof::Reason(reason) => return format!("none: {reason}"),
    };
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for name in names {
        let file = tests[name][0].as_str();
        let name = format!("`{name}`");
        match files.last_mut() {
            Some((last, names)) if *last == file => names.push(name),
            _ => files.push((file, vec![name])),
        }
    }
    let files: Vec<String> = files
        .iter()
        .map(|(file, names)| format!("{} in [{file}]({file})", names.join(", ")))
        .collect();
    files.join("; ")
}

const INTRODUCTION: &str = "\
# What the RFCs require, and what holds it

<!-- Generated. Do not edit: `cargo xtask clauses --accept` writes it from the names of the tests and from
     tests/clauses/requirements. -->

Each sentence says in our words what a section requires of those that the column `binds` names. Beside it are the tests
that hold it, or the reason why there is none. Where the RFC says MUST NOT, SHALL or REQUIRED, the level is MUST; where
it says SHOULD NOT or RECOMMENDED, it is SHOULD. What it only allows stands here as MAY where there is a test of it, and
is not counted. What the library does not do yet says `not held`.

`cargo xtask clauses` fails where a requirement has neither a test nor a reason, where a test that is named here does
not exist, and where a test is named for a clause that does not name it. Sections of an RFC that are not here require
nothing, or the RFC is here in part. That no requirement of an RFC is missing is checked only where its text is given
with `--text`, which CI does not do: the licence of the texts keeps them out of the repository.

| RFC | requirements | held by tests | with a reason | not held |
|---|--:|--:|--:|--:|
";
