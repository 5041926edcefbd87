//! Frames as bytes, legal or not, put together as RFC 6455 5.2 draws them.

use framewire::protocol::Role;

/// The first bit of a frame.
pub const FIN: u8 = 0x80;
/// The three reserved bits.
pub const RSV1: u8 = 0x40;
/// The second reserved bit.
pub const RSV2: u8 = 0x20;
/// The third reserved bit.
pub const RSV3: u8 = 0x10;

/// Opcodes, RFC 6455 5.2.
pub const CONTINUATION: u8 = 0x0;
/// A text frame.
pub const TEXT: u8 = 0x1;
/// A binary frame.
pub const BINARY: u8 = 0x2;
/// A Close frame.
pub const CLOSE: u8 = 0x8;
/// A Ping.
pub const PING: u8 = 0x9;
/// A Pong.
pub const PONG: u8 = 0xA;

/// The masking key of RFC 6455 5.7's examples.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// In how many bytes a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The shortest form, as RFC 6455 5.2 demands.
    Shortest,
    /// Seven bits, two bytes or eight bytes, whatever the length. Must fit.
    Bits(u8),
    /// Another length than the payload has, in the shortest form.
    Declared(u64),
}

/// A frame that need not be legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first byte: FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The masking key; `None` is an unmasked frame.
    pub mask: Option<[u8; 4]>,
    /// How the length is written.
    pub length: Length,
    /// The payload before masking.
    pub payload: Vec<u8>,
}

/// A frame from the peer of a `role`, masked if that is a server.
#[must_use]
pub fn to(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame {
        first,
        mask: (role == Role::Server).then_some(KEY),
        length: Length::Shortest,
        payload: payload.as_ref().to_vec(),
    }
}

/// The bytes of a frame that one of this role sends.
#[must_use]
pub fn frame(sender: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    to(crate::peer(sender), first, payload).bytes()
}

/// A Close frame's payload.
#[must_use]
pub fn close_payload(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_ref()].concat()
}

/// The bytes of many frames.
#[must_use]
pub fn wire(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

impl Frame {
    /// The same frame with this length on it.
    #[must_use]
    pub fn with_length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// The same frame with another masking key, or none.
    #[must_use]
    pub fn with_mask(mut self, mask: Option<[u8; 4]>) -> Self {
        self.mask = mask;
        self
    }

    /// The frame on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mask_bit = if self.mask.is_some() { 0x80 } else { 0x00 };
        let mut bytes = vec![self.first];
        let len = match self.length {
            Length::Declared(len) => len,
            _ => self.payload.len() as u64,
        };
        let bits = match (self.length, len) {
            (Length::Bits(bits), _) => bits,
            (_, 0..=125) => 7,
            (_, 126..=0xFFFF) => 16,
            _ => 64,
        };
        match bits {
            7 => bytes.push(mask_bit | len as u8),
            16 => {
                bytes.push(mask_bit | 0x7E);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 0x7F);
                bytes.extend(len.to_be_bytes());
            }
        }
        match self.mask {
            None => bytes.extend(&self.payload),
            Some(key) => {
                bytes.extend(key);
                // RFC 6455 5.3: octet i with octet i mod 4 of the key.
                let octets = self.payload.iter().zip(key.iter().cycle());
                bytes.extend(octets.map(|(octet, key)| octet ^ key));
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_examples() {
        // RFC 6455 5.7.
        assert_eq!(
            to(Role::Client, FIN | TEXT, "Hello").bytes(),
            b"\x81\x05Hello"
        );
        assert_eq!(
            to(Role::Server, FIN | TEXT, "Hello").bytes(),
            b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"
        );
        let fragments = [
            to(Role::Client, TEXT, "Hel"),
            to(Role::Client, FIN | CONTINUATION, "lo"),
        ];
        assert_eq!(wire(&fragments), b"\x01\x03Hel\x80\x02lo");
        let frame = to(Role::Client, FIN | BINARY, [0; 256]).bytes();
        assert_eq!(frame[..4], [0x82, 0x7E, 0x01, 0x00]);
        let frame = to(Role::Client, FIN | BINARY, vec![0; 65536]).bytes();
        assert_eq!(frame[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
