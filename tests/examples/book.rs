//! The book in `docs` is whole: its summary has every chapter, its links lead somewhere, and its code is compiled. The
//! links of the repository's other pages lead somewhere too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The pages by their names, such as `how-to/files.md`, from `docs` or from the root of the repository.
type Pages = BTreeMap<String, String>;

#[test]
fn every_page_is_in_the_summary() {
    let pages = pages();
    assert!(pages.len() > 20, "{}", pages.len());
    assert_eq!(not_in_summary(&pages), [""; 0]);
}

#[test]
fn every_link_leads_somewhere() {
    let exists = |path: &str| docs().join("..").join(path).exists();
    assert_eq!(broken_links(&pages_of_the_repository(), exists), [""; 0]);
}

#[test]
fn every_label_has_a_definition_and_every_definition_is_used() {
    let unmatched = unmatched_labels(&pages_of_the_repository());
    assert_eq!(unmatched, [""; 0]);
}

#[test]
fn every_block_of_rust_is_compiled() {
    let compiled = read("../crates/framewire/src/book.rs");
    assert_eq!(not_compiled(&pages(), &compiled), [""; 0]);
}

#[test]
fn chapters_are_short() {
    for (name, text) in &pages() {
        let is_chapter = name.contains('/') || name == "reference.md";
        let lines = text.lines().filter(|line| definition(line).is_none());
        let longest = lines.map(|line| line.chars().count()).max();
        if is_chapter {
            assert!(text.lines().count() < 300, "{name}");
            assert!(longest <= Some(120), "{name}: {longest:?}");
        }
    }
}

#[test]
fn the_program_of_the_tutorial_is_the_example_that_is_tested() {
    let example = read("../crates/framewire/examples/tokio/chat_rooms.rs");
    let pages = pages();
    let code = ["tutorial/5-orderly-end.md", "tutorial/6-tests.md"].map(|page| {
        let mut blocks = blocks(&pages[page]).into_iter();
        let mut rust = blocks.by_ref().filter(|(kind, _)| kind.starts_with("rust"));
        rust.next().unwrap().1
    });
    let program = example.split_once("\n\n").unwrap().1;
    assert!(
        program == code.join("\n"),
        "copy the example into the chapters"
    );
}

/// What the proxies of `cargo xtask interop` run with is known to work.
#[test]
fn settings_of_proxies_are_those_that_are_tested() {
    let page = &pages()["how-to/proxies.md"];
    let tested = ["nginx.conf", "haproxy.cfg"]
        .map(|file| read(&format!("../conformance/interop/proxies/{file}")))
        .join("\n");
    let is_setting = |line: &&str| {
        let names = ["proxy_http_version", "proxy_set_header", "map", "mode"];
        names
            .iter()
            .any(|name| line.split(' ').next() == Some(name))
    };
    let mut found = 0;
    for (kind, block) in blocks(page) {
        if kind == "nginx" || kind == "haproxy" {
            for setting in block.lines().map(str::trim).filter(is_setting) {
                found += 1;
                assert!(
                    tested.lines().any(|line| line.trim() == setting),
                    "{setting}"
                );
            }
        }
    }
    assert!(found >= 5, "{found}");
}

/// Returns the pages that the summary does not have, and its entries that are no pages.
fn not_in_summary(pages: &Pages) -> Vec<String> {
    let listed: BTreeSet<_> = links(&pages["SUMMARY.md"]).into_iter().collect();
    let there: BTreeSet<_> = pages
        .keys()
        .filter(|name| *name != "SUMMARY.md")
        .cloned()
        .collect();
    listed.symmetric_difference(&there).cloned().collect()
}

/// Returns the links that lead to no page, file or heading. `exists` says of a path, from where the names of the pages
/// begin, whether it is there.
fn broken_links(pages: &Pages, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, text) in pages {
        for link in links(text) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                name.clone()
            } else {
                resolve(name, path)
            };
            let is_there = match pages.get(&target) {
                Some(page) => heading.is_empty() || headings(page).contains(heading),
                None => heading.is_empty() && exists(&target),
            };
            if !is_there {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    broken
}

/// Returns the labels of `[text][label]` without a definition, and those of definitions that nothing refers to.
fn unmatched_labels(pages: &Pages) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in pages {
        let after = prose(text).flat_map(|line| line.split("][").skip(1));
        let labels = after.filter_map(|rest| rest.split_once(']'));
        let used: BTreeSet<_> = labels.map(|(label, _)| label).collect();
        let defined: BTreeSet<_> = definitions(text).map(|(label, _)| label).collect();
        let unmatched = used.symmetric_difference(&defined);
        found.extend(unmatched.map(|label| format!("{name}: [{label}]")));
    }
    found
}

/// Returns the pages with Rust that the module of the library does not name, blocks without a language, and blocks that
/// are not compiled: those of other libraries' code alone may be so.
fn not_compiled(pages: &Pages, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in pages {
        let blocks = blocks(text);
        let kinds = || blocks.iter().map(|(kind, _)| kind.as_str());
        let is_named = module.contains(&format!("include_str!(\"../docs/{name}\")"));
        if kinds().any(|kind| kind.starts_with("rust")) && !is_named {
            found.push(name.clone());
        }
        let of_others = name.starts_with("coming-from");
        let is_allowed = |kind: &str| KINDS.contains(&kind) || kind == "rust,ignore" && of_others;
        let others = kinds().filter(|kind| !is_allowed(kind));
        found.extend(others.map(|kind| format!("{name}: a block of {kind:?}")));
    }
    found
}

/// Returns the blocks of code with the words behind their fences.
fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, code))) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// Returns the lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Returns where `[text](target)` and `[label]: target` lead to.
fn links(text: &str) -> Vec<String> {
    let after = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = after.filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target);
    let defined = definitions(text).map(|(_, target)| target);
    targets.chain(defined).map(str::to_owned).collect()
}

/// Returns the labels of links with their targets.
fn definitions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    prose(text).filter_map(definition)
}

/// Returns label and target of `[label]: target`, if that is the whole line.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (label, target) = line.strip_prefix('[')?.split_once("]: ")?;
    (!target.contains(' ')).then_some((label, target))
}

/// Returns what a link names a heading by: lower case, hyphens for spaces, without punctuation.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = prose(text).filter(|line| line.starts_with('#'));
    let slug = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(slug).collect()
}

/// Returns the path of a link from the page that has it, from where the page's name begins.
fn resolve(page: &str, link: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn pages() -> Pages {
    let mut pages = Pages::new();
    add_folder(&docs(), "", &mut pages);
    pages
}

/// Returns the pages of the book and those beside it. `crates/framewire/README.md` is the README at the root.
fn pages_of_the_repository() -> Pages {
    let in_docs = |(name, text)| (format!("docs/{name}"), text);
    let others = OTHER_PAGES.map(|name| (name.to_owned(), read(&format!("../{name}"))));
    pages().into_iter().map(in_docs).chain(others).collect()
}

fn add_folder(folder: &Path, name: &str, pages: &mut Pages) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            add_folder(&path, &format!("{name}{file}/"), pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap();
            pages.insert(format!("{name}{file}"), text);
        }
    }
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Reads a file by its path from `docs`.
fn read(path: &str) -> String {
    fs::read_to_string(docs().join(path)).unwrap()
}

const OTHER_PAGES: [&str; 16] = [
    "CHANGELOG.md",
    "CLAUSES.md",
    "COMPARE.md",
    "CONTRIBUTING.md",
    "DESIGN.md",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "bench/README.md",
    "conformance/autobahn/README.md",
    "conformance/interop/README.md",
    "crates/framewire-cli/README.md",
    "crates/upgrade/README.md",
    "examples/cluster/README.md",
    "fuzz/crashes/README.md",
    "tests/README.md",
];
/// What blocks are of. Those of Rust are compiled.
const KINDS: [&str; 9] = [
    "rust",
    "rust,no_run",
    "go",
    "haproxy",
    "js",
    "nginx",
    "sh",
    "text",
    "ini",
];

mod can_fail {
    use super::*;

    fn book(pages: &[(&str, &str)]) -> Pages {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pages.iter().map(own).collect()
    }

    #[test]
    fn a_page_without_an_entry_and_an_entry_without_a_page_are_found() {
        let summary = "- [One](one.md)\n- [Two](how-to/two.md)\n";
        let whole = [
            ("SUMMARY.md", summary),
            ("one.md", ""),
            ("how-to/two.md", ""),
        ];
        assert_eq!(not_in_summary(&book(&whole)), [""; 0]);
        assert_eq!(not_in_summary(&book(&whole[..2])), ["how-to/two.md"]);
        let more = [&whole[..], &[("three.md", "")]].concat();
        assert_eq!(not_in_summary(&book(&more)), ["three.md"]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let one =
            "[a](how-to/two.md#a-title-of-two) [b](three.md) [c](#none)\n```text\n[d](e)\n```\n";
        let two = "## A title, of `two`\n[a](../one.md) [b](../../FILE) [c](../../NONE)\n[d](https://a.example)\n";
        let pages = book(&[("one.md", one), ("how-to/two.md", two)]);
        let broken = broken_links(&pages, |path| path == "../FILE");
        let expected = [
            "how-to/two.md: ../../NONE",
            "one.md: three.md",
            "one.md: #none",
        ];
        assert_eq!(broken, expected);
    }

    #[test]
    fn labels_and_definitions_without_the_other_are_found() {
        let whole = "[a][one] and [b][two]\n\n[one]: https://a.example\n[two]: c.md\n```text\n[d][e]\n```\n";
        assert_eq!(unmatched_labels(&book(&[("a.md", whole)])), [""; 0]);
        assert_eq!(
            broken_links(&book(&[("a.md", whole)]), |_| false),
            ["a.md: c.md"]
        );
        let in_one_paragraph =
            "[a][one] [b][two]\n\n[one]: https://a.example [two]:\nhttps://b.example\n";
        let unused = "[three]: https://a.example\n";
        let pages = book(&[("a.md", in_one_paragraph), ("b.md", unused)]);
        let expected = ["a.md: [one]", "a.md: [two]", "b.md: [three]"];
        assert_eq!(unmatched_labels(&pages), expected);
    }

    #[test]
    fn code_that_is_not_compiled_is_found() {
        let pages = book(&[
            ("named.md", "```rust\n```\n"),
            ("other.md", "```rust,no_run\n```\n"),
            ("odd.md", "```\n```\n```rust,ignore\n```\n```sh\n```\n"),
            ("coming-from-go.md", "```rust,ignore\n```\n"),
        ]);
        let module =
            r#"include_str!("../docs/named.md") include_str!("../docs/coming-from-go.md")"#;
        let expected = [
            "odd.md",
            "odd.md: a block of \"\"",
            "odd.md: a block of \"rust,ignore\"",
            "other.md",
        ];
        assert_eq!(not_compiled(&pages, module), expected);
    }
}
