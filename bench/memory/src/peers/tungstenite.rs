//! tungstenite with its default limits, 16 MiB for a frame and 64 MiB for a message, and a read buffer of 2 KiB: the
//! fastest here of 2 to 128 KiB, with every length of messages, as it fills the whole buffer with zeros before each
//! read. Its documentation names 4 KiB for many connections, and 128 KiB, the default, for a high load.
//!
//! `send` writes and flushes. Batched, `write` queues, and what a read brought is flushed at its end: a server
//! learns where that is from a read that would block. Here the loop counts, which costs it nothing.

use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use crate::echo::{Echo, NO_FAILURE, Reads};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = WebSocket::from_raw_socket(stream, Role::Server, Some(config()));
    let mut echo = move |messages| {
        for _ in 0..messages {
            let message = websocket.read()?;
            if message.is_binary() || message.is_text() {
                websocket.send(message)?;
            }
        }
        Ok::<_, Error>(())
    };
    Box::new(move |messages| echo(messages).expect(NO_FAILURE))
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let mut websocket = WebSocket::from_raw_socket(stream, Role::Server, Some(config()));
    let mut echo = move |messages| {
        for _ in 0..messages / reads.frames {
            for _ in 0..reads.frames {
                let message = websocket.read()?;
                if message.is_binary() || message.is_text() {
                    websocket.write(message)?;
                }
            }
            websocket.flush()?;
        }
        Ok::<_, Error>(())
    };
    Box::new(move |messages| echo(messages).expect(NO_FAILURE))
}

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(2 << 10)
}
