//! The crates of others: licences, duplicates, sources, and the oldest Rust that they support.
//!
//! `cargo deny` checks the first three as well, by the same file, but takes minutes to build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::licences;
use crate::ci::FEATURE_SETS;
use crate::process;
use crate::project::Project;

pub(super) fn check(project: &Project) -> Result<String> {
    let policy = Policy::read(project)?;
    let licence_of = all(project)?;
    let mut faults = policy.faults(&licence_of)?;
    faults.extend(foreign_sources(project)?);
    let (newest_rust, too_new) = rust_versions(project)?;
    faults.extend(too_new);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(format!(
        "{} crates of others, {} licences, 0 duplicates beyond the {} listed, Rust {newest_rust} or older",
        licence_of.len(),
        policy.licences.len(),
        policy.duplicates.len(),
    ))
}

/// What `deny.toml` says.
struct Policy {
    licences: Vec<String>,
    /// As `name@version`.
    duplicates: BTreeSet<String>,
}

impl Policy {
    fn read(project: &Project) -> Result<Self> {
        let path = project.path("deny.toml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let listed = |first: &'static str| {
            text.lines()
                .skip_while(move |line| *line != first)
                .skip(1)
                .take_while(|line| *line != "]")
                .filter_map(|line| line.split('"').nth(1).map(str::to_owned))
        };
        Self {
            licences: listed("allow = [").collect(),
            duplicates: listed("skip = [").collect(),
        }
    }

    /// Returns what is not as the file says: licences, and several versions of a crate. What the file has without need
    /// is a fault, too.
    fn faults(&self, licence_of: &BTreeMap<String, String>) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let licences: Vec<&str> = self.licences.iter().map(String::as_str).collect();
        for (name, expression) in licence_of {
            let is_allowed = licences::is_allowed(expression, &licences);
            if !is_allowed.with_context(|| format!("licence of {name}"))? {
                faults.push(format!("{name} has the licence {expression}"));
            }
        }
        for licence in &licences {
            let others: Vec<&str> = licences.iter().copied().filter(|o| o != licence).collect();
            let is_needed = licence_of
                .values()
                .any(|expression| !licences::is_allowed(expression, &others).unwrap_or(false));
            if !is_needed {
                faults.push(format!("no crate needs the licence {licence}"));
            }
        }
        let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
        for id in licence_of
            .keys()
            .filter(|id| !self.duplicates.contains(*id))
        {
            *versions.entry(name_of(id)).or_default() += 1;
        }
        for (name, count) in versions {
            if count > 1 {
                faults.push(format!("there are {count} versions of {name}"));
            }
        }
        for id in &self.duplicates {
            let count = licence_of
                .keys()
                .filter(|other| name_of(other) == name_of(id))
                .count();
            if count < 2 || !licence_of.contains_key(id) {
                faults.push(format!("{id} is no duplicate"));
            }
        }
        Ok(faults)
    }
}

/// Returns the licence of each crate of others, for every system, with all features, and with tests and chores.
fn all(project: &Project) -> Result<BTreeMap<String, String>> {
    let options = ["--workspace", "--all-features", "--edges=normal,build,dev"];
    let lines = tree(project, &options)?;
    let ours = |line: &&String| !line.contains("(/");
    Ok(lines
        .iter()
        .filter(ours)
        .filter_map(|line| entry(line))
        .collect())
}

/// Splits `name vX.Y.Z (proc-macro)|LICENCE` into `name@X.Y.Z` and the licence.
fn entry(line: &str) -> Option<(String, String)> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    let id = format!("{}@{}", words.next()?, words.next()?.strip_prefix('v')?);
    Some((id, licence.to_owned()))
}

fn tree(project: &Project, options: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = project.cargo(&["tree", "--locked", "--target=all", "--prefix=none"]);
    tree.args(["--no-dedupe", "--format={p}|{l}"]).args(options);
    let output = process::output(&mut tree, super::LISTING)?;
    Ok(output.lines().map(str::to_owned).collect())
}

/// Returns a line for each crate that a lock file does not take from crates.io.
fn foreign_sources(project: &Project) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for folder in ["", "bench/", "conformance/no-std/", "fuzz/"] {
        let file = format!("{folder}Cargo.lock");
        let text = fs::read_to_string(project.path(&file)).with_context(|| file.clone())?;
        let sources = text.lines().filter(|line| line.starts_with("source = "));
        let foreign = sources.filter(|line| **line != format!("source = \"{CRATES_IO}\""));
        faults.extend(foreign.map(|line| format!("{file}: {line}")));
    }
    Ok(faults)
}

/// Returns the newest Rust that a dependency of the crates asks for, and a line for each that asks for a newer one
/// than the crate promises, with any of its feature sets.
fn rust_versions(project: &Project) -> Result<(String, Vec<String>)> {
    let declared = declared_rust_versions(project)?;
    let rust_of = |id: &str| declared.get(id).copied().unwrap_or_default();
    let mut newest = (0, 0);
    let mut faults = BTreeSet::new();
    let every_feature = ("framewire-cli", &[""][..]);
    for (package, sets) in FEATURE_SETS.into_iter().chain([every_feature]) {
        for features in sets {
            // The feature `simd` is documented to need the Rust of the program, which has it.
            let promise = if features.split(',').any(|feature| feature == "simd") {
                "framewire-cli"
            } else {
                package
            };
            let limit = declared
                .iter()
                .find(|(id, _)| name_of(id) == promise)
                .map(|(_, version)| *version);
            let limit = limit.with_context(|| format!("{promise} declares no Rust version"))?;
            let features = format!("--features={features}");
            let options = [
                "-p",
                package,
                "--no-default-features",
                &features,
                "--edges=normal,build",
            ];
            for (id, _) in tree(project, &options)?
                .iter()
                .filter_map(|line| entry(line))
            {
                let rust = rust_of(&id);
                newest = newest.max(rust);
                if rust > limit {
                    faults.insert(format!(
                        "{id} of {package} needs Rust {}.{}",
                        rust.0, rust.1
                    ));
                }
            }
        }
    }
    Ok((
        format!("{}.{}", newest.0, newest.1),
        faults.into_iter().collect(),
    ))
}

/// Returns the `rust-version` of each package that has one, as two numbers.
fn declared_rust_versions(project: &Project) -> Result<BTreeMap<String, (u32, u32)>> {
    let mut metadata = project.cargo(&["metadata", "--locked", "--format-version=1"]);
    let output = process::output(&mut metadata, super::LISTING)?;
    let metadata: Value = serde_json::from_str(&output).context("output of cargo metadata")?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let mut declared = BTreeMap::new();
    for package in packages {
        let (Some(name), Some(version)) = (package["name"].as_str(), package["version"].as_str())
        else {
            continue;
        };
        let Some(rust) = package["rust_version"].as_str() else {
            continue;
        };
        let mut numbers = rust.split('.').map(|number| number.parse().unwrap_or(0));
        let rust = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        declared.insert(format!("{name}@{version}"), rust);
    }
    Ok(declared)
}

fn name_of(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[cfg(test)]
mod tests {
    use super::{Policy, entry};

    #[test]
    fn what_is_not_as_the_file_says_is_a_fault() {
        let policy = Policy::parse(
            "allow = [\n    \"MIT\",\n    \"ISC\",\n]\nskip = [\n    { crate = \"a@1.0.0\", reason = \"b\" },\n]\n",
        );
        let faults = |crates: &[(&str, &str)]| {
            let crates = crates
                .iter()
                .map(|(id, licence)| ((*id).to_owned(), (*licence).to_owned()));
            policy.faults(&crates.collect()).unwrap()
        };
        let right = [
            ("a@1.0.0", "MIT"),
            ("a@2.0.0", "ISC"),
            ("b@1.0.0", "MIT OR GPL-3.0"),
        ];
        assert_eq!(faults(&right), [""; 0]);
        let three = [&right[..], &[("a@3.0.0", "MIT"), ("c@1.0.0", "GPL-3.0")]].concat();
        assert_eq!(
            faults(&three),
            [
                "c@1.0.0 has the licence GPL-3.0",
                "there are 2 versions of a"
            ]
        );
        assert_eq!(
            faults(&[("b@1.0.0", "MIT")]),
            ["no crate needs the licence ISC", "a@1.0.0 is no duplicate"]
        );
    }

    #[test]
    fn a_line_of_the_tree_is_a_crate_and_its_licence() {
        let line = "syn v2.0.1 (proc-macro)|MIT OR Apache-2.0";
        let (id, licence) = entry(line).unwrap();
        assert_eq!((&*id, &*licence), ("syn@2.0.1", "MIT OR Apache-2.0"));
    }
}
