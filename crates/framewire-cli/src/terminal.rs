//! Lines for a terminal, parts of which a peer may have written.

use std::fmt;
use std::io::{self, Write as _};

/// Tells the user something, on standard error.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    // A peer has written part of it: a close reason must not begin a new line.
    let line = line.to_string().replace(is_deceptive, " ");
    // If standard error is closed, the line is lost.
    let _ = writeln!(io::stderr(), "framewire: {line}");
}

/// Returns whether a terminal does anything with a character but show it. It obeys control characters, and some
/// others change the order of the text.
pub(crate) fn is_deceptive(character: char) -> bool {
    let turns = '\u{202A}'..='\u{202E}';
    let isolates = '\u{2066}'..='\u{2069}';
    let marks = ['\u{061C}', '\u{200E}', '\u{200F}'];
    character.is_control()
        || turns.contains(&character)
        || isolates.contains(&character)
        || marks.contains(&character)
}
