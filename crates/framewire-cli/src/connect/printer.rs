//! Output of received messages.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use framewire::Opcode;

use crate::terminal::is_deceptive;

/// Prints text as lines, and binary messages as hexadecimal digits or into a file.
pub(crate) struct Printer {
    file: Option<File>,
    /// Whether to escape control characters, which could make a terminal do things.
    escapes: bool,
}

impl Printer {
    /// Creates a printer. Binary messages go into `file`, if there is one.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, String> {
        let create = |path: &Path| {
            File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        Ok(Self {
            file: file.map(create).transpose()?,
            escapes: io::stdout().is_terminal(),
        })
    }

    pub(crate) fn print(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        if opcode == Opcode::Binary {
            if let Some(file) = &mut self.file {
                return file.write_all(payload);
            }
            return print_line(hexadecimal(payload).as_bytes());
        }
        if self.escapes {
            return print_line(escaped(&String::from_utf8_lossy(payload)).as_bytes());
        }
        print_line(payload)
    }
}

fn print_line(line: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Escapes all characters that would not be shown as they are, except line breaks and tabs.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) && !matches!(character, '\n' | '\t') {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escaped, hexadecimal};

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hexadecimal(&[0, 0x0F, 0xA0, 0xFF]), "000fa0ff");
        assert_eq!(hexadecimal(&[]), "");
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(
            escaped("a\x1b[2Jb\u{9b}\u{202e}\n\tü"),
            "a\\u{1b}[2Jb\\u{9b}\\u{202e}\n\tü"
        );
    }
}
