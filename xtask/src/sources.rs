//! The tests of this repository, from its sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::project::Project;

/// The files that have a test of a name.
pub(crate) type Tests = BTreeMap<String, Vec<String>>;

/// Returns all tests of the libraries, the program and the test crate.
pub(crate) fn tests(project: &Project) -> Result<Tests> {
    let mut tests = Tests::new();
    for folder in FOLDERS {
        add_folder(&project.path(folder), folder, &mut tests)?;
    }
    Ok(tests)
}

fn add_folder(folder: &Path, name: &str, tests: &mut Tests) -> Result<()> {
    let listing = || format!("cannot list {name}");
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).with_context(listing)?.collect();
    let mut paths: Vec<_> = entries
        .with_context(listing)?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    paths.sort_unstable();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{name}/{file}");
        if path.is_dir() {
            add_folder(&path, &name, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            let code = text.parse().map_err(|error| anyhow!("{name}: {error}"))?;
            add_tests(code, &name, tests);
        }
    }
    Ok(())
}

/// Adds the functions with an attribute such as `#[test]`, in modules and in what macros are given too, less those that
/// are ignored.
fn add_tests(code: TokenStream, file: &str, tests: &mut Tests) {
    let (mut is_test, mut is_ignored) = (false, false);
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            (TokenTree::Punct(hash), Some(TokenTree::Group(attribute)))
                if hash.as_char() == '#' && attribute.delimiter() == Delimiter::Bracket =>
            {
                is_test |= path(attribute).last().is_some_and(|name| name == "test");
                is_ignored |= path(attribute) == ["ignore"];
                tokens.next();
            }
            (TokenTree::Ident(keyword), Some(TokenTree::Ident(name))) if keyword == "fn" => {
                if is_test && !is_ignored {
                    let files = tests.entry(name.to_string()).or_default();
                    files.push(file.to_owned());
                }
                (is_test, is_ignored) = (false, false);
            }
            (TokenTree::Group(group), _) => add_tests(group.stream(), file, tests),
            _ => {}
        }
    }
}

/// Returns the names of an attribute's path: of `#[tokio::test(..)]`, `tokio` and `test`.
fn path(attribute: &Group) -> Vec<String> {
    let mut names = Vec::new();
    for token in attribute.stream() {
        match token {
            TokenTree::Ident(name) => names.push(name.to_string()),
            TokenTree::Punct(colon) if colon.as_char() == ':' => {}
            _ => break,
        }
    }
    names
}

const FOLDERS: [&str; 2] = ["crates", "tests"];

#[cfg(test)]
mod tests {
    use super::{Tests, add_tests};

    #[test]
    fn functions_that_are_tests_are_found() {
        let code = r##"
            //! fn comment() {}
            #[test]
            fn plain() { #[test] fn within() {} }
            #[tokio::test(flavor = "current_thread")]
            #[cfg(feature = "a")]
            pub(crate) async fn over_tokio() -> Result<(), ()> { Ok(()) }
            proptest! {
                #![proptest_config(a)]
                #[test]
                fn property(a in any()) { a }
            }
            #[cfg(test)]
            mod tests {
                use super::*;
                #[test]
                #[should_panic(expected = "test")]
                fn of_a_module() {}
            }
            #[allow(test)]
            fn allowed() {}
            fn helper() {}
            #[test]
            #[ignore = "slow"]
            fn ignored() {}
            const TEXT: &str = "#[test] fn text() {}";
            fn last() {}
        "##;
        let mut tests = Tests::new();
        add_tests(code.parse().unwrap(), "a.rs", &mut tests);
        add_tests("#[test] fn plain() {}".parse().unwrap(), "b.rs", &mut tests);
        let names: Vec<_> = tests.keys().collect();
        assert_eq!(
            names,
            ["of_a_module", "over_tokio", "plain", "property", "within"]
        );
        assert_eq!(tests["plain"], ["a.rs", "b.rs"]);
    }
}
