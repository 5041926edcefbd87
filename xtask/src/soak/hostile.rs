//! Clients that leave in the middle, or flood the server, or take nothing from it.

use std::io::ErrorKind;

use anyhow::{Context as _, Result, bail, ensure};
use framewire::tokio::Stream;
use tokio::io::AsyncWriteExt as _;

use super::random::Random;
use super::raw::{
    BINARY, CLOSE, FIN, PING, PONG, TEXT, expect_close, frame, header, read_to_end, take_frame,
};
use super::target::Target;

/// Ends its own direction after a message, and still gets the echo.
pub(super) async fn close_half(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_raw(false).await?;
    let text = random.text(100);
    stream.write_all(&frame(FIN | TEXT, &text)).await?;
    stream.shutdown().await.context("cannot end a direction")?;
    let bytes = read_to_end(&mut stream).await?;
    let mut rest = &bytes[..];
    let echo = take_frame(&mut rest)?;
    ensure!(
        echo == (FIN | TEXT, &text[..]) && rest.is_empty(),
        "not an echo alone: {bytes:?}"
    );
    Ok(1)
}

/// Sends many Pings at once. The server may answer the last of several alone (RFC 6455 5.5.3).
pub(super) async fn flood_with_pings(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_raw(random.once_in(2)).await?;
    let count = 1 + random.below(2000) as u32;
    let mut bytes = Vec::new();
    for number in 0..count {
        bytes.extend(frame(FIN | PING, &number.to_be_bytes()));
    }
    bytes.extend(frame(FIN | CLOSE, &1000_u16.to_be_bytes()));
    stream.write_all(&bytes).await?;
    let answers = read_to_end(&mut stream).await?;
    let mut rest = &answers[..];
    let mut next = 0;
    while rest.first() == Some(&(FIN | PONG)) {
        let (_, payload) = take_frame(&mut rest)?;
        let number = u32::from_be_bytes(payload.try_into().context("a Pong of another length")?);
        ensure!(
            (next..count).contains(&number),
            "a Pong for {number} after that for {next}"
        );
        next = number + 1;
    }
    ensure!(next == count, "the last of {count} Pings has no Pong");
    expect_close(rest, 1000)?;
    Ok(0)
}

/// Sends messages and never reads, until the server resets the connection.
pub(super) async fn read_nothing(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_raw(false).await?;
    let len = random.one_of(&[100, 10_000, 1_000_000]);
    let message = frame(FIN | BINARY, &random.bytes(len));
    let burst = message.repeat((65_536 / message.len()).max(1));
    let error = loop {
        if let Err(error) = stream.write_all(&burst).await {
            break error;
        }
    };
    ensure!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "instead of a reset: {error}"
    );
    Ok(0)
}

/// Resets the connection while echoes are under way.
pub(super) async fn reset(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_raw(random.once_in(2)).await?;
    let len = random.below(1 << 15);
    let message = frame(FIN | BINARY, &random.bytes(len));
    stream.write_all(&message.repeat(2)).await?;
    end(&stream, true)?;
    Ok(0)
}

/// Leaves in the middle of a frame: in its header, or in its payload.
pub(super) async fn cut_frame(target: &Target, random: &mut Random) -> Result<u64> {
    let mut stream = target.connect_raw(random.once_in(2)).await?;
    let mut bytes = header(FIN | BINARY, 1 << 20);
    bytes.extend(random.bytes(1 << 14));
    let len = 1 + random.below(bytes.len() - 1);
    if random.once_in(2) {
        bytes.truncate(len.min(13));
    } else {
        bytes.truncate(len);
    }
    stream.write_all(&bytes).await?;
    end(&stream, random.once_in(2))?;
    Ok(0)
}

fn end(stream: &Stream, resets: bool) -> Result<()> {
    if resets && let Err(error) = stream.get_ref().set_zero_linger() {
        bail!("cannot have it reset: {error}");
    }
    Ok(())
}
