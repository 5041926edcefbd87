//! Names of files that a peer sends: which of them may become the name of a file here.

use std::fmt;

use crate::terminal::is_deceptive;

/// Returns why a name cannot be that of a file that is received; `None` if it can.
///
/// The rules are those of all systems together, so that a name that one receiver takes is good for another.
pub(crate) fn refusal(name: &str, allow_hidden: bool) -> Option<Refusal> {
    if name.is_empty() {
        return Some(Refusal::Empty);
    }
    if name.len() > LONGEST {
        return Some(Refusal::Long(name.len()));
    }
    if name == "." || name == ".." || name.contains(['/', '\\']) {
        return Some(Refusal::Path);
    }
    if name.contains(is_deceptive) {
        return Some(Refusal::Control);
    }
    // Windows drops them.
    if name.ends_with(['.', ' ']) {
        return Some(Refusal::End);
    }
    if is_device(name) || (cfg!(windows) && name.contains(['<', '>', ':', '"', '|', '?', '*'])) {
        return Some(Refusal::Reserved);
    }
    if name.to_ascii_lowercase().ends_with(PART) {
        return Some(Refusal::Part);
    }
    (name.starts_with('.') && !allow_hidden).then_some(Refusal::Hidden)
}

/// Why a name cannot be that of a file that is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Empty,
    /// It has so many bytes.
    Long(usize),
    /// It leads to another directory, or would on another system.
    Path,
    /// It holds characters that a terminal obeys, or that change the order of the text.
    Control,
    End,
    Reserved,
    /// It is one of a file that is not complete.
    Part,
    Hidden,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::Long(bytes) => {
                return write!(
                    f,
                    "the name of {bytes} bytes exceeds the limit of {LONGEST}"
                );
            }
            Self::Path => "the name is a path, not that of a file alone",
            Self::Control => "the name holds control characters",
            Self::End => "the name ends in a dot or a space",
            Self::Reserved => "the name means something else on Windows",
            Self::Part => "the name is that of a part of a file",
            Self::Hidden => "the name is that of a hidden file, which the receiver does not take",
        })
    }
}

/// Returns whether Windows takes the name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_lowercase();
    if ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str()) {
        return true;
    }
    let number = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    let mut digits = number.unwrap_or_default().chars();
    matches!(
        (digits.next(), digits.next()),
        (Some('0'..='9' | '¹' | '²' | '³'), None)
    )
}

/// How the name of a file goes on while that is not complete.
pub(crate) const PART: &str = ".framewire-part";
/// The most bytes in a name: systems take 255, and a part's is longer.
const LONGEST: usize = 255 - PART.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_file_alone() {
        for (name, expected) in [
            ("", Refusal::Empty),
            (".", Refusal::Path),
            ("..", Refusal::Path),
            ("../a", Refusal::Path),
            ("/etc/passwd", Refusal::Path),
            ("a/", Refusal::Path),
            ("..\\a", Refusal::Path),
            ("C:\\a", Refusal::Path),
            ("a\0", Refusal::Control),
            ("a\nb", Refusal::Control),
            ("a\x1b[2J", Refusal::Control),
            ("exe.\u{202e}txt", Refusal::Control),
            ("a.", Refusal::End),
            ("a ", Refusal::End),
            ("...", Refusal::End),
            ("nul", Refusal::Reserved),
            ("AUX.txt", Refusal::Reserved),
            ("com1.tar.gz", Refusal::Reserved),
            ("LPT²", Refusal::Reserved),
            ("con .txt", Refusal::Reserved),
            ("a.framewire-part", Refusal::Part),
            ("a.Framewire-Part", Refusal::Part),
            (".bashrc", Refusal::Hidden),
        ] {
            assert_eq!(refusal(name, false), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn other_names_are_taken_as_they_are() {
        for name in ["a", "-rf", "Ünï côdé.txt", "a..b", "com10", "console", "~"] {
            assert_eq!(refusal(name, false), None, "{name:?}");
        }
        assert_eq!(refusal(".bashrc", true), None);
        assert_eq!(refusal("..", true), Some(Refusal::Path));
    }

    #[test]
    fn a_name_is_as_long_as_its_part_allows() {
        assert_eq!(refusal(&"a".repeat(240), false), None);
        let refused = refusal(&"a".repeat(241), false).unwrap();
        assert_eq!(refused, Refusal::Long(241));
        let text = "the name of 241 bytes exceeds the limit of 240";
        assert_eq!(refused.to_string(), text);
    }
}
