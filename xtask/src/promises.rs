//! The tests that documents name: each must exist.
//!
//! `SECURITY.md` says what is promised, and `tests/budget/hostile/mod.rs` which tests hold the rows of DESIGN 6. Both
//! name a test by its file and function, as in `tests::budget::hostile::peak::attacks_are_what_they_say`.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::project::Project;

pub(crate) fn run(project: &Project) -> Result<()> {
    let read = |path: &str| {
        fs::read_to_string(project.path(path)).with_context(|| format!("cannot read {path}"))
    };
    let mut faults = Vec::new();
    let mut count = 0;
    for path in DOCUMENTS {
        let text = read(path)?;
        let tests: Vec<&str> = tests(&text).collect();
        ensure!(!tests.is_empty(), "{path} names no test");
        count += tests.len();
        let missing = tests.iter().filter(|test| !exists(test, read));
        faults.extend(missing.map(|test| format!("{path}: there is no {test}")));
    }
    let held = read(DOCUMENTS[1])?;
    let design = read("DESIGN.md")?;
    let rows = rows(&design);
    ensure!(!rows.is_empty(), "DESIGN.md has no section 6 with a table");
    let missing = rows
        .iter()
        .filter(|row| !held.contains(&format!("| {row} |")));
    faults.extend(missing.map(|row| format!("{}: no tests of: {row}", DOCUMENTS[1])));
    ensure!(faults.is_empty(), "promises:\n{}", faults.join("\n"));
    println!(
        "{count} tests are named, of {} rows and SECURITY.md",
        rows.len()
    );
    Ok(())
}

/// Returns what a text names in backquotes by a path of modules from `tests` or `crates` on.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.starts_with("tests::") || name.starts_with("crates::"))
}

/// Returns whether a test's file has its function. A module is a file of its name, or `mod.rs` in a folder.
fn exists(test: &str, read: impl Fn(&str) -> Result<String>) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else {
        return false;
    };
    // The only package with more than one word.
    let module = module
        .replace("::", "/")
        .replace("framewire_cli", "framewire-cli");
    let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
    let function = format!("fn {name}(");
    let mut texts = files.iter().filter_map(|file| read(file).ok());
    texts.any(|text| text.contains(&function))
}

/// Returns the first cells of the table in section 6.
fn rows(design: &str) -> Vec<&str> {
    let section = design.lines().skip_while(|line| !line.starts_with("## 6."));
    let section = section.skip(1).take_while(|line| !line.starts_with("## "));
    let rows = section.filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    // Below its head.
    rows.skip(1).collect()
}

const DOCUMENTS: [&str; 2] = ["SECURITY.md", "tests/budget/hostile/mod.rs"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_named_in_backquotes() {
        let text = "`tests::a::b`, `Config` and tests::c, `crates::d::e`";
        assert!(tests(text).eq(["tests::a::b", "crates::d::e"]));
    }

    #[test]
    fn a_test_is_a_function_of_its_file() {
        let read = |path: &str| {
            let files = ["tests/a/mod.rs", "crates/framewire-cli/b.rs"];
            ensure!(files.contains(&path), "no file");
            Ok("fn it_holds() {}".to_owned())
        };
        assert!(exists("tests::a::it_holds", read));
        assert!(exists("crates::framewire_cli::b::it_holds", read));
        for missing in ["tests::a::it", "tests::a::holds", "tests::b::it_holds"] {
            assert!(!exists(missing, read), "{missing}");
        }
    }

    #[test]
    fn rows_are_those_of_section_6() {
        let design = "## 5. a\n| x | y |\n## 6. b\n\n| peer | we |\n|---|---|\n| one | a |\n| two | b |\n## 7. c\n| z | w |\n";
        assert_eq!(rows(design), ["one", "two"]);
    }
}
