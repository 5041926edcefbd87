//! What fuzzing has kept: the inputs that reach the most of each target, and those that once failed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz_targets::ALL;

#[test]
fn committed_inputs_pass() {
    assert_all_pass("corpus");
}

#[test]
fn inputs_that_failed_once_pass() {
    assert_all_pass("crashes");
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let mut programs: Vec<_> = files(&directory("fuzz_targets"))
        .map(|file| file.file_stem().expect("a name").to_owned())
        .collect();
    programs.sort_unstable();
    let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(programs, names);
    for name in names {
        let corpus = directory("corpus").join(name);
        assert!(files(&corpus).next().is_some(), "{name} has no inputs");
    }
}

/// Gives each target the inputs in its folder of `fuzz/KIND`.
fn assert_all_pass(kind: &str) {
    let mut failed = vec![];
    for (name, run) in ALL {
        let folder = directory(kind).join(name);
        if !folder.is_dir() {
            continue;
        }
        for file in files(&folder) {
            let input = fs::read(&file).expect("a file that can be read");
            if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "these fail: {failed:#?}");
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path())
}

fn directory(name: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    fuzz.join(name)
}
