//! Errors with their causes, as text.

use std::error::Error;
use std::fmt;

/// Writes what happened and then, each after a colon, the causes down to the innermost. A text that stands
/// there already is left out.
pub(crate) fn write_with_causes(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    cause: Option<&(dyn Error + 'static)>,
) -> fmt::Result {
    let mut text = what.to_owned();
    let mut next = cause;
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    f.write_str(&text)
}
