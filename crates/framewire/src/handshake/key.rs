//! The client's key, and the answer that proves that the server read it (RFC 6455 1.3).

use super::HandshakeError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use sha1_smol::Sha1;

/// Returns the `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
///
/// The key is taken as it is, without a check that it is valid. Allocates the result.
///
/// # Examples
/// ```
/// use framewire::handshake::accept_key;
///
/// // The example of RFC 6455 1.3.
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID);
    BASE64.encode(sha1.digest().bytes())
}

/// Returns a `Sec-WebSocket-Key`: 16 bytes of the operating system's entropy in base64 (RFC 6455 4.1).
///
/// # Errors
/// [`HandshakeErrorKind::Entropy`](super::HandshakeErrorKind::Entropy) where the system has none.
pub fn generate_key() -> Result<String, HandshakeError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(HandshakeError::entropy)?;
    Ok(BASE64.encode(nonce))
}

/// Returns whether a key is the base64 of 16 bytes.
///
/// The spare bits of the last character may have any value: in the RFC's own example of a key,
/// `AQIDBAUGBwgJCgsMDQ4PEC==` in 4.1, they are not zero.
pub(super) fn is_valid_key(key: &[u8]) -> bool {
    // As much as 24 characters can hold.
    let mut nonce = [0; 18];
    key.len() == KEY_LEN && BASE64.decode_slice(key, &mut nonce) == Ok(NONCE_LEN)
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
const NONCE_LEN: usize = 16;
const KEY_LEN: usize = 24;
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
