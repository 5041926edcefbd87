//! Licence expressions, as manifests have them.

use std::str::SplitWhitespace;

use anyhow::{Result, bail, ensure};

/// Tells whether some choice that the expression leaves takes only licences that are allowed.
///
/// `AND` binds closer than `OR`, and the outdated `/` means `OR`.
pub(super) fn is_allowed(expression: &str, allowed: &[&str]) -> Result<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut parser = Parser {
        words: spaced.split_whitespace(),
        allowed,
    };
    let (is_allowed, end) = parser.any()?;
    ensure!(end.is_none(), "`{expression}` ends too early");
    Ok(is_allowed)
}

struct Parser<'a> {
    words: SplitWhitespace<'a>,
    allowed: &'a [&'a str],
}

impl<'a> Parser<'a> {
    /// Reads what `OR` separates. Also returns the word after it.
    fn any(&mut self) -> Result<(bool, Option<&'a str>)> {
        let (mut any, mut next) = self.all()?;
        while next == Some("OR") {
            let (other, after) = self.all()?;
            any |= other;
            next = after;
        }
        Ok((any, next))
    }

    /// Reads what `AND` separates. Also returns the word after it.
    fn all(&mut self) -> Result<(bool, Option<&'a str>)> {
        let (mut all, mut next) = self.one()?;
        while next == Some("AND") {
            let (other, after) = self.one()?;
            all &= other;
            next = after;
        }
        Ok((all, next))
    }

    /// Reads a licence or what is in parentheses. Also returns the word after it.
    fn one(&mut self) -> Result<(bool, Option<&'a str>)> {
        match self.words.next() {
            Some("(") => {
                let (inner, end) = self.any()?;
                ensure!(end == Some(")"), "a parenthesis is not closed");
                Ok((inner, self.words.next()))
            }
            Some(name) => match self.words.next() {
                Some("WITH") => {
                    let exception = self.words.next().unwrap_or_default();
                    let name = format!("{name} WITH {exception}");
                    Ok((self.allowed.contains(&&*name), self.words.next()))
                }
                next => Ok((self.allowed.contains(&name), next)),
            },
            None => bail!("a licence is missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        let allowed = ["MIT", "ISC"];
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND ISC", true),
            ("MIT AND GPL-3.0", false),
            ("MIT OR ISC AND GPL-3.0", true),
            ("(MIT OR ISC) AND GPL-3.0", false),
            ("GPL-3.0 AND (MIT OR ISC)", false),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("MIT WITH LLVM-exception", false),
            ("MIT WITH LLVM-exception OR ISC", true),
        ] {
            let answer = is_allowed(expression, &allowed).unwrap();
            assert_eq!(answer, expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "()"] {
            assert!(is_allowed(expression, &["MIT"]).is_err(), "{expression}");
        }
    }
}
