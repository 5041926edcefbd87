//! The least of an opening handshake.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Returns the response, once the request is there.
pub(super) fn response(request: &[u8]) -> Result<Option<String>> {
    if !request.ends_with(b"\r\n\r\n") {
        return Ok(None);
    }
    let request = std::str::from_utf8(request)?;
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    });
    let mut sha1 = sha1_smol::Sha1::from(key.context("no Sec-WebSocket-Key")?);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(sha1.digest().bytes());
    Ok(Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )))
}
