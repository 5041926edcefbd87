//! As many clients as a server takes, all at once.
//!
//! What a server keeps for later use depends on the most that was in use at a time, and how much memory that is on
//! what it was used for. A crowd leaves the same behind whatever was before: as many contexts of compression and
//! buffers as the server keeps, each of which was used to its end, and no memory of messages, since that of long ones
//! is not kept.

use anyhow::{Context as _, Result, bail, ensure};
use framewire::tokio::{Stream, WebSocket};
use framewire::{ErrorKind, Opcode, Rsv};

use super::deadline::{DEADLINE, within};
use super::random::Random;
use super::target::{PLACES, Target};

/// Fills a server, checks that it has no place for one more, and leaves. Returns how many messages were echoed.
pub(super) async fn come(target: &Target, random: &mut Random) -> Result<u64> {
    let compressed = to_compress(random);
    let mut clients = Vec::with_capacity(PLACES);
    for place in 1..=PLACES {
        let client = within(DEADLINE, enter(target, &compressed)).await;
        clients.push(client.with_context(|| format!("place {place} of {PLACES}"))?);
    }
    let refusal = within(DEADLINE, expect_refusal(target)).await;
    refusal.context("one more than there are places")?;
    let clients = &mut clients[..LONG_AT_ONCE];
    let long = within(DEADLINE, echo_at_once(clients, &vec![7; LONG])).await;
    long.with_context(|| format!("long messages of {LONG_AT_ONCE} clients at once"))?;
    Ok((PLACES + LONG_AT_ONCE) as u64)
}

/// Takes a place, and has a message echoed.
async fn enter(target: &Target, message: &[u8]) -> Result<WebSocket<Stream>> {
    let mut client = target.connect(true).await?;
    client.write(message).await?;
    expect_echo(&mut client, message).await?;
    Ok(client)
}

/// Sends a message by each client before the first of them is echoed.
async fn echo_at_once(clients: &mut [WebSocket<Stream>], message: &[u8]) -> Result<()> {
    for client in &mut *clients {
        client
            .write_frame(false, Rsv::NONE, Opcode::Binary, message)
            .await?;
    }
    for client in clients {
        client
            .write_frame(true, Rsv::NONE, Opcode::Continuation, b"")
            .await?;
        expect_echo(client, message).await?;
    }
    Ok(())
}

async fn expect_echo(client: &mut WebSocket<Stream>, payload: &[u8]) -> Result<()> {
    let echo = client.next_message().await?.context("no echo")?;
    ensure!(
        echo.payload() == payload,
        "the echo of {} bytes differs",
        payload.len()
    );
    Ok(())
}

async fn expect_refusal(target: &Target) -> Result<()> {
    let Err(error) = target.connect(false).await else {
        bail!("a full server took one more");
    };
    let status = match error
        .downcast_ref::<framewire::Error>()
        .map(framewire::Error::kind)
    {
        Some(ErrorKind::Handshake(refusal)) => refusal.status(),
        _ => None,
    };
    ensure!(
        status.is_some_and(|status| status == 503),
        "a full server answered with {error:#}"
    );
    Ok(())
}

/// Returns a message that fills a window twice: once with what has no repetition, and once with few codes.
fn to_compress(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(WINDOW);
    let digits: Vec<u8> = bytes.iter().map(|byte| b'0' + byte % 10).collect();
    bytes.extend(digits);
    bytes
}

/// Twice the largest window of compression.
const WINDOW: usize = 64 << 10;
/// More than the memory of a message that is kept.
const LONG: usize = (2 << 20) + (64 << 10);
/// More than the number of messages whose memory is kept.
const LONG_AT_ONCE: usize = 20;
