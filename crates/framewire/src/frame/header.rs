//! The header of a frame: 2 to 14 bytes in front of the payload.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::{MAX_CONTROL_PAYLOAD, Opcode, Rsv, Violation};

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const MAX_HEADER: usize = 14;

/// The longest payload that a header can announce: 2^63 − 1 bytes.
pub const MAX_PAYLOAD: u64 = u64::MAX >> 1;

/// A legal frame header (RFC 6455 5.2).
///
/// It is legal on its own: a control frame is whole and short, and the length can be encoded.
/// [`Decoder`](crate::protocol::Decoder) and [`Encoder`](crate::protocol::Encoder) check whether it may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    payload_len: u64,
    opcode: Opcode,
    rsv: Rsv,
    fin: bool,
    mask: Option<[u8; 4]>,
}

impl Header {
    /// Creates a header of these parts, or returns why no peer would accept it.
    ///
    /// # Errors
    /// A control frame without FIN or over 125 bytes (RFC 6455 5.5), or a length of more than
    /// 2^63 − 1 (5.2).
    #[inline]
    pub const fn new(
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        mask: Option<[u8; 4]>,
        payload_len: u64,
    ) -> Result<Self, Violation> {
        if opcode.is_control() {
            // RFC 6455 5.5: control frames are short and must not be fragmented.
            if !fin {
                return Err(Violation::FragmentedControl(opcode));
            }
            if payload_len > MAX_CONTROL_PAYLOAD as u64 {
                return Err(Violation::ControlTooLarge(opcode));
            }
        }
        // RFC 6455 5.2: the most significant bit of a 64-bit length must be 0.
        if payload_len > MAX_PAYLOAD {
            return Err(Violation::LengthTopBit);
        }
        Ok(Self {
            payload_len,
            opcode,
            rsv,
            fin,
            mask,
        })
    }

    /// Decodes a header from the front of `input`. Returns it with the number of bytes that it took; `None` where more
    /// bytes are needed.
    ///
    /// What the first two bytes show to be wrong is an error at once.
    ///
    /// # Errors
    /// The violations of [`new`](Self::new), a reserved opcode, and a length that is not in its
    /// shortest form. The peer is at fault.
    #[inline]
    pub fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let &[first, second, ref rest @ ..] = input else {
            return match input {
                [first] => check_first_byte(*first).map(|_| None),
                _ => Ok(None),
            };
        };
        let (fin, rsv, opcode) = check_first_byte(first)?;
        let (payload_len, length_size) = match second & 0x7F {
            LENGTH_16 => {
                if opcode.is_control() {
                    return Err(Violation::ControlTooLarge(opcode));
                }
                let Some(bytes) = rest.first_chunk() else {
                    return Ok(None);
                };
                let len = u16::from_be_bytes(*bytes);
                // RFC 6455 5.2: the minimal number of bytes must be used.
                if len < 126 {
                    return Err(Violation::NonMinimalLength);
                }
                (u64::from(len), 2)
            }
            LENGTH_64 => {
                if opcode.is_control() {
                    return Err(Violation::ControlTooLarge(opcode));
                }
                let Some(bytes) = rest.first_chunk() else {
                    return Ok(None);
                };
                let len = u64::from_be_bytes(*bytes);
                if u16::try_from(len).is_ok() {
                    return Err(Violation::NonMinimalLength);
                }
                (len, 8)
            }
            len => (u64::from(len), 0),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(key) = rest[length_size..].first_chunk() else {
                // A wrong length is an error, whatever the key.
                return Self::new(fin, rsv, opcode, None, payload_len).map(|_| None);
            };
            Some(*key)
        };
        let header = Self::new(fin, rsv, opcode, mask, payload_len)?;
        Ok(Some((header, header.encoded_len())))
    }

    /// Writes the header to the front of `output`. Returns how many bytes it took.
    #[inline]
    pub fn encode(&self, output: &mut [u8; MAX_HEADER]) -> usize {
        let mask_bit = if self.mask.is_some() { 0x80 } else { 0 };
        output[0] = self.first_byte();
        let mut len = match self.payload_len {
            short @ 0..=125 => {
                output[1] = mask_bit | short as u8;
                2
            }
            medium @ 126..=0xFFFF => {
                output[1] = mask_bit | LENGTH_16;
                output[2..4].copy_from_slice(&(medium as u16).to_be_bytes());
                4
            }
            long => {
                output[1] = mask_bit | LENGTH_64;
                output[2..10].copy_from_slice(&long.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            output[len..len + 4].copy_from_slice(&key);
            len += 4;
        }
        len
    }

    /// Appends the header to `output`.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn append_to(&self, output: &mut Vec<u8>) {
        if self.mask.is_some() || self.payload_len > 0xFFFF {
            self.append_long_to(output);
            return;
        }
        // Pieces of a fixed length are written in place, without a call.
        let len = self.payload_len as u16;
        if len < u16::from(LENGTH_16) {
            output.extend([self.first_byte(), len as u8]);
        } else {
            let [high, low] = len.to_be_bytes();
            output.extend([self.first_byte(), LENGTH_16, high, low]);
        }
    }

    /// As [`append_to`](Self::append_to), for a header of more than four bytes.
    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn append_long_to(&self, output: &mut Vec<u8>) {
        let mut bytes = [0; MAX_HEADER];
        let len = self.encode(&mut bytes);
        output.extend_from_slice(&bytes[..len]);
    }

    #[inline]
    fn first_byte(&self) -> u8 {
        u8::from(self.fin) << 7 | self.rsv.bits() | self.opcode.bits()
    }

    /// Returns how many bytes the header takes on the wire: 2 to 14.
    #[must_use]
    #[inline]
    pub const fn encoded_len(&self) -> usize {
        let length = match self.payload_len {
            0..=125 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        let mask = if self.mask.is_some() { 4 } else { 0 };
        2 + length + mask
    }

    /// Returns whether the frame is the last of its message.
    #[must_use]
    #[inline]
    pub const fn fin(&self) -> bool {
        self.fin
    }

    /// Returns the reserved bits.
    #[must_use]
    #[inline]
    pub const fn rsv(&self) -> Rsv {
        self.rsv
    }

    /// Returns the opcode: what the frame carries.
    #[must_use]
    #[inline]
    pub const fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns the masking key, where the payload is masked.
    #[must_use]
    #[inline]
    pub const fn mask(&self) -> Option<[u8; 4]> {
        self.mask
    }

    /// Returns how many bytes of payload follow. The peer says so: not a size to allocate.
    #[must_use]
    #[inline]
    pub const fn payload_len(&self) -> u64 {
        self.payload_len
    }
}

#[inline]
fn check_first_byte(byte: u8) -> Result<(bool, Rsv, Opcode), Violation> {
    let bits = byte & 0x0F;
    // RFC 6455 5.2: an unknown opcode fails the connection.
    let Some(opcode) = Opcode::from_bits(bits) else {
        return Err(Violation::ReservedOpcode(bits));
    };
    let fin = byte & 0x80 != 0;
    if opcode.is_control() && !fin {
        return Err(Violation::FragmentedControl(opcode));
    }
    Ok((fin, Rsv::from_first_byte(byte), opcode))
}

/// In place of a length: the next two bytes hold the length.
const LENGTH_16: u8 = 126;
/// In place of a length: the next eight bytes hold the length.
const LENGTH_64: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    type Example = (&'static [u8], bool, Opcode, Option<[u8; 4]>, u64);

    #[test]
    fn the_rfcs_examples_decode_and_encode() {
        // RFC 6455 5.7, header bytes only.
        let examples: &[Example] = &[
            (&[0x81, 0x05], true, Opcode::Text, None, 5),
            (
                &[0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D],
                true,
                Opcode::Text,
                Some([0x37, 0xFA, 0x21, 0x3D]),
                5,
            ),
            (&[0x01, 0x03], false, Opcode::Text, None, 3),
            (&[0x80, 0x02], true, Opcode::Continuation, None, 2),
            (&[0x89, 0x05], true, Opcode::Ping, None, 5),
            (&[0x82, 0x7E, 0x01, 0x00], true, Opcode::Binary, None, 256),
            // The first length that needs two bytes.
            (&[0x82, 0x7E, 0x00, 0x7E], true, Opcode::Binary, None, 126),
            (
                &[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0],
                true,
                Opcode::Binary,
                None,
                65536,
            ),
        ];
        for &(bytes, fin, opcode, mask, payload_len) in examples {
            let header = Header::new(fin, Rsv::NONE, opcode, mask, payload_len).unwrap();
            assert_eq!(Header::decode(bytes), Ok(Some((header, bytes.len()))));
            let mut output = [0; MAX_HEADER];
            let len = header.encode(&mut output);
            assert_eq!(&output[..len], bytes);
            assert_eq!(header.encoded_len(), bytes.len());
            for cut in 0..bytes.len() {
                assert_eq!(
                    Header::decode(&bytes[..cut]),
                    Ok(None),
                    "{bytes:?} at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_length_not_in_its_shortest_form_is_a_violation() {
        let cases: [&[u8]; 4] = [
            &[0x82, 126, 0, 0],
            &[0x82, 126, 0, 125],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        ];
        for bytes in cases {
            assert_eq!(Header::decode(bytes), Err(Violation::NonMinimalLength));
        }
    }

    #[test]
    fn a_length_with_its_top_bit_set_is_a_violation_before_the_key_is_there() {
        let bytes = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Header::decode(&bytes), Err(Violation::LengthTopBit));
        let longest = [0x82, 0x7F, 0x7F, 255, 255, 255, 255, 255, 255, 255];
        let (header, _) = Header::decode(&longest).unwrap().unwrap();
        assert_eq!(header.payload_len(), MAX_PAYLOAD);
    }

    #[test]
    fn reserved_opcodes_are_a_violation_at_the_first_byte() {
        for bits in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            let decoded = Header::decode(&[0x80 | bits]);
            assert_eq!(decoded, Err(Violation::ReservedOpcode(bits)));
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            let decoded = Header::decode(&[opcode.bits()]);
            assert_eq!(decoded, Err(Violation::FragmentedControl(opcode)));
            for length in [126, 127, 0xFE, 0xFF] {
                let decoded = Header::decode(&[0x80 | opcode.bits(), length]);
                assert_eq!(decoded, Err(Violation::ControlTooLarge(opcode)));
            }
            assert!(Header::new(true, Rsv::NONE, opcode, None, 125).is_ok());
            assert!(Header::new(true, Rsv::NONE, opcode, None, 126).is_err());
            assert!(Header::new(false, Rsv::NONE, opcode, None, 0).is_err());
        }
    }
}
