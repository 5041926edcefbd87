//! Clients that speak as they should, and read every echo.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use framewire::tokio::{Stream, WebSocket};
use framewire::{CloseCode, Opcode, Rsv};
use tokio::io::AsyncReadExt as _;
use tokio::time::sleep;

use super::random::Random;
use super::target::Target;
use crate::server::MAX_MESSAGE;

type Client = WebSocket<Stream>;

/// A message, and what its echo has to be.
struct Message {
    opcode: Opcode,
    payload: Vec<u8>,
}

impl Message {
    fn of(len: usize, random: &mut Random) -> Self {
        if random.once_in(2) {
            return Self {
                opcode: Opcode::Text,
                payload: random.text(len),
            };
        }
        let payload = if random.once_in(2) {
            random.bytes(len)
        } else {
            random.text(len)
        };
        Self {
            opcode: Opcode::Binary,
            payload,
        }
    }

    /// Creates a message of any size, most of them short.
    fn of_any_size(random: &mut Random) -> Self {
        let len = match random.below(1000) {
            0..500 => random.below(126),
            500..600 => random.one_of(&EDGES),
            600..900 => random.below(1 << 14),
            900..990 => random.below(1 << 18),
            990..999 => random.below(1 << 21),
            _ => MAX_MESSAGE,
        };
        Self::of(len, random)
    }

    async fn send(&self, client: &mut Client) -> Result<()> {
        let written = client.write((self.opcode, &self.payload)).await;
        written.context("cannot send a message")
    }

    async fn expect_from(&self, client: &mut Client) -> Result<()> {
        let echo = client.next_message().await.context("instead of an echo")?;
        let echo = echo.context("the server closed instead of an echo")?;
        self.compare(echo.opcode(), echo.payload())
    }

    fn compare(&self, opcode: Opcode, payload: &[u8]) -> Result<()> {
        let len = self.payload.len();
        ensure!(
            opcode == self.opcode && payload.len() == len,
            "the echo of a {} message of {len} bytes is {opcode}, of {} bytes",
            self.opcode,
            payload.len()
        );
        ensure!(payload == self.payload, "the echo of {len} bytes differs");
        Ok(())
    }
}

/// Sends messages of all sizes, one after the other.
pub(super) async fn talk(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    let count = 1 + random.below(30);
    for _ in 0..count {
        let message = Message::of_any_size(random);
        message.send(&mut client).await?;
        message.expect_from(&mut client).await?;
    }
    close(client).await?;
    Ok(count as u64)
}

/// Sends many short messages at once, and reads the echoes after that.
pub(super) async fn pipeline(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    let count = 1 + random.below(100);
    let messages: Vec<Message> = (0..count)
        .map(|_| Message::of(random.below(200), random))
        .collect();
    for message in &messages {
        client.feed((message.opcode, &message.payload)).await?;
    }
    client.flush().await.context("cannot send the messages")?;
    for message in &messages {
        message.expect_from(&mut client).await?;
    }
    close(client).await?;
    Ok(count as u64)
}

/// Sends a message in fragments, with a Ping between them.
pub(super) async fn fragments(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    let message = Message::of(random.below(1 << 16), random);
    let at = random.below(message.payload.len() + 1);
    let (first, rest) = message.payload.split_at(at);
    client
        .write_frame(false, Rsv::NONE, message.opcode, first)
        .await?;
    client.ping(b"between").await?;
    let empty = client.write_frame(false, Rsv::NONE, Opcode::Continuation, b"");
    empty.await?;
    let last = client.write_frame(true, Rsv::NONE, Opcode::Continuation, rest);
    last.await?;
    message.expect_from(&mut client).await?;
    close(client).await?;
    Ok(1)
}

/// Reads a long echo a piece at a time, and so more slowly than it comes.
pub(super) async fn read_slowly(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    let message = Message::of(PIECE * (4 + random.below(8)), random);
    message.send(&mut client).await?;
    let mut echo = vec![0; message.payload.len()];
    let mut reader = client.message_reader().await?.context("no echo")?;
    let opcode = reader.opcode();
    for piece in echo.chunks_mut(PIECE) {
        reader.read_exact(piece).await.context("in an echo")?;
        sleep(Duration::from_millis(10)).await;
    }
    let more = reader.read(&mut [0]).await.context("after an echo")?;
    ensure!(more == 0, "the echo is longer than the message");
    message.compare(opcode, &echo)?;
    close(client).await?;
    Ok(1)
}

/// Says nothing for a while, and then something.
pub(super) async fn rest(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    sleep(Duration::from_millis(random.below(1000) as u64)).await;
    let message = Message::of_any_size(random);
    message.send(&mut client).await?;
    message.expect_from(&mut client).await?;
    close(client).await?;
    Ok(1)
}

/// Ends the stream without a Close frame.
pub(super) async fn leave_without_close(target: &Target, random: &mut Random) -> Result<u64> {
    let mut client = target.connect(random.once_in(2)).await?;
    let message = Message::of_any_size(random);
    message.send(&mut client).await?;
    message.expect_from(&mut client).await?;
    Ok(1)
}

async fn close(mut client: Client) -> Result<()> {
    let shutdown = client.shutdown(CLOSING).await.context("while closing")?;
    ensure!(
        shutdown.clean && shutdown.code == CloseCode::NORMAL,
        "it closed with {shutdown:?}"
    );
    Ok(())
}

/// The ends of the three forms of a length, and of an empty message.
const EDGES: [usize; 6] = [0, 125, 126, 127, (1 << 16) - 1, 1 << 16];
const PIECE: usize = 128 << 10;
const CLOSING: Duration = Duration::from_secs(30);
