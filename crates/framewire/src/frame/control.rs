//! The payload of a control frame, which is at most 125 bytes long.

use core::fmt;

use super::CloseCode;

/// The most bytes a control frame can carry (RFC 6455 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The most bytes of UTF-8 that a Close frame's reason can have: two go to the code.
pub const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// The payload of a control frame: up to 125 bytes, stored inline.
#[derive(Clone, Copy)]
pub struct ControlPayload {
    len: u8,
    bytes: [u8; MAX_CONTROL_PAYLOAD],
}

impl ControlPayload {
    /// An empty payload.
    pub const EMPTY: Self = Self {
        len: 0,
        bytes: [0; MAX_CONTROL_PAYLOAD],
    };

    /// Copies these bytes; `None` where there are more than 125.
    #[must_use]
    pub fn new(payload: &[u8]) -> Option<Self> {
        let mut this = Self::EMPTY;
        this.extend(payload).then_some(this)
    }

    /// Returns the payload of a Close frame (RFC 6455 5.5.1); `None` where the code is not
    /// [sendable](CloseCode::is_sendable) or the reason is longer than 123 bytes.
    #[must_use]
    pub fn close(code: CloseCode, reason: &str) -> Option<Self> {
        if !code.is_sendable() {
            return None;
        }
        let mut this = Self::new(&code.get().to_be_bytes())?;
        this.extend(reason.as_bytes()).then_some(this)
    }

    /// Appends bytes. Where they do not fit, returns `false` and appends nothing.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> bool {
        let start = usize::from(self.len);
        let Some(room) = self.bytes.get_mut(start..start + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.len += bytes.len() as u8; // at most 125, as the line above proves
        true
    }

    /// Removes all bytes.
    #[cfg(feature = "alloc")]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.len)]
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Default for ControlPayload {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl PartialEq for ControlPayload {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for ControlPayload {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_125_bytes_do_not_fit() {
        assert_eq!(ControlPayload::new(&[7; 126]), None);
        let mut full = ControlPayload::new(&[7; 125]).unwrap();
        assert!(!full.extend(&[7]));
        assert_eq!(full.as_slice(), [7; 125]);
    }

    #[test]
    fn the_bytes_so_far_are_compared_and_shown() {
        let payload = ControlPayload::new(&[1, 2]).unwrap();
        assert!(payload != ControlPayload::EMPTY);
        assert!(payload == ControlPayload::new(&[1, 2]).unwrap());
        assert_eq!(format!("{payload:?}"), "[1, 2]");
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn it_is_filled_anew_once_it_is_cleared() {
        let mut payload = ControlPayload::new(&[1, 2]).unwrap();
        payload.clear();
        assert!(payload.extend(&[3]));
        assert_eq!(payload.as_slice(), [3]);
    }

    #[test]
    fn a_close_payload_needs_a_sendable_code_and_a_short_reason() {
        assert_eq!(ControlPayload::close(CloseCode::ABNORMAL, ""), None);
        let too_long = [b'x'; MAX_REASON + 1];
        let too_long = core::str::from_utf8(&too_long).unwrap();
        assert_eq!(ControlPayload::close(CloseCode::NORMAL, too_long), None);
        let longest = &too_long[1..];
        assert!(ControlPayload::close(CloseCode::NORMAL, longest).is_some());
        let bye = ControlPayload::close(CloseCode::NORMAL, "bye").unwrap();
        assert_eq!(bye.as_slice(), b"\x03\xE8bye");
    }
}
