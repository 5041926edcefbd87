//! Frames as bytes, built and taken apart by hand: nothing here is the library's.

use framewire::protocol::Role;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// A frame as one of this role sends it.
pub(crate) fn frame(sender: Role, first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    let mask_bit = if sender == Role::Client { 0x80 } else { 0x00 };
    match payload.len() {
        len @ 0..=125 => bytes.push(mask_bit | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(mask_bit | LENGTH_16);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask_bit | LENGTH_64);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if sender == Role::Client {
        bytes.extend(KEY);
        bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// What was sent, with every payload unmasked and every masking key zeroed, so that what two
/// clients sent can be compared. The last frame may be cut off.
pub(crate) fn unmasked(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    while rest.len() >= 2 {
        let (length_len, mut len) = match rest[1] & 0x7F {
            LENGTH_16 => (2, 0),
            LENGTH_64 => (8, 0),
            len => (0, usize::from(len)),
        };
        if rest.len() < 2 + length_len {
            break;
        }
        for &byte in &rest[2..2 + length_len] {
            len = len << 8 | usize::from(byte);
        }
        let mut key_at = 2 + length_len;
        if rest[1] & 0x80 != 0 {
            let end = rest.len().min(key_at + 4);
            let mut key = [0; 4];
            key[..end - key_at].copy_from_slice(&rest[key_at..end]);
            rest[key_at..end].fill(0);
            key_at = end;
            let payload = rest[key_at..].iter_mut().take(len);
            for (byte, key) in payload.zip(key.iter().cycle()) {
                *byte ^= key;
            }
        }
        let end = rest.len().min(key_at + len);
        rest = &mut rest[end..];
    }
    bytes
}

/// The frames in what was sent: the first byte and the unmasked payload of each.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let bytes = unmasked(bytes);
    let mut rest = &bytes[..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (length_len, short) = match rest[1] & 0x7F {
            LENGTH_16 => (2, 0),
            LENGTH_64 => (8, 0),
            len => (0, usize::from(len)),
        };
        let len = rest[2..2 + length_len]
            .iter()
            .fold(short, |len, &byte| len << 8 | usize::from(byte));
        let start = 2 + length_len + if rest[1] & 0x80 == 0 { 0 } else { 4 };
        frames.push((rest[0], rest[start..start + len].to_vec()));
        rest = &rest[start + len..];
    }
    frames
}

/// The data frames' payloads, joined.
pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    let frames = frames(bytes).into_iter();
    frames
        .filter(|(first, _)| first & 0x08 == 0)
        .flat_map(|(_, payload)| payload)
        .collect()
}

/// Bytes that show where a piece was lost, doubled or put elsewhere.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

const LENGTH_16: u8 = 0x7E;
const LENGTH_64: u8 = 0x7F;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
