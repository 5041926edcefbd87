//! Status codes: why a connection ends.

use core::fmt;

/// A status code of the closing handshake (RFC 6455 7.4 and IANA's registry).
///
/// The type holds any number, since some codes are only reported to the application.
/// [`is_sendable`](Self::is_sendable) tells which may be in a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that the application does not accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: reported when a Close frame had no code. Never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: reported when the connection ended without a Close frame. Never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that its type does not allow, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message against the application's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to be processed.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server's answer lacks an extension that the client needs.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: reported when the TLS handshake failed. Never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Returns the code with this number, of any meaning.
    #[must_use]
    #[inline]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns whether the code may be in a Close frame: 1000–1003, 1007–1014 and 3000–4999.
    ///
    /// RFC 6455 7.4.1 keeps 1005, 1006 and 1015 off the wire and leaves 1004 undefined. 7.4.2 reserves numbers below
    /// 3000 for future versions and assigns none above 4999.
    #[must_use]
    #[inline]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

/// As [`CloseCode::new`]: of any meaning, and not always [sendable](CloseCode::is_sendable).
impl From<u16> for CloseCode {
    fn from(number: u16) -> Self {
        Self(number)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_defined_and_application_codes_are_sendable() {
        for number in 0..=u16::MAX {
            let sendable = (1000..=1003).contains(&number)
                || (1007..=1014).contains(&number)
                || (3000..=4999).contains(&number);
            assert_eq!(CloseCode::new(number).is_sendable(), sendable, "{number}");
        }
    }

    #[test]
    fn a_number_becomes_a_code_and_back() {
        assert_eq!(CloseCode::from(1000), CloseCode::NORMAL);
        assert_eq!(u16::from(CloseCode::NORMAL), 1000);
        assert_eq!(CloseCode::NORMAL.to_string(), "1000");
    }

    #[test]
    fn what_is_only_reported_is_never_sendable() {
        for code in [
            CloseCode::NO_STATUS,
            CloseCode::ABNORMAL,
            CloseCode::TLS_HANDSHAKE,
            CloseCode::new(1004),
        ] {
            assert!(!code.is_sendable(), "{code}");
        }
    }
}
