//! yawc with the sizes of its own benchmark, a read buffer of 128 KiB and a write boundary of 64 KiB. Text is
//! validated, which it does only if asked, and messages may have 64 MiB.
//!
//! `send` flushes. Batched, `feed` queues, and what a read brought is flushed at its end, which the loop counts.

use futures_util::SinkExt;
use yawc::{OpCode, Options, Role, WebSocket, WebSocketError};

use crate::echo::{Echo, NO_FAILURE, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = open(stream);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let frame = websocket.next_frame().await?;
                if let OpCode::Text | OpCode::Binary = frame.opcode() {
                    websocket.send(frame).await?;
                }
            }
            Ok::<_, WebSocketError>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let mut websocket = open(stream);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages / reads.frames {
                for _ in 0..reads.frames {
                    let frame = websocket.next_frame().await?;
                    if let OpCode::Text | OpCode::Binary = frame.opcode() {
                        websocket.feed(frame).await?;
                    }
                }
                websocket.flush().await?;
            }
            Ok::<_, WebSocketError>(())
        });
    })
}

fn open<S: Io>(stream: S) -> WebSocket<S> {
    let options = Options::default()
        .with_utf8()
        .with_limits(64 << 20, 128 << 20)
        .with_read_buffer_capacity(128 << 10)
        .with_backpressure_boundary(64 << 10);
    WebSocket::from_stream(stream, Role::Server, options).expect(NO_FAILURE)
}
