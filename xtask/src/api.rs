//! The public API of the libraries, held against what is committed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use public_api::tokens::Token;
use public_api::{Builder, PublicItem};

use crate::process;
use crate::project::Project;

/// Compare the public API of the libraries, with all features, with `API.txt` beside each `Cargo.toml`
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Write the files anew instead
    #[arg(long)]
    accept: bool,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let mut differing = Vec::new();
    for (package, committed) in CRATES {
        let items = items(project, package)?;
        println!("{package}: {}", Counts::of(&items));

        let path = project.path(committed);
        let is = lines(&items);
        if options.accept {
            fs::write(&path, is).with_context(|| format!("cannot write {committed}"))?;
            continue;
        }
        let was = fs::read_to_string(&path).with_context(|| format!("cannot read {committed}"))?;
        if was != is {
            print!("{}", difference(&was, &is));
            differing.push(committed);
        }
    }
    ensure!(
        differing.is_empty(),
        "the public API is not what {} says: if it is to change, commit what `cargo xtask api --accept` writes",
        differing.join(" and ")
    );
    Ok(())
}

/// Something public, or an implementation of a trait for something public.
struct Item {
    id: u32,
    parent: Option<u32>,
    /// Its declaration with whole paths, such as `pub fn framewire::Error::kind(&self) -> framewire::ErrorKind`. An
    /// item that is re-exported has one for each of its paths.
    line: String,
    /// A keyword, such as `fn`; empty for fields and variants.
    kind: String,
    /// Of a method that takes `self`: the name of the type.
    receiver: Option<String>,
}

impl Item {
    fn new(item: &PublicItem) -> Self {
        let tokens: Vec<&Token> = item.tokens().collect();
        let kind = tokens.iter().find_map(|token| match token {
            Token::Kind(kind) => Some(kind.clone()),
            Token::Keyword(word) if word == "impl" => Some(word.clone()),
            _ => None,
        });
        let takes_self = tokens
            .iter()
            .any(|token| matches!(token, Token::Self_(word) if word == "self"));
        let name = tokens
            .iter()
            .position(|token| matches!(token, Token::Function(_)));
        let receiver = name.filter(|_| takes_self).map(|name| {
            // pub fn framewire::WebSocket<S>::
            let before: String = tokens[..name].iter().map(|token| token.text()).collect();
            let path = before.split('<').next().unwrap_or_default();
            let names = path.trim_end_matches("::").rsplit("::");
            names.take(1).collect()
        });
        Self {
            id: item.id().0,
            parent: item.parent_id().map(|id| id.0),
            line: item.to_string(),
            kind: kind.unwrap_or_default(),
            receiver,
        }
    }
}

/// Returns all that is public, in an order that depends on nothing else.
fn items(project: &Project, package: &str) -> Result<Vec<Item>> {
    let directory = project.target("api");
    let mut cargo = project.cargo(&["rustdoc", "--locked", "--quiet", "--lib", "--all-features"]);
    cargo
        .args(["--package", package, "--"])
        .args(JSON)
        // What docs.rs passes: an unstable feature that is gone fails here. Lints have a step of their own.
        .args(["--cfg=docsrs", "--cap-lints=allow"])
        // Stable Rust then takes the unstable options too. Build scripts run again where this changes, so the build
        // directory is one of its own.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &directory);
    process::run(&mut cargo, RUSTDOC)?;
    read(&directory.join(format!("doc/{}.json", package.replace('-', "_"))))
}

/// Reads what rustdoc has written.
fn read(file: &Path) -> Result<Vec<Item>> {
    let json = fs::read_to_string(file).context("no JSON of rustdoc's")?;
    let format = json.rsplit_once("\"format_version\":");
    let format = format.map_or("?", |(_, rest)| rest.trim_end_matches('}'));
    ensure!(
        format == FORMAT,
        "rustdoc writes format {format} of its JSON, and the version of `public-api` in xtask/Cargo.toml reads {FORMAT}"
    );
    let api = Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .context("rustdoc's JSON")?;
    Ok(api.items().map(Item::new).collect())
}

/// Returns the lines of the file, each once. Functions of a trait are left out where it is implemented: the trait says
/// what they are.
fn lines(items: &[Item]) -> String {
    let parents = Parents::of(items);
    let mut seen = HashSet::new();
    items
        .iter()
        .filter(|item| item.kind != "fn" || !parents.implement_a_trait(item))
        .filter(|item| seen.insert(&item.line))
        .flat_map(|item| [&item.line, "\n"])
        .collect()
}

/// Returns the lines that are gone and those that are new, the two of a changed signature beside each other.
fn difference(was: &str, is: &str) -> String {
    let old: BTreeSet<&str> = was.lines().collect();
    let new: BTreeSet<&str> = is.lines().collect();
    let gone = old.difference(&new).map(|line| (path(line), "- ", *line));
    let added = new.difference(&old).map(|line| (path(line), "+ ", *line));
    let mut changes: Vec<_> = gone.chain(added).collect();
    // Stable: what is gone stays before what is new.
    changes.sort_by_key(|(path, ..)| *path);
    if changes.is_empty() {
        return "the same lines, in another order or twice\n".to_owned();
    }
    let lines = changes
        .iter()
        .flat_map(|(_, sign, line)| [sign, line, "\n"]);
    lines.collect()
}

/// Returns what a declaration declares, without `pub async fn` before it and parameters behind it.
fn path(line: &str) -> &str {
    let mut words = line.split(' ');
    words
        .find(|word| word.contains("::"))
        .and_then(|word| word.split('(').next())
        .unwrap_or(line)
}

/// How large an API is. What has several paths counts once. Functions of a trait count where it is declared, not
/// where it is implemented.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    types: usize,
    functions: usize,
    calls: usize,
}

impl Counts {
    fn of(items: &[Item]) -> Self {
        let parents = Parents::of(items);
        let mut seen = HashSet::new();
        let mut counts = Self::default();
        for item in items.iter().filter(|item| seen.insert(item.id)) {
            match item.kind.as_str() {
                "struct" | "enum" | "union" | "trait" => counts.types += 1,
                "type" if parents.kind(item) == "mod" => counts.types += 1,
                "fn" if !parents.implement_a_trait(item) => {
                    counts.functions += 1;
                    let receiver = item.receiver.as_deref().unwrap_or_default();
                    counts.calls += usize::from(CONNECTIONS.contains(&receiver));
                }
                _ => {}
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            types,
            functions,
            calls,
        } = self;
        write!(
            f,
            "{types} types, {functions} functions and methods, {calls} of them calls on connections and halves"
        )
    }
}

/// What items are in, by number.
struct Parents<'a>(HashMap<u32, &'a Item>);

impl<'a> Parents<'a> {
    fn of(items: &'a [Item]) -> Self {
        Self(items.iter().map(|item| (item.id, item)).collect())
    }

    fn kind(&self, item: &Item) -> &'a str {
        self.get(item).map_or("", |parent| &parent.kind)
    }

    fn implement_a_trait(&self, item: &Item) -> bool {
        // impl<S> core::fmt::Debug for framewire::WebSocket<S>
        self.get(item)
            .is_some_and(|parent| parent.kind == "impl" && parent.line.contains(" for "))
    }

    fn get(&self, item: &Item) -> Option<&'a Item> {
        self.0.get(&item.parent?).copied()
    }
}

/// The libraries, and what their API was.
const CRATES: [(&str, &str); 2] = [
    ("framewire", "crates/framewire/API.txt"),
    ("framewire-upgrade", "crates/upgrade/API.txt"),
];
/// The types of connections and their halves, blocking and over tokio.
const CONNECTIONS: [&str; 5] = ["WebSocket", "Reader", "Writer", "ReadHalf", "WriteHalf"];
const JSON: [&str; 2] = ["-Zunstable-options", "--output-format=json"];
const FORMAT: &str = "57";
const RUSTDOC: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::time::Duration;

    use super::{Counts, JSON, difference, lines, read};
    use crate::process;

    #[test]
    fn what_is_public_is_listed_and_counted() {
        let directory = std::env::temp_dir().join(format!("framewire-api-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let source = directory.join("sample.rs");
        fs::write(&source, SAMPLE).unwrap();
        let mut rustdoc = Command::new("rustdoc");
        rustdoc
            .args(JSON)
            .args(["--crate-type=lib", "--edition=2024", "--out-dir"])
            .args([&directory, &source])
            .env("RUSTC_BOOTSTRAP", "1");
        process::run(&mut rustdoc, Duration::from_secs(60)).unwrap();
        let items = read(&directory.join("sample.json"));
        fs::remove_dir_all(&directory).unwrap();

        let items = items.unwrap();
        assert_eq!(lines(&items), SAMPLE_LINES);
        let counts = Counts {
            types: 4,
            functions: 5,
            calls: 2,
        };
        assert_eq!(Counts::of(&items), counts);
    }

    const SAMPLE: &str = "
        mod hidden {
            #[derive(Debug)]
            pub struct WebSocket<S>(S);
            impl<S> WebSocket<S> {
                pub fn new(stream: S) -> Self { Self(stream) }
                pub async fn read<F: FnMut(u8) -> bool>(&mut self, f: F) { drop(f) }
                pub fn into_inner(self) -> S { self.0 }
                pub(crate) fn close(&self) {}
            }
            impl<S: Send> Iterator for WebSocket<S> {
                type Item = u8;
                fn next(&mut self) -> Option<u8> { None }
            }
        }
        pub mod blocking {
            pub use crate::hidden::WebSocket;
            pub type Bytes = WebSocket<Vec<u8>>;
            #[doc(hidden)]
            pub fn hidden() {}
        }
        pub use blocking::WebSocket;
        #[non_exhaustive]
        pub enum Kind { A, B { code: u16 } }
        pub trait Engine { type Error; fn run(&self) -> Result<(), Self::Error>; }
        pub const fn kind() -> Kind { Kind::A }
    ";

    const SAMPLE_LINES: &str = "\
pub mod sample
pub mod sample::blocking
pub struct sample::blocking::WebSocket<S>(_)
impl<S> sample::WebSocket<S>
pub fn sample::WebSocket<S>::into_inner(self) -> S
pub fn sample::WebSocket<S>::new(S) -> Self
pub async fn sample::WebSocket<S>::read<F: core::ops::function::FnMut(u8) -> bool>(&mut self, F)
impl<S: core::fmt::Debug> core::fmt::Debug for sample::WebSocket<S>
impl<S: core::marker::Send> core::iter::traits::iterator::Iterator for sample::WebSocket<S>
pub type sample::WebSocket<S>::Item = u8
pub type sample::blocking::Bytes = sample::WebSocket<alloc::vec::Vec<u8>>
#[non_exhaustive] pub enum sample::Kind
pub sample::Kind::A
pub sample::Kind::B
pub sample::Kind::B::code: u16
pub struct sample::WebSocket<S>(_)
pub trait sample::Engine
pub type sample::Engine::Error
pub fn sample::Engine::run(&self) -> core::result::Result<(), Self::Error>
pub const fn sample::kind() -> sample::Kind
";

    #[test]
    fn a_changed_signature_is_two_lines_beside_each_other() {
        let was = "pub mod a\npub fn a::b(&self)\npub fn a::c()\n";
        let is = "pub mod a\npub async fn a::b(&self)\npub fn a::c()\npub fn a::a()\n";
        let changes = "+ pub fn a::a()\n- pub fn a::b(&self)\n+ pub async fn a::b(&self)\n";
        assert_eq!(difference(was, is), changes);
    }
}
