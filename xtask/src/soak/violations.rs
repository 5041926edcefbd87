//! Clients that break a rule, each of which is answered with the code for it.

use anyhow::{Context as _, Result, ensure};
use framewire::CloseCode;
use framewire::tokio::Stream;
use tokio::io::AsyncWriteExt as _;

use super::random::Random;
use super::raw::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, expect_close, frame, header, read_to_end,
};
use super::target::Target;
use crate::server::MAX_MESSAGE;

/// Sends a frame that RFC 6455 forbids, or that is over a limit.
pub(super) async fn of_protocol(target: &Target, random: &mut Random) -> Result<u64> {
    let stream = target.connect_raw(false).await?;
    let (what, bytes, code) = match random.below(15) {
        0 => ("unmasked", b"\x81\x02hi".to_vec(), 1002),
        1 => ("reserved bits", frame(FIN | RSV1 | TEXT, b"hi"), 1002),
        2 => ("reserved bits", frame(FIN | 0x20 | TEXT, b"hi"), 1002),
        3 => ("reserved opcode", frame(FIN | 0x3, b"hi"), 1002),
        4 => ("reserved opcode", frame(FIN | 0xB, b"hi"), 1002),
        5 => ("fragmented Ping", frame(PING, b"hi"), 1002),
        6 => ("long Ping", frame(FIN | PING, &[0; 126]), 1002),
        7 => ("stray continuation", frame(FIN | CONTINUATION, b"hi"), 1002),
        8 => {
            let bytes = [frame(TEXT, b"hi"), frame(FIN | TEXT, b"hi")].concat();
            ("message in a message", bytes, 1002)
        }
        9 => {
            let bytes = b"\x82\xFE\0\x01\0\0\0\0x".to_vec();
            ("length not in its shortest form", bytes, 1002)
        }
        10 => ("length of 2^63", header(FIN | BINARY, 1 << 63), 1002),
        11 => ("half a code", frame(FIN | CLOSE, &[3]), 1002),
        12 => {
            let payload = 1005_u16.to_be_bytes();
            ("forbidden code", frame(FIN | CLOSE, &payload), 1002)
        }
        13 => ("not UTF-8", frame(FIN | TEXT, b"a\xFFb"), 1007),
        _ => {
            let bytes = header(FIN | BINARY, MAX_MESSAGE as u64 + 1);
            ("message over the limit", bytes, 1009)
        }
    };
    expect_answer(stream, &bytes, code).await.context(what)
}

/// Sends a compressed message that is none, or that becomes larger than the limit.
pub(super) async fn of_compression(target: &Target, random: &mut Random) -> Result<u64> {
    if random.once_in(2) {
        let stream = target.connect_raw(true).await?;
        // Block type 3 does not exist (RFC 1951 3.2.3).
        let bytes = frame(FIN | RSV1 | BINARY, &[0xFF; 100]);
        return expect_answer(stream, &bytes, 1007).await.context("garbage");
    }
    let mut client = target.connect(true).await?;
    // It fails if the server has closed before it was sent whole.
    let _ = client.write(&vec![0; MAX_MESSAGE + 1]).await;
    let echo = client.next_message().await?;
    ensure!(echo.is_none(), "a message over the limit was echoed");
    let code = client.closed().context("not closed")?.code();
    ensure!(
        code == CloseCode::MESSAGE_TOO_BIG,
        "a message that grows over the limit was answered with {code}"
    );
    Ok(0)
}

/// Sends bytes, and waits for a Close frame with this code and the end of the stream.
async fn expect_answer(mut stream: Stream, bytes: &[u8], code: u16) -> Result<u64> {
    stream.write_all(bytes).await?;
    expect_close(&read_to_end(&mut stream).await?, code)?;
    Ok(0)
}

const RSV1: u8 = 0x40;
