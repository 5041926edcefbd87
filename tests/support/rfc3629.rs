//! UTF-8 as RFC 3629 section 4 spells it out, byte by byte.

use std::ops::RangeInclusive;

/// What a sequence of bytes is to UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Whole characters.
    Whole,
    /// Whole characters and the beginning of one more.
    CutOff,
    /// No text begins like this.
    Bad,
}

/// Judges a sequence of bytes.
#[must_use]
pub fn judge(mut bytes: &[u8]) -> Text {
    while !bytes.is_empty() {
        let begun = |row: &&&[Octets]| {
            let mut pairs = row.iter().zip(bytes);
            pairs.all(|(octets, byte)| octets.contains(byte))
        };
        match CHARACTERS.iter().find(begun) {
            None => return Text::Bad,
            Some(row) if row.len() > bytes.len() => return Text::CutOff,
            Some(row) => bytes = &bytes[row.len()..],
        }
    }
    Text::Whole
}

type Octets = RangeInclusive<u8>;

const TAIL: Octets = 0x80..=0xBF;

/// The rows of the ABNF: UTF8-1, UTF8-2, UTF8-3 and UTF8-4.
const CHARACTERS: &[&[Octets]] = &[
    &[0x00..=0x7F],
    &[0xC2..=0xDF, TAIL],
    &[0xE0..=0xE0, 0xA0..=0xBF, TAIL],
    &[0xE1..=0xEC, TAIL, TAIL],
    &[0xED..=0xED, 0x80..=0x9F, TAIL],
    &[0xEE..=0xEF, TAIL, TAIL],
    &[0xF0..=0xF0, 0x90..=0xBF, TAIL, TAIL],
    &[0xF1..=0xF3, TAIL, TAIL, TAIL],
    &[0xF4..=0xF4, 0x80..=0x8F, TAIL, TAIL],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_whole_and_cut_off_anywhere_else() {
        for character in (0..=0x0010_FFFF).step_by(7).filter_map(char::from_u32) {
            let mut buf = [0; 4];
            let bytes = character.encode_utf8(&mut buf).as_bytes();
            assert_eq!(judge(bytes), Text::Whole, "{character:?}");
            for end in 1..bytes.len() {
                assert_eq!(judge(&bytes[..end]), Text::CutOff, "{character:?}");
            }
        }
    }

    #[test]
    fn overlong_forms_surrogates_and_what_is_above_the_last_character_are_bad() {
        for bad in [
            &b"\xC0\x80"[..],
            b"\xC1\xBF",
            b"\xE0\x9F\xBF",
            b"\xED\xA0\x80",
            b"\xF0\x8F\xBF\xBF",
            b"\xF4\x90\x80\x80",
            b"\xF5",
            b"\x80",
            b"ok\xFF",
        ] {
            assert_eq!(judge(bad), Text::Bad, "{bad:x?}");
        }
    }
}
