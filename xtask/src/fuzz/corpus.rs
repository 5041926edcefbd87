//! What stays of the inputs that were found.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::FUZZER;
use crate::process;
use crate::project::Project;

/// The inputs of a target: those in the repository, and those that runs have found, from which the next one goes on.
pub(super) struct Corpus {
    name: String,
    committed: PathBuf,
    found: PathBuf,
}

impl Corpus {
    /// Takes the fewest inputs that reach all that those of a target reach, and lets go of the others that were found.
    pub(super) fn minimise(project: &Project, program: &Path, name: &str) -> Result<Self> {
        let committed = project.path(&format!("fuzz/corpus/{name}"));
        let found = project.target_dir(&format!("fuzz/corpus/{name}"))?;
        let merged = project.target_dir(&format!("fuzz/merged/{name}"))?;
        remove(&merged)?;
        fs::create_dir(&merged).with_context(|| merged.display().to_string())?;
        let by_hand: Vec<_> = inputs(&committed)?
            .into_iter()
            .filter(Input::is_by_hand)
            .collect();
        for input in &by_hand {
            fs::copy(&input.path, merged.join(input.name()))?;
        }

        let log = project
            .target_dir("fuzz/logs")?
            .join(format!("{name}-merge.txt"));
        // libFuzzer adds to the first directory what reaches more than is there.
        let mut merge = Command::new(program);
        merge
            .arg("-set_cover_merge=1")
            .args(FUZZER)
            .args([&merged, &committed, &found])
            .stderr(File::create(&log).with_context(|| log.display().to_string())?);
        process::output(&mut merge, MERGE)?;

        for input in &by_hand {
            fs::remove_file(merged.join(input.name()))?;
        }
        remove(&found)?;
        fs::rename(&merged, &found).with_context(|| found.display().to_string())?;
        Ok(Self {
            name: name.to_owned(),
            committed,
            found,
        })
    }

    /// Puts some of the inputs that were found, short and longer ones, into the repository, in place of those that were
    /// there. Inputs that were made by hand stay.
    pub(super) fn keep(&self) -> Result<()> {
        let (by_hand, before) = inputs(&self.committed)?
            .into_iter()
            .partition::<Vec<_>, _>(Input::is_by_hand);
        for input in before {
            fs::remove_file(&input.path)?;
        }
        let mut count = by_hand.len();
        let mut bytes: u64 = by_hand.iter().map(|input| input.len).sum();
        let found = inputs(&self.found)?;
        let step = found
            .len()
            .div_ceil(MOST_INPUTS.saturating_sub(count).max(1));
        for input in found.iter().step_by(step.max(1)) {
            if bytes + input.len > MOST_BYTES {
                break;
            }
            // libFuzzer names an input for its SHA-1.
            let hash = input.name();
            let short = &hash[..hash.len().min(12)];
            fs::copy(&input.path, self.committed.join(format!("{FOUND}{short}")))?;
            count += 1;
            bytes += input.len;
        }
        println!("{:<14} {count:>9} inputs kept, {bytes} bytes", self.name);
        Ok(())
    }
}

struct Input {
    path: PathBuf,
    len: u64,
}

impl Input {
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn is_by_hand(&self) -> bool {
        !self.name().starts_with(FOUND)
    }
}

/// Returns the files of a directory, the shortest first.
fn inputs(directory: &Path) -> Result<Vec<Input>> {
    let files = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut inputs = Vec::new();
    for file in files {
        let file = file?;
        inputs.push(Input {
            path: file.path(),
            len: file.metadata()?.len(),
        });
    }
    inputs.sort_unstable_by(|one, other| (one.len, &one.path).cmp(&(other.len, &other.path)));
    Ok(inputs)
}

fn remove(directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory).with_context(|| directory.display().to_string())
}

/// What the names of inputs begin with that were not made by hand.
const FOUND: &str = "found-";
/// A corpus in the repository is read by every run and by `cargo test`, and stays in the history.
const MOST_INPUTS: usize = 80;
const MOST_BYTES: u64 = 24 << 10;
const MERGE: Duration = Duration::from_secs(300);
