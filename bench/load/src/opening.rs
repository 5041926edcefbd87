//! The opening handshake, both ends.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Deflate;
use crate::stream::Stream;

pub(crate) fn request(address: SocketAddr, deflate: Deflate) -> String {
    let offer = match deflate {
        Deflate::None => "",
        Deflate::NoTakeover => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
             client_no_context_takeover\r\n"
        }
        Deflate::Takeover => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    };
    format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

/// Does the handshake on a stream that waits.
pub(crate) fn open<S: Stream>(stream: &mut S, address: SocketAddr, deflate: Deflate) -> Result<()> {
    send_all(stream, request(address, deflate).as_bytes())?;
    let response = head(stream).context("waiting for the server's handshake")?;
    check(&response, deflate)
}

/// Sends all bytes on a stream that waits.
pub(crate) fn send_all<S: Stream>(stream: &mut S, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let sent = stream.write(bytes)?;
        bytes = &bytes[sent..];
    }
    Ok(stream.flush()?)
}

/// Reads up to the empty line that ends a head. Nothing follows it before the other end has an answer.
fn head<S: Stream>(stream: &mut S) -> Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !is_head(&head) {
        let some = stream.read(&mut buffer)?;
        ensure!(
            some > 0 && head.len() < 1 << 16,
            "no handshake: {:?}",
            String::from_utf8_lossy(&head)
        );
        head.extend_from_slice(&buffer[..some]);
    }
    Ok(String::from_utf8(head)?)
}

pub(crate) fn is_head(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n\r\n")
}

/// Checks that the response opens the connection, with the extension that was asked for.
pub(crate) fn check(response: &str, deflate: Deflate) -> Result<()> {
    ensure!(
        response.starts_with("HTTP/1.1 101 "),
        "refused: {response:?}"
    );
    ensure!(
        field(response, "sec-websocket-accept") == Some(ACCEPT),
        "not the right Sec-WebSocket-Accept: {response:?}"
    );
    let extensions = field(response, "sec-websocket-extensions").unwrap_or("");
    let compresses = extensions.starts_with("permessage-deflate");
    let resets = ["server_no_context_takeover", "client_no_context_takeover"]
        .map(|name| extensions.contains(name));
    let agreed = match deflate {
        Deflate::None => extensions.is_empty(),
        // A client may reset without saying so.
        Deflate::NoTakeover => compresses && resets[0],
        Deflate::Takeover => compresses && resets == [false, false],
    };
    ensure!(agreed, "asked for {deflate:?} and got {extensions:?}");
    Ok(())
}

/// Answers a client's handshake on a stream that waits.
pub(crate) fn accept<S: Stream>(stream: &mut S) -> Result<()> {
    let request = head(stream).context("waiting for the client's handshake")?;
    let Some(key) = field(&request, "sec-websocket-key") else {
        bail!("no handshake of a client: {request:?}");
    };
    let mut sha1 = sha1_smol::Sha1::from(key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut response = String::from(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    );
    let accept = BASE64_STANDARD.encode(sha1.digest().bytes());
    write!(response, "Sec-WebSocket-Accept: {accept}\r\n\r\n")?;
    send_all(stream, response.as_bytes())
}

/// Returns the value of a field, whose name is given in lower case.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim_matches([' ', '\t', '\r']))
    })
}

/// The key and its answer of RFC 6455 1.3. Servers cannot tell that it is always the same.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
