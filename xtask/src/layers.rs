//! Dependencies between modules and between files, as DESIGN 3 draws them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::imports::{Use, uses};
use crate::project::Project;

/// Fails where a module uses one above it, where two front ends know each other, or where files import from each other.
pub(crate) fn run(project: &Project) -> Result<()> {
    let mut faults = Vec::new();
    for (folder, root, modules) in CRATES {
        let sources = project.path(folder);
        let read = |file: &str| fs::read_to_string(sources.join(file)).ok();
        let uses = uses(root, &read).context(folder)?;
        let modules: Vec<&str> = modules.split(' ').collect();
        let found = [upward(&modules, &uses), circles(&uses)].concat();
        if found.is_empty() {
            println!(
                "{folder}: each module uses only those below it, and no two files import from each other"
            );
        }
        faults.extend(found.iter().map(|fault| format!("\n{folder}: {fault}")));
    }
    ensure!(faults.is_empty(), "against DESIGN 3:{}", faults.concat());
    Ok(())
}

/// Returns each use of a module that is not below the user's.
fn upward(modules: &[&str], uses: &BTreeSet<Use>) -> Vec<String> {
    let rank = |file: &str| {
        let module = file.split(['/', '.']).next();
        modules.iter().position(|other| Some(*other) == module)
    };
    let is_front_end = |rank: usize| matches!(modules[rank], "blocking" | "tokio");
    let mut faults = BTreeSet::new();
    for Use { user, used, .. } in uses {
        let (Some(from), Some(to)) = (rank(user), rank(used)) else {
            continue;
        };
        if to < from || to > from && is_front_end(from) && is_front_end(to) {
            faults.insert(format!(
                "{user} uses {used}, and {} is not below {}",
                modules[to], modules[from]
            ));
        }
    }
    faults.into_iter().collect()
}

/// Returns the shortest circle of each file that is in one, and each circle once.
fn circles(uses: &BTreeSet<Use>) -> Vec<String> {
    let mut used_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in uses.iter().filter(|one| one.takes_item) {
        used_by.entry(&one.user).or_default().push(&one.used);
    }
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for start in used_by.keys() {
        let Some(circle) = shortest_circle(start, &used_by) else {
            continue;
        };
        let files: BTreeSet<&str> = circle.iter().copied().collect();
        if seen.insert(files) {
            circles.push(circle.join(" -> "));
        }
    }
    circles
}

/// Returns the shortest way from a file back to it.
fn shortest_circle<'a>(
    start: &'a str,
    used_by: &BTreeMap<&str, Vec<&'a str>>,
) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way
            .last()
            .and_then(|last| used_by.get(last))
            .into_iter()
            .flatten()
        {
            let longer = [&way[..], &[next]].concat();
            if *next == start {
                return Some(longer);
            }
            if seen.insert(*next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// A crate, its root, and the modules of a library from the top down: each may use those below it alone.
const CRATES: [(&str, &str, &str); 3] = [
    (
        "crates/framewire/src",
        "lib.rs",
        "axum hyper tokio blocking halves drive connection error deflate handshake extension_list pool deadline lock protocol frame",
    ),
    (
        "crates/upgrade/src",
        "lib.rs",
        "layer tokio blocking dial tls exchange head syntax error cause fault socket",
    ),
    ("crates/framewire-cli/src", "main.rs", ""),
];

#[cfg(test)]
mod tests {
    use super::{circles, upward, uses};

    #[test]
    fn a_grouped_import_of_a_module_above_is_found() {
        let files = [
            ("lib.rs", "mod top; mod base;"),
            ("top.rs", "use crate::base::A; pub struct B;"),
            (
                "base.rs",
                "use crate::{C, top::{B as Other, D}}; pub struct A;",
            ),
        ];
        assert_eq!(
            faults(&files)[0],
            "base.rs uses top.rs, and top is not below base"
        );
    }

    #[test]
    fn an_inline_path_through_super_to_a_module_above_is_found() {
        let files = [
            ("lib.rs", "mod top; mod base;"),
            ("top.rs", "pub fn f() {}"),
            ("base/mod.rs", "mod child;"),
            (
                "base/child.rs",
                "fn g() { matches!(super::super::top::f(), ()) }",
            ),
        ];
        assert_eq!(
            faults(&files),
            ["base/child.rs uses top.rs, and top is not below base"]
        );
    }

    #[test]
    fn front_ends_do_not_know_each_other() {
        let files = [
            ("lib.rs", "mod tokio; mod blocking;"),
            ("tokio.rs", "use crate::blocking;"),
            ("blocking.rs", ""),
        ];
        assert_eq!(
            faults(&files),
            ["tokio.rs uses blocking.rs, and blocking is not below tokio"]
        );
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_name() {
        let mut files = [
            ("lib.rs", "pub mod base; pub use base::Config;"),
            (
                "base/mod.rs",
                "mod config; mod reader; pub use config::Config; pub(crate) use reader::Reader;",
            ),
            ("base/config.rs", "pub struct Config;"),
            (
                "base/reader.rs",
                "use super::Config; pub struct Reader(Config);",
            ),
        ];
        assert_eq!(faults(&files), [""; 0]);
        files[2].1 = "pub struct Config(crate::base::Reader);";
        let circle = "base/config.rs -> base/reader.rs -> base/config.rs";
        assert_eq!(faults(&files), [circle]);
    }

    #[test]
    fn a_parent_with_code_of_its_own_and_its_child_are_a_circle() {
        let parent = "mod child; pub use self::child::run; pub struct Shared;";
        let child = "use super::Shared; pub fn run(_: Shared) {}";
        assert_eq!(faults(&[("lib.rs", parent), ("child.rs", child)]), [""; 0]);
        let parent = [parent, "fn go() { run(Shared) }"].concat();
        let circle = "child.rs -> lib.rs -> child.rs";
        assert_eq!(
            faults(&[("lib.rs", &parent), ("child.rs", child)]),
            [circle]
        );
    }

    #[test]
    fn a_longer_circle_is_printed_once() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use super::b; fn a() { b::b() }"),
            ("b.rs", "pub fn b() { crate::c::c() }"),
            (
                "c.rs",
                "use crate::{a::{self}, b as other}; pub fn c() { a::a() }",
            ),
        ];
        assert_eq!(faults(&files), ["a.rs -> b.rs -> c.rs -> a.rs"]);
    }

    #[test]
    fn comments_literals_and_unit_tests_do_not_count() {
        let a = r#"
            //! [`B`](crate::b::B)
            use ::b::B;
            #[cfg(test)]
            mod tests { use crate::b::B; }
            #[cfg(all(test, model))]
            mod model;
            const A: &str = "crate::b::B";
        "#;
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ];
        assert_eq!(faults(&files), [""; 0]);
    }

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &str| {
            let file = files.iter().find(|(name, _)| *name == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        let uses = uses("lib.rs", &read).unwrap();
        [
            upward(&["top", "tokio", "blocking", "base"], &uses),
            circles(&uses),
        ]
        .concat()
    }
}
