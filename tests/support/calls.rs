//! Calls that write, to be dropped while they wait and to be followed by others.

use std::time::Duration;

use framewire::frame::Rsv;
use framewire::tokio::{PreparedMessage, WebSocket, WriteHalf};
use framewire::{CloseCode, Error, Opcode};
use tokio::io::AsyncWriteExt;

use super::peer::ScriptedPeer;
use super::view::View;
use crate::frames::{BINARY, CLOSE, FIN, PING, PONG, TEXT};
use crate::pattern;

/// One call that writes.
#[derive(Debug, Clone)]
pub enum Call {
    Write(Vec<u8>),
    WriteText(String),
    Feed(Vec<u8>),
    Prepared(PreparedMessage),
    Frame(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    Flush,
    /// From a source, in chunks of so many bytes.
    Stream(usize, Vec<u8>),
    /// By pushing, in pieces of so many bytes.
    Push(usize, Vec<u8>),
}

impl Call {
    /// Those that take a message or a frame whole, or not at all. The sizes are for
    /// [`SMALL`](super::operations::SMALL).
    pub fn all_or_nothing() -> Vec<Self> {
        let prepared =
            |len| Self::Prepared(PreparedMessage::new(Opcode::Binary, &pattern(len)).unwrap());
        vec![
            Self::Write(pattern(20)),
            Self::Write(pattern(90)),
            Self::Write(pattern(170)),
            Self::WriteText("é".repeat(40)),
            Self::Feed(pattern(20)),
            Self::Feed(pattern(60)),
            Self::Feed(pattern(140)),
            prepared(20),
            prepared(130),
            Self::Frame(pattern(33)),
            Self::Ping(pattern(125)),
            Self::Pong(pattern(3)),
            Self::Close,
            Self::Flush,
        ]
    }

    pub async fn on(&self, websocket: &mut WebSocket<ScriptedPeer>) -> Result<(), Error> {
        match self {
            Self::Write(payload) => websocket.write_message(Opcode::Binary, payload).await,
            Self::WriteText(text) => {
                let payload = text.as_bytes();
                websocket.write_message(Opcode::Text, payload).await
            }
            Self::Feed(payload) => websocket.feed_message(Opcode::Binary, payload).await,
            Self::Prepared(message) => websocket.write_prepared(message).await,
            Self::Frame(payload) => {
                let opcode = Opcode::Binary;
                websocket
                    .write_frame(true, Rsv::NONE, opcode, payload)
                    .await
            }
            Self::Ping(payload) => websocket.ping(payload).await,
            Self::Pong(payload) => websocket.pong(payload).await,
            Self::Close => websocket.close(CloseCode::GOING_AWAY, "bye").await,
            Self::Flush => websocket.flush().await,
            Self::Stream(chunk_size, payload) => {
                let streamed = websocket.stream_message(Opcode::Binary, *chunk_size, &payload[..]);
                streamed.await.map(drop)
            }
            Self::Push(piece, payload) => {
                let mut writer = websocket.message_writer(Opcode::Binary)?;
                for piece in payload.chunks(*piece) {
                    writer.write_all(piece).await?;
                }
                writer.finish().await.map(drop)
            }
        }
    }

    pub async fn on_half(&self, half: &WriteHalf<ScriptedPeer>) -> Result<(), Error> {
        match self {
            Self::Write(payload) => half.write_message(Opcode::Binary, payload).await,
            Self::WriteText(text) => half.write_message(Opcode::Text, text.as_bytes()).await,
            Self::Feed(payload) => half.feed_message(Opcode::Binary, payload).await,
            Self::Prepared(message) => half.write_prepared(message).await,
            Self::Frame(payload) => {
                half.write_frame(true, Rsv::NONE, Opcode::Binary, payload)
                    .await
            }
            Self::Ping(payload) => half.ping(payload).await,
            Self::Pong(payload) => half.pong(payload).await,
            Self::Close => half.close(CloseCode::GOING_AWAY, "bye").await,
            Self::Flush => half.flush().await,
            Self::Stream(chunk_size, payload) => {
                let streamed = half.stream_message(Opcode::Binary, *chunk_size, &payload[..]);
                streamed.await.map(drop)
            }
            Self::Push(piece, payload) => {
                let mut writer = half.message_writer(Opcode::Binary).await?;
                for piece in payload.chunks(*piece) {
                    writer.write_all(piece).await?;
                }
                writer.finish().await.map(drop)
            }
        }
    }

    /// Lets the peer see it.
    pub fn show(&self, view: &mut View) {
        let first = if matches!(self, Self::WriteText(_)) {
            TEXT
        } else {
            BINARY
        };
        match self {
            Self::Write(payload)
            | Self::Feed(payload)
            | Self::Frame(payload)
            | Self::Stream(_, payload)
            | Self::Push(_, payload) => view.messages.push((first, payload.clone())),
            Self::WriteText(text) => view.messages.push((first, text.clone().into_bytes())),
            Self::Prepared(message) => view.messages.push((first, message.payload().to_vec())),
            Self::Ping(payload) => view.control.push((FIN | PING, payload.clone())),
            Self::Pong(payload) => view.control.push((FIN | PONG, payload.clone())),
            Self::Close => view.control.push((FIN | CLOSE, b"\x03\xE9bye".to_vec())),
            Self::Flush => {}
        }
    }

    pub fn is_close(&self) -> bool {
        matches!(self, Self::Close)
    }
}

/// Longer than any test.
pub const FOR_EVER: Duration = Duration::MAX;
