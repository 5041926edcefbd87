//! Dependencies between the modules of the libraries, as DESIGN 3 draws them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::project::Project;

/// A library, and its modules from the top down: each may use those below it alone.
const LIBRARIES: [(&str, &[&str]); 2] = [
    (
        "crates/framewire/src",
        &[
            "axum",
            "hyper",
            "tokio",
            "blocking",
            "halves",
            "drive",
            "connection",
            "error",
            "deflate",
            "handshake",
            "pool",
            "deadline",
            "lock",
            "protocol",
            "frame",
        ],
    ),
    (
        "crates/upgrade/src",
        &[
            "layer", "tokio", "blocking", "dial", "tls", "exchange", "head", "syntax", "error",
            "cause", "fault", "socket",
        ],
    ),
];

/// Fails where a module uses one above it, or where two front ends know each other.
pub(crate) fn run(project: &Project) -> Result<()> {
    for (library, modules) in LIBRARIES {
        let root = project.path(library);
        for (rank, module) in modules.iter().enumerate() {
            for file in files_of(&root, module)? {
                let text = fs::read_to_string(&file)?;
                for used in used_modules(&text) {
                    let Some(below) = modules.iter().position(|other| *other == used) else {
                        continue;
                    };
                    let is_front_end = |name: &str| matches!(name, "blocking" | "tokio");
                    let are_siblings = is_front_end(module) && is_front_end(used);
                    ensure!(
                        below == rank || below > rank && !are_siblings,
                        "{} uses {used}, which is not below {module}",
                        file.display()
                    );
                }
            }
        }
        println!("{library}: every module uses those below it alone");
    }
    Ok(())
}

/// The files of a module, which is a directory or one file.
fn files_of(root: &Path, module: &str) -> Result<Vec<PathBuf>> {
    let file = root.join(module).with_extension("rs");
    if file.exists() {
        return Ok(vec![file]);
    }
    let mut files = Vec::new();
    let mut directories = vec![root.join(module)];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory);
        for entry in entries.with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// The modules of its crate that a file names outside of comments and unit tests.
fn used_modules(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
}

#[cfg(test)]
mod tests {
    use super::used_modules;

    #[test]
    fn comments_and_unit_tests_do_not_count() {
        let text = "//! [`a`](crate::a)\nuse crate::b::{C, d};\nfn f() { crate::e::g() }\n#[cfg(test)]\nmod tests {\n    use crate::h;\n}\n";
        assert_eq!(used_modules(text).collect::<Vec<_>>(), ["b", "e"]);
    }
}
