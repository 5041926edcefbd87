//! Clients that never come to a handshake, or want none.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::random::Random;
use super::raw::read_to_end;
use super::target::Target;

/// Leaves in the middle of a request, or of what TLS begins with.
pub(super) async fn cut(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_tcp().await?;
    stream.write_all(part(target, random)).await?;
    sleep(Duration::from_millis(random.below(100) as u64)).await;
    if random.once_in(2) {
        stream.set_zero_linger()?;
    }
    Ok(0)
}

/// Sends part of a request, or of what TLS begins with, and waits until the server ends the connection.
pub(super) async fn never_finish(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_tcp().await?;
    stream.write_all(part(target, random)).await?;
    read_to_end(&mut stream).await?;
    Ok(0)
}

/// Gets the page, as a browser does.
pub(super) async fn ask_for_page(target: &Target) -> Result<u64> {
    expect_answer(target, PAGE.as_bytes(), b"HTTP/1.1 200 ").await
}

/// Sends bytes that are no request.
pub(super) async fn talk_nonsense(target: &Target, random: &mut Random) -> Result<u64> {
    let len = 1 + random.below(1000);
    let bytes = [b"\0", &random.bytes(len)[..]].concat();
    expect_answer(target, &bytes, b"HTTP/1.1 400 ").await
}

async fn expect_answer(target: &Target, request: &[u8], start: &[u8]) -> Result<u64> {
    let mut stream = target.dial().await?;
    stream.write_all(request).await?;
    let answer = read_to_end(&mut stream).await?;
    ensure!(
        answer.starts_with(start),
        "the answer was {:?}",
        String::from_utf8_lossy(&answer)
    );
    Ok(0)
}

/// Returns a part of what a client sends first.
fn part(target: &Target, random: &mut Random) -> &'static [u8] {
    let whole = if target.is_secure() {
        HELLO
    } else {
        REQUEST.as_bytes()
    };
    &whole[..random.below(whole.len())]
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const PAGE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// The header of a record of 512 bytes, and the beginning of a `ClientHello` of 508 in it (RFC 8446 4.1.2, 5.1).
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\0\0\0\0\0\0\0\0";
