//! Violations: how a peer can break the protocol.

use core::fmt;

use super::{CloseCode, MAX_CONTROL_PAYLOAD, Opcode, Rsv};

/// What the peer did that RFC 6455 or a limit of ours forbids.
///
/// Every violation fails the connection (RFC 6455 7.1.7) with its own
/// [`close_code`](Self::close_code).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit that no negotiated extension uses, or any on a control frame or a continuation (RFC 6455 5.2,
    /// RFC 7692 6.1).
    ReservedBits(Rsv),
    /// An opcode that RFC 6455 5.2 reserves.
    ReservedOpcode(u8),
    /// A control frame without FIN (RFC 6455 5.5).
    FragmentedControl(Opcode),
    /// A control frame of more than 125 bytes (RFC 6455 5.5).
    ControlTooLarge(Opcode),
    /// A length written in more bytes than it needs (RFC 6455 5.2).
    NonMinimalLength,
    /// A 64-bit length with its top bit set (RFC 6455 5.2).
    LengthTopBit,
    /// A client's frame without a mask (RFC 6455 5.1).
    Unmasked,
    /// A server's frame with a mask (RFC 6455 5.1).
    Masked,
    /// A continuation where no message is under way (RFC 6455 5.4).
    UnexpectedContinuation,
    /// A new message inside a message: a continuation was due (RFC 6455 5.4).
    ExpectedContinuation(Opcode),
    /// A Close frame with one byte of payload: a code is two (RFC 6455 5.5.1).
    CloseCodeTruncated,
    /// A Close frame with a code that is never sent (RFC 6455 7.4).
    CloseCodeInvalid(CloseCode),
    /// A text message that is not UTF-8 (RFC 6455 8.1).
    InvalidUtf8,
    /// The reason of a Close frame is not UTF-8 (RFC 6455 5.5.1).
    InvalidReason,
    /// A compressed message that is not DEFLATE (RFC 7692 7.2.2).
    InvalidDeflate,
    /// A compressed message while all decompressors of the pool are in use. The peer is at fault only together with
    /// all others.
    NoDecompressor,
    /// A message that is not what the agreed extension produces, and why.
    Extension(&'static str),
    /// A message over the limit.
    MessageTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A compressed message whose frames are over the limit, whatever they decompress to.
    CompressedTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A compressed message, read as a stream, of which more bytes in a row than the limit decompressed to nothing.
    CompressedToNothing {
        /// The limit, in bytes.
        most: u64,
    },
    /// A data frame over the limit.
    FrameTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl Violation {
    /// Returns the code of the Close frame that answers it (RFC 6455 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidReason | Self::InvalidDeflate | Self::Extension(_) => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::NoDecompressor => CloseCode::TRY_AGAIN_LATER,
            Self::MessageTooBig { .. }
            | Self::CompressedTooBig { .. }
            | Self::CompressedToNothing { .. }
            | Self::FrameTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits(rsv) => write!(f, "reserved bits {rsv} not allowed here"),
            Self::ReservedOpcode(bits) => write!(f, "reserved opcode {bits:#x}"),
            Self::FragmentedControl(opcode) => write!(f, "fragmented {opcode} frame"),
            Self::ControlTooLarge(opcode) => {
                write!(f, "{opcode} frame of more than {MAX_CONTROL_PAYLOAD} bytes")
            }
            Self::NonMinimalLength => f.write_str("payload length not in its shortest form"),
            Self::LengthTopBit => f.write_str("payload length with its top bit set"),
            Self::Unmasked => f.write_str("unmasked frame from a client"),
            Self::Masked => f.write_str("masked frame from a server"),
            Self::UnexpectedContinuation => {
                f.write_str("continuation frame without a message under way")
            }
            Self::ExpectedContinuation(opcode) => {
                write!(f, "{opcode} frame inside a fragmented message")
            }
            Self::CloseCodeTruncated => f.write_str("close frame with one byte of payload"),
            Self::CloseCodeInvalid(code) => write!(f, "close frame with the code {code}"),
            Self::InvalidUtf8 => f.write_str("text message that is not UTF-8"),
            Self::InvalidReason => f.write_str("close reason that is not UTF-8"),
            Self::InvalidDeflate => f.write_str("compressed message that is not deflate"),
            Self::Extension(why) => f.write_str(why),
            Self::NoDecompressor => f.write_str("all decompressors are in use"),
            Self::CompressedTooBig { limit } => {
                write!(f, "compressed message exceeds the limit of {limit} bytes")
            }
            Self::CompressedToNothing { most } => {
                write!(
                    f,
                    "more than {most} bytes of a compressed message give nothing"
                )
            }
            Self::MessageTooBig { limit } => {
                write!(f, "message exceeds the limit of {limit} bytes")
            }
            Self::FrameTooBig { limit } => write!(f, "frame exceeds the limit of {limit} bytes"),
        }
    }
}

impl core::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code() {
        let codes = [
            (Violation::Masked, CloseCode::PROTOCOL_ERROR),
            (Violation::InvalidUtf8, CloseCode::INVALID_PAYLOAD),
            (Violation::InvalidDeflate, CloseCode::INVALID_PAYLOAD),
            (
                Violation::MessageTooBig { limit: 5 },
                CloseCode::MESSAGE_TOO_BIG,
            ),
            (
                Violation::FrameTooBig { limit: 5 },
                CloseCode::MESSAGE_TOO_BIG,
            ),
            // It may succeed later.
            (Violation::NoDecompressor, CloseCode::TRY_AGAIN_LATER),
        ];
        for (violation, code) in codes {
            assert_eq!(violation.close_code(), code, "{violation}");
        }
    }

    #[test]
    fn the_text_names_the_limit() {
        let text = Violation::MessageTooBig { limit: 5 }.to_string();
        assert_eq!(text, "message exceeds the limit of 5 bytes");
    }
}
