//! Lines for a terminal, parts of which a peer may have written.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// Tells the user something, on standard error.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    // If standard error is closed, the line is lost.
    let _ = writeln!(io::stderr(), "{}", noted(line));
}

/// Returns the line as [`note`] prints it, in colours if standard error shows them.
pub(crate) fn noted(line: fmt::Arguments<'_>) -> String {
    // A peer has written part of it: a close reason must not begin a new line.
    let line = line.to_string().replace(is_deceptive, " ");
    let name = NAME.render();
    let end = NAME.render_reset();
    if has_colours(&io::stderr()) {
        format!("{name}framewire:{end} {line}")
    } else {
        format!("framewire: {line}")
    }
}

/// Returns whether colours are shown there: on a terminal, unless `NO_COLOR` or `CLICOLOR` says otherwise.
pub(crate) fn has_colours(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Writes a line of a log, on standard error.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    // A peer has written part of it: a close reason must not begin a new line.
    let line = line.to_string().replace(is_deceptive, " ");
    // If standard error is closed, the line is lost.
    let _ = writeln!(io::stderr(), "{line}");
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

/// Returns JSON as a line in which nothing is but shown: characters that a terminal obeys are escaped.
pub(crate) fn printable(json: &Value) -> String {
    let json = json.to_string();
    let mut printable = String::with_capacity(json.len());
    for character in json.chars() {
        if is_deceptive(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(printable, "\\u{unit:04x}");
            }
        } else {
            printable.push(character);
        }
    }
    printable
}

const NAME: Style = AnsiColor::BrightBlack.on_default();

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_deceptive, printable};

    #[test]
    fn json_tells_a_terminal_nothing_and_means_the_same() {
        let event = json!({"text": "a\u{7f}\u{9b}\u{202e}\u{1b}\"\u{1f600}"});
        let line = printable(&event);
        assert!(!line.contains(is_deceptive), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), event);
    }
}
