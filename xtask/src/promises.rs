//! What `SECURITY.md` promises, and the tests that it names for that.
//!
//! Each row of its tables is a promise. A test is named by its file and function: `budget::hostile::peak::a_test` is
//! `a_test` in `tests/budget/hostile/peak.rs`.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::project::Project;
use crate::sources::{self, Tests};

pub(crate) fn run(project: &Project) -> Result<()> {
    let read = |path: &str| {
        fs::read_to_string(project.path(path)).with_context(|| format!("cannot read {path}"))
    };
    let page = read(PAGE)?;
    let design = read("DESIGN.md")?;
    let faults = judge(&page, &design, &sources::tests(project)?);
    ensure!(faults.is_empty(), "{PAGE}:\n{}", faults.join("\n"));
    let tests: BTreeSet<_> = named(&page).collect();
    println!(
        "{} promises, held by {} tests",
        rows(&page).count(),
        tests.len()
    );
    Ok(())
}

/// Returns what is missing, and what names something that is not there.
fn judge(page: &str, design: &str, tests: &Tests) -> Vec<String> {
    let missing = named(page).filter(|test| !exists(test, tests));
    let missing = missing.map(|test| format!("there is no test {test}"));
    let open = rows(page).filter(|row| named(row).next().is_none());
    let open = open.map(|row| format!("no test of: {}", first_cell(row)));
    let attacks = attacks(design);
    let empty = attacks.is_empty();
    let empty = empty.then(|| "DESIGN.md has no table in section 6".to_owned());
    let is_promised = |attack: &str| rows(page).any(|row| first_cell(row) == attack);
    let unheld = attacks.iter().filter(|attack| !is_promised(attack));
    let unheld = unheld.map(|attack| format!("no promise for a row of DESIGN 6: {attack}"));
    missing.chain(open).chain(empty).chain(unheld).collect()
}

/// Returns the tests that a text names: what stands in backquotes and is a path from a module on.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::") && name.starts_with(char::is_lowercase))
}

fn exists(test: &str, tests: &Tests) -> bool {
    let Some((module, function)) = test.rsplit_once("::") else {
        return false;
    };
    let mut files = tests.get(function).into_iter().flatten();
    files.any(|file| module_of(file) == module)
}

/// Returns the module that a file is: of `crates/upgrade/src/tls/mod.rs`, `upgrade::tls`.
fn module_of(file: &str) -> String {
    let path = file.strip_prefix("tests/").unwrap_or(file);
    let path = path.strip_prefix("crates/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.replace("/src/", "/")
        .replace('-', "_")
        .replace('/', "::")
}

/// Returns the rows of all tables, less their heads.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines();
    let below = text.lines().skip(1).chain([""]);
    let rows = lines.zip(below).filter(|(_, below)| !is_rule(below));
    let rows = rows.map(|(line, _)| line);
    rows.filter(|line| line.starts_with('|') && !is_rule(line))
}

/// Returns whether a line is the one below the head of a table.
fn is_rule(line: &str) -> bool {
    line.starts_with("|--")
}

fn first_cell(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

/// Returns the first cells of the table in section 6.
fn attacks(design: &str) -> Vec<&str> {
    let section = design.split("\n## ").find(|text| text.starts_with("6."));
    rows(section.unwrap_or_default()).map(first_cell).collect()
}

const PAGE: &str = "SECURITY.md";

#[cfg(test)]
mod tests {
    use super::*;

    const DESIGN: &str = "# A\n## 5. a\n| x | y |\n|---|---|\n| w | w |\n\n## 6. b\n\n| peer | we |\n|---|---|\n| lies | a |\n| waits | b |\n\n## 7. c\n";
    const SECURITY: &str = "# B\nA `Config`, `Origin::any` and `1 << 20`.\n\n| peer | tests |\n|---|---|\n| lies | `a::b::lies` |\n| waits | `a::waits`, `framewire_cli::c::waits` |\n";

    fn faults(page: &str) -> Vec<String> {
        let files = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
        let waits = files(&["tests/a.rs", "crates/framewire-cli/src/c.rs"]);
        let tests = [("lies", files(&["tests/a/b/mod.rs"])), ("waits", waits)];
        let tests = tests.map(|(name, files)| (name.to_owned(), files));
        judge(page, DESIGN, &Tests::from(tests))
    }

    #[test]
    fn a_promise_is_a_row_that_names_tests() {
        assert_eq!(faults(SECURITY), [""; 0]);
        let open = SECURITY.replace("`a::b::lies`", "none");
        assert_eq!(faults(&open), ["no test of: lies"]);
    }

    #[test]
    fn a_test_is_a_function_of_its_file() {
        for (test, other) in [
            ("a::b::lies", "a::b::li"),
            ("a::b::lies", "a::lies"),
            ("framewire_cli::c::waits", "framewire::c::waits"),
        ] {
            let page = SECURITY.replace(test, other);
            assert_eq!(faults(&page), [format!("there is no test {other}")]);
        }
    }

    #[test]
    fn each_row_of_section_6_is_a_promise() {
        let page = SECURITY.replace("| waits |", "| other |");
        let fault = "no promise for a row of DESIGN 6: waits";
        assert_eq!(faults(&page), [fault]);
        let none = judge(SECURITY, "## 5. a\n", &Tests::new());
        assert!(none.contains(&"DESIGN.md has no table in section 6".to_owned()));
    }
}
