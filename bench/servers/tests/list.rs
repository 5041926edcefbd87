//! What `list` says is so.

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;

#[test]
fn names_are_unique_and_versions_are_those_of_the_lock_file() {
    let lock = include_str!("../../Cargo.lock");
    let list = Command::new(env!("CARGO_BIN_EXE_framewire-bench-servers"))
        .arg("list")
        .output()
        .unwrap();
    let mut names = HashSet::new();
    for line in String::from_utf8(list.stdout).unwrap().lines() {
        let server: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| server[name].as_str().unwrap().to_owned();
        assert!(names.insert(field("name")), "{line}");
        let locked = format!(
            "name = \"{}\"\nversion = \"{}",
            field("crate"),
            field("version")
        );
        assert!(lock.contains(&locked), "{line}");
    }
    assert!(names.len() > 15, "{names:?}");
}
