//! UTF-8 that arrives in pieces.

use core::fmt;

/// A validator of UTF-8 that arrives in pieces cut anywhere. It fails at the first bad byte.
///
/// A sequence that can no longer become valid is refused at the byte that spoils it, not at its end. Overlong forms,
/// surrogates and code points above U+10FFFF are refused (RFC 3629 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Utf8 {
    /// The beginning of a character whose rest is missing.
    partial: [u8; 3],
    partial_len: u8,
}

/// Why bytes are no text: they are not UTF-8, or a character was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8 {
    /// Creates a validator at the beginning of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            partial: [0; 3],
            partial_len: 0,
        }
    }

    /// Validates the next piece.
    ///
    /// # Errors
    /// A byte that no UTF-8 text can have in its place.
    #[inline]
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.partial_len > 0 {
            piece = self.complete_character(piece)?;
        }
        // Most short messages are ASCII, which is faster to check than UTF-8.
        if piece.len() <= SHORT && piece.is_ascii() {
            return Ok(());
        }
        let Err(tail) = valid_up_to_cut_character(piece)? else {
            return Ok(());
        };
        // Three at most: a fourth would have completed the character.
        self.partial[..tail.len()].copy_from_slice(tail);
        self.partial_len = tail.len() as u8;
        Ok(())
    }

    /// Returns whether the text may end here: no character is cut off.
    #[must_use]
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.partial_len == 0
    }

    /// Takes bytes until the pending character is whole. Returns the rest.
    #[cold]
    fn complete_character<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], InvalidUtf8> {
        let mut character = [0; 4];
        let mut len = usize::from(self.partial_len);
        character[..len].copy_from_slice(&self.partial[..len]);
        for (taken, &byte) in piece.iter().enumerate() {
            character[len] = byte;
            len += 1;
            match core::str::from_utf8(&character[..len]) {
                Ok(_) => {
                    self.partial_len = 0;
                    return Ok(&piece[taken + 1..]);
                }
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {
                    self.partial[len - 1] = byte;
                    self.partial_len = len as u8;
                }
            }
        }
        Ok(&[])
    }
}

/// Returns whether all of `bytes` is one text.
#[inline]
pub(super) fn is_whole_text(bytes: &[u8]) -> bool {
    bytes.len() <= SHORT && bytes.is_ascii() || as_text(bytes).is_some()
}

/// Returns the bytes as text, where they are UTF-8.
#[inline]
pub(crate) fn as_text(bytes: &[u8]) -> Option<&str> {
    #[cfg(feature = "simdutf8")]
    return simdutf8::basic::from_utf8(bytes).ok();

    #[cfg(not(feature = "simdutf8"))]
    return core::str::from_utf8(bytes).ok();
}

/// Validates a text whose last character may be cut off: then `Ok(Err(tail))` has its beginning.
#[inline]
fn valid_up_to_cut_character(text: &[u8]) -> Result<Result<(), &[u8]>, InvalidUtf8> {
    #[cfg(feature = "simdutf8")]
    use simdutf8::compat::from_utf8;

    #[cfg(not(feature = "simdutf8"))]
    use core::str::from_utf8;

    let Err(error) = from_utf8(text) else {
        return Ok(Ok(()));
    };
    match error.error_len() {
        Some(_) => Err(InvalidUtf8),
        None => Ok(Err(&text[error.valid_up_to()..])),
    }
}

/// Up to this length, setting up the validator costs more than a check for ASCII.
const SHORT: usize = 128;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not UTF-8")
    }
}

impl core::error::Error for InvalidUtf8 {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first index at which the text can no longer be UTF-8, if any.
    fn first_bad_byte(text: &[u8]) -> Option<usize> {
        (1..=text.len())
            .find(|&end| {
                core::str::from_utf8(&text[..end]).is_err_and(|error| error.error_len().is_some())
            })
            .map(|end| end - 1)
    }

    #[test]
    fn a_surrogate_is_refused_at_its_second_byte() {
        let mut utf8 = Utf8::new();
        assert_eq!(utf8.push(&[0xED]), Ok(()));
        assert!(!utf8.is_complete());
        assert_eq!(utf8.push(&[0xA0]), Err(InvalidUtf8));
    }

    #[test]
    fn above_u10ffff_is_refused_at_its_second_byte() {
        assert_eq!(Utf8::new().push(&[b'a', 0xF4, 0x90]), Err(InvalidUtf8));
    }

    #[test]
    fn a_character_in_four_pieces_is_whole_at_the_fourth() {
        let mut utf8 = Utf8::new();
        for (i, byte) in "🦀".bytes().enumerate() {
            assert_eq!(utf8.push(&[byte]), Ok(()));
            assert_eq!(utf8.is_complete(), i == 3);
        }
    }

    #[test]
    fn a_whole_text_is_utf8_and_nothing_is_cut_off() {
        let long = "é".repeat(SHORT);
        for text in ["", "a", "é", &long, &"a".repeat(2 * SHORT)] {
            assert!(is_whole_text(text.as_bytes()), "{text}");
        }
        for bytes in [&b"\xFF"[..], b"\xC3", &long.as_bytes()[1..]] {
            assert!(!is_whole_text(bytes), "{bytes:x?}");
        }
        assert_eq!(InvalidUtf8.to_string(), "not UTF-8");
    }

    /// Bytes that are mostly near UTF-8, so that both verdicts are common.
    fn nearly_utf8() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            4 => "[a-z]{0,80}".prop_map(String::into_bytes),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
            1 => any::<char>().prop_map(|c| {
                let mut bytes = c.to_string().into_bytes();
                bytes.pop();
                bytes
            }),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_verdict_of_the_whole_at_the_same_byte(
            text in nearly_utf8(),
            step in 1_usize..9,
        ) {
            let mut utf8 = Utf8::new();
            let failed_in = text
                .chunks(step)
                .position(|piece| utf8.push(piece).is_err());
            let bad = first_bad_byte(&text);
            prop_assert_eq!(failed_in, bad.map(|index| index / step));
            if bad.is_none() {
                prop_assert_eq!(utf8.is_complete(), core::str::from_utf8(&text).is_ok());
            }
        }
    }
}
