//! Frames as bytes, for clients that send whatever they like.

use std::io::ErrorKind;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt as _};

pub(super) const FIN: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// Returns a client's frame, under the masking key 0.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// Returns the header of a client's frame that announces this length.
pub(super) fn header(first: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(MASKED | len as u8),
        126..=0xFFFF => {
            bytes.push(MASKED | 0x7E);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(MASKED | 0x7F);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// Reads until the server has ended the stream.
pub(super) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes).await {
        Ok(_) => Ok(bytes),
        // How TLS tells of an end without its own goodbye.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(bytes),
        Err(error) => Err(error).context("before the end of the stream"),
    }
}

/// Takes a control frame or a short data frame of the server's from the front of some bytes.
pub(super) fn take_frame<'a>(bytes: &mut &'a [u8]) -> Result<(u8, &'a [u8])> {
    let [first, len, rest @ ..] = *bytes else {
        bail!("half a frame at the end: {bytes:?}");
    };
    let len = usize::from(*len);
    ensure!(
        len <= 125 && rest.len() >= len,
        "not a whole, short frame: {bytes:?}"
    );
    let (payload, rest) = rest.split_at(len);
    *bytes = rest;
    Ok((*first, payload))
}

/// Checks that a Close frame with this code is all that there is.
pub(super) fn expect_close(mut bytes: &[u8], code: u16) -> Result<()> {
    let (first, payload) = take_frame(&mut bytes)?;
    ensure!(
        first == FIN | CLOSE && payload.starts_with(&code.to_be_bytes()) && bytes.is_empty(),
        "not a Close frame with {code} alone: {first:#x} {payload:?}, and then {bytes:?}"
    );
    Ok(())
}

const MASKED: u8 = 0x80;
