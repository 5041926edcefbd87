//! Errors with their causes, as text.

use std::error::Error;
use std::fmt;

/// Writes what happened and then, each after a colon, the causes down to the innermost. A cause that is already in the
/// text, after a colon or in parentheses, is left out.
pub fn write_with_causes(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    cause: Option<&(dyn Error + 'static)>,
) -> fmt::Result {
    let mut text = what.to_owned();
    let mut next = cause;
    while let Some(cause) = next {
        let words = cause.to_string();
        if !stands_in(&text, &words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    f.write_str(&text)
}

/// Returns whether words are a part of a text by themselves, and not just letters of a host's name.
fn stands_in(text: &str, words: &str) -> bool {
    words.is_empty()
        || text.match_indices(words).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + words.len()..]);
            let begins = before.is_empty() || before.ends_with(": ") || before.ends_with('(');
            begins && (after.is_empty() || after.starts_with(": ") || after.starts_with(')'))
        })
}

#[cfg(test)]
mod tests {
    use super::stands_in;

    #[test]
    fn a_cause_is_left_out_where_it_stands_by_itself() {
        for text in [
            "refused",
            "no way: refused",
            "no way (refused)",
            "refused: by all",
        ] {
            assert!(stands_in(text, "refused"), "{text}");
        }
        for text in [
            "",
            "cannot connect to refused.example",
            "the request was refused twice",
            "the request was refused",
            "refused twice",
        ] {
            assert!(!stands_in(text, "refused"), "{text}");
        }
    }
}
