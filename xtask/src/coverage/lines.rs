//! What LLVM counted, by file and line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::project::Project;

/// The lines of code of both libraries without their unit tests, and whether a test reached them.
pub(super) struct Lines {
    /// By `crate/path`, such as `framewire/frame/mask.rs`.
    pub(super) files: BTreeMap<String, BTreeMap<usize, bool>>,
}

/// How many lines a module has, and how many a test reached.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) lines: usize,
    reached: usize,
}

impl Lines {
    /// Takes them from a report in the format of lcov.
    pub(super) fn parse(project: &Project, report: &str) -> Result<Self> {
        let mut files: BTreeMap<String, BTreeMap<usize, bool>> = BTreeMap::new();
        let mut current = None;
        for entry in report.lines() {
            if let Some(path) = entry.strip_prefix("SF:") {
                let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
                let crates = project.path("crates");
                let name = path.strip_prefix(&*crates.to_string_lossy());
                let name = name
                    .unwrap_or(path)
                    .trim_start_matches('/')
                    .replacen("/src/", "/", 1);
                current = Some((name, code(path, &text)));
            } else if let (Some(rest), Some((file, code))) = (entry.strip_prefix("DA:"), &current) {
                let mut numbers = rest.split(',').map(str::parse);
                let (Some(Ok(line)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
                    continue;
                };
                if line <= *code {
                    *files
                        .entry(file.clone())
                        .or_default()
                        .entry(line)
                        .or_default() |= count > 0;
                }
            }
        }
        Ok(Self { files })
    }

    /// Returns what each module has.
    pub(super) fn modules(&self) -> Vec<Module> {
        let mut modules: BTreeMap<String, Module> = BTreeMap::new();
        for (file, lines) in &self.files {
            let mut words = file.split(['/', '.']);
            let name = [
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            ]
            .join("/");
            let module = modules.entry(name.clone()).or_insert(Module {
                name,
                lines: 0,
                reached: 0,
            });
            module.lines += lines.len();
            module.reached += lines.values().filter(|reached| **reached).count();
        }
        modules.into_values().collect()
    }

    /// Returns a line of text for each file with lines that no test reached.
    pub(super) fn missed(&self) -> String {
        let mut text = String::new();
        for (file, lines) in &self.files {
            let missed = lines.iter().filter(|(_, reached)| !**reached);
            let missed: Vec<String> = missed.map(|(line, _)| line.to_string()).collect();
            if !missed.is_empty() {
                let _ = writeln!(text, "{file}: {}", missed.join(" "));
            }
        }
        text
    }
}

impl Module {
    pub(super) fn sum<'a>(name: &str, modules: impl IntoIterator<Item = &'a Module>) -> Self {
        let mut sum = Self {
            name: name.to_owned(),
            lines: 0,
            reached: 0,
        };
        for module in modules {
            sum.lines += module.lines;
            sum.reached += module.reached;
        }
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "there are not so many lines")]
    pub(super) fn percent(&self) -> f64 {
        100.0 * self.reached as f64 / self.lines as f64
    }
}

/// Returns how many lines of a file are not its unit tests, which stand last or are all of it.
fn code(path: &str, text: &str) -> usize {
    if path.ends_with("/tests.rs") || path.ends_with("/model.rs") {
        return 0;
    }
    text.lines()
        .take_while(|line| *line != "mod tests {")
        .count()
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn unit_tests_are_no_code() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(code("src/a.rs", text), 3);
        assert_eq!(code("src/a.rs", "fn a() {}\n"), 1);
        assert_eq!(code("src/a/tests.rs", "fn a() {}\n"), 0);
    }
}
