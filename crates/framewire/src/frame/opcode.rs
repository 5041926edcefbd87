//! The kind of a frame: its opcode and its reserved bits.

use core::fmt;
use core::ops::BitOr;

/// What a frame carries (RFC 6455 5.2). The reserved opcodes cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation = 0x0,
    /// Text: the message is UTF-8.
    Text = 0x1,
    /// Binary: the message is any bytes.
    Binary = 0x2,
    /// The sender ends the connection: the closing handshake.
    Close = 0x8,
    /// Asks for a Pong with the same payload.
    Ping = 0x9,
    /// Answers a Ping, or is a one-way sign of life.
    Pong = 0xA,
}

impl Opcode {
    /// Returns the opcode in the low four bits of a frame's first byte; `None` where it is reserved.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Returns the four bits that go on the wire.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Returns whether it is Close, Ping or Pong: at most 125 bytes, never fragmented (RFC 6455 5.5).
    #[must_use]
    #[inline]
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }

    /// Returns whether it is Text or Binary, which begin a message.
    #[must_use]
    #[inline]
    pub const fn begins_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        })
    }
}

/// The three bits reserved for extensions (RFC 6455 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit set: every frame of a connection without extensions.
    pub const NONE: Self = Self(0);
    /// RSV1: in permessage-deflate, "this message is compressed" (RFC 7692 6).
    pub const RSV1: Self = Self(0x40);
    /// RSV2.
    pub const RSV2: Self = Self(0x20);
    /// RSV3.
    pub const RSV3: Self = Self(0x10);

    /// Returns the reserved bits of a frame's first byte; its other bits are ignored.
    #[must_use]
    #[inline]
    pub const fn from_first_byte(byte: u8) -> Self {
        Self(byte & 0x70)
    }

    /// Returns the bits in their place in a frame's first byte.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns whether no bit is set.
    #[must_use]
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns the bits that `other` does not have.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether every bit of `other` is set here too.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl BitOr for Rsv {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rsv({self})")
    }
}

impl fmt::Display for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let mut separator = "";
        for (bit, name) in [
            (Self::RSV1, "RSV1"),
            (Self::RSV2, "RSV2"),
            (Self::RSV3, "RSV3"),
        ] {
            if self.contains(bit) {
                write!(f, "{separator}{name}")?;
                separator = "+";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_six_defined_opcodes_exist() {
        for bits in 0..=u8::MAX {
            let defined = matches!(bits, 0 | 1 | 2 | 8 | 9 | 10);
            assert_eq!(Opcode::from_bits(bits).is_some(), defined, "{bits:#x}");
            if let Some(opcode) = Opcode::from_bits(bits) {
                assert_eq!(opcode.bits(), bits);
                assert_eq!(opcode.is_control(), bits >= 8);
            }
        }
    }

    #[test]
    fn an_opcode_shows_its_name() {
        let names = [
            (Opcode::Continuation, "continuation"),
            (Opcode::Text, "text"),
            (Opcode::Binary, "binary"),
            (Opcode::Close, "close"),
            (Opcode::Ping, "ping"),
            (Opcode::Pong, "pong"),
        ];
        for (opcode, name) in names {
            assert_eq!(opcode.to_string(), name);
        }
    }

    #[test]
    fn reserved_bits_are_sets() {
        let all = Rsv::RSV1 | Rsv::RSV2 | Rsv::RSV3;
        assert_eq!(all | Rsv::RSV2, all);
        assert_eq!(all.without(Rsv::RSV2), Rsv::RSV1 | Rsv::RSV3);
        assert_eq!(Rsv::RSV1.without(Rsv::RSV2), Rsv::RSV1);
    }

    #[test]
    fn reserved_bits_keep_their_place_and_ignore_the_rest() {
        assert_eq!(Rsv::from_first_byte(0xFF).bits(), 0x70);
        assert_eq!(Rsv::from_first_byte(0x8F), Rsv::NONE);
        assert!((Rsv::RSV1 | Rsv::RSV3).contains(Rsv::RSV3));
        assert!(!Rsv::RSV1.contains(Rsv::RSV1 | Rsv::RSV2));
        assert_eq!(format!("{}", Rsv::RSV1 | Rsv::RSV3), "RSV1+RSV3");
        assert_eq!(format!("{:?}", Rsv::NONE), "Rsv(none)");
    }
}
