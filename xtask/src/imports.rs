//! Which file of a crate uses which: its modules as the code declares them, and the paths that each names.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path in one file of a crate that leads to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) user: String,
    pub(crate) used: String,
    /// Whether the user takes an item of the file. It does not where it names the module on the way to an item of
    /// another file, or re-exports an item of a module of its own.
    pub(crate) takes_item: bool,
}

/// Returns what the files of a crate use of each other, unit tests left out. `read` returns the text of a file, whose
/// path is relative to the folder of `root`.
pub(crate) fn uses(root: &str, read: Read<'_>) -> Result<BTreeSet<Use>> {
    let mut modules = Modules::default();
    modules.add_file(root, "", read)?;
    Ok(modules.uses())
}

type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The modules of a crate by their paths, such as `connection/config`. That of the root is empty.
#[derive(Default)]
struct Modules(BTreeMap<String, Module>);

#[derive(Default)]
struct Module {
    file: String,
    paths: BTreeSet<Named>,
}

/// A path in the code of a module, of one name or more.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    path: Vec<String>,
    /// The name that stands for the path, if this is of a `use`.
    import: Option<String>,
    is_re_export: bool,
}

impl Modules {
    fn add_file(&mut self, file: &str, module: &str, read: Read<'_>) -> Result<()> {
        let text = read(file).with_context(|| format!("cannot read {file}"))?;
        let code = text.parse().map_err(|error| anyhow!("{file}: {error}"))?;
        let mut words = Vec::new();
        flatten(code, &mut words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.add_module(file, module, &words, read)
    }

    fn add_module(&mut self, file: &str, path: &str, code: &[&str], read: Read<'_>) -> Result<()> {
        let mut module = Module::default();
        module.file.push_str(file);
        let mut is_public = false;
        let mut rest = code;
        while let [word, after @ ..] = rest {
            rest = match rest {
                [
                    "#",
                    "[",
                    "cfg",
                    "(",
                    "test" | "doctest",
                    ")",
                    "]",
                    item @ ..,
                ]
                | [
                    "#",
                    "[",
                    "cfg",
                    "(",
                    "all",
                    "(",
                    "test" | "doctest",
                    ",",
                    item @ ..,
                ] => split_item(item).1,
                ["use", next, ..] if *next != "<" => module.import(after, is_public),
                ["mod", name, ";", behind @ ..] => {
                    let child = joined(path, name);
                    let beside = format!("{child}.rs");
                    let file = if read(&beside).is_some() {
                        beside
                    } else {
                        format!("{child}/mod.rs")
                    };
                    self.add_file(&file, &child, read)?;
                    behind
                }
                ["mod", name, body @ ..] => {
                    let (body, behind) = split_item(body);
                    self.add_module(file, &joined(path, name), body, read)?;
                    behind
                }
                _ if is_name(word) => {
                    let mut path = vec![(*word).to_owned()];
                    let mut behind = after;
                    while let ["::", name, more @ ..] = behind
                        && is_name(name)
                    {
                        path.push((*name).to_owned());
                        behind = more;
                    }
                    module.paths.insert(Named {
                        path,
                        import: None,
                        is_re_export: false,
                    });
                    behind
                }
                // Of another crate, such as `::http`, or of a type.
                ["::", name, ..] if is_name(name) => &after[1..],
                _ => after,
            };
            // `pub(crate) use`, too.
            is_public =
                *word == "pub" || is_public && matches!(*word, "(" | "crate" | "super" | ")");
        }
        self.0.insert(path.to_owned(), module);
        Ok(())
    }

    fn uses(&self) -> BTreeSet<Use> {
        let mut uses = BTreeSet::new();
        for (name, module) in &self.0 {
            for Named {
                path, is_re_export, ..
            } in &module.paths
            {
                // The modules on the way are named, too.
                for length in 1..=path.len() {
                    let Some((target, is_item)) = self.resolve(name, &path[..length], 0) else {
                        continue;
                    };
                    let file = &self.0[&target].file;
                    if *file != module.file && (!is_item || length == path.len()) {
                        let passes_on = *is_re_export && target.starts_with(&joined(name, ""));
                        uses.insert(Use {
                            user: module.file.clone(),
                            used: file.clone(),
                            takes_item: is_item && !passes_on,
                        });
                    }
                }
            }
        }
        uses
    }

    /// Returns the module that a path leads to through re-exports, and whether it leads to an item of it. `None`
    /// where it leaves the crate or begins with an item of `module` itself. `hops` counts the imports that were
    /// followed.
    fn resolve(&self, module: &str, path: &[String], hops: usize) -> Option<(String, bool)> {
        // Only a name that stands for itself leads this far, such as `use http::{self}`.
        if hops > 8 {
            return None;
        }
        let mut at = module.to_owned();
        for (index, name) in path.iter().enumerate() {
            let child = joined(&at, name);
            let is_module = self.0.contains_key(&child);
            // A module and a function may share a name, and a path through it means the module.
            let is_passed = is_module && index + 1 < path.len();
            let mut imports = self.0[&at].paths.iter();
            match (
                name.as_str(),
                imports.find(|one| one.import.as_ref() == Some(name)),
            ) {
                ("crate", _) => at.clear(),
                ("self", _) => {}
                ("super", _) => at.truncate(at.rfind('/').unwrap_or(0)),
                (_, Some(import)) if !is_passed => {
                    let (target, is_item) = self.resolve(&at, &import.path, hops + 1)?;
                    if is_item {
                        return Some((target, true));
                    }
                    at = target;
                }
                _ if is_module => at = child,
                _ if index == 0 => return None,
                _ => return Some((at, true)),
            }
        }
        Some((at, false))
    }
}

impl Module {
    /// Reads what a `use` brings, and returns what follows it.
    fn import<'a, 'b>(&mut self, tree: &'a [&'b str], is_re_export: bool) -> &'a [&'b str] {
        let mut prefixes = vec![Vec::new()];
        let mut path = Vec::new();
        let mut alias = None;
        let mut words = tree.iter();
        while let Some(word) = words.next() {
            match *word {
                // An empty name, which leads nowhere, stands before that of another crate.
                "::" if path.is_empty() => path.push(String::new()),
                "::" => {}
                "as" => alias = words.next(),
                "{" => prefixes.push(path.clone()),
                "," | "}" | ";" => {
                    if prefixes.last() != Some(&path) {
                        let last = path.iter().rfind(|name| *name != "self");
                        let import = alias.take().map(|&name| name.to_owned()).or(last.cloned());
                        self.paths.insert(Named {
                            path,
                            import,
                            is_re_export,
                        });
                    }
                    match *word {
                        ";" => break,
                        "}" => drop(prefixes.pop()),
                        _ => {}
                    }
                    path = prefixes.last().cloned().unwrap_or_default();
                }
                _ => path.push((*word).to_owned()),
            }
        }
        words.as_slice()
    }
}

/// Splits off the item with which the code begins: up to its semicolon, or to the end of its body.
fn split_item<'a, 'b>(code: &'a [&'b str]) -> (&'a [&'b str], &'a [&'b str]) {
    let mut depth = 0_usize;
    let end = code.iter().position(|word| {
        match *word {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(*word, ";" | "}")
    });
    code.split_at(end.map_or(code.len(), |end| end + 1))
}

/// Adds the words of the code: names, punctuation and brackets. Literals are left out.
fn flatten(code: TokenStream, words: &mut Vec<String>) {
    for token in code {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket | Delimiter::None => ("[", "]"),
                };
                words.push(open.to_owned());
                flatten(group.stream(), words);
                words.push(close.to_owned());
            }
            // No two colons stand side by side but for this.
            TokenTree::Punct(colon)
                if colon.as_char() == ':' && words.last().is_some_and(|last| last == ":") =>
            {
                words.pop();
                words.push("::".to_owned());
            }
            TokenTree::Literal(_) => {}
            other => words.push(other.to_string()),
        }
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn joined(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}/{name}")
    }
}
