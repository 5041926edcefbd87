//! fastwebsockets with its defaults: vectored writes above 1 KiB, a read buffer of 8 KiB, messages of up to 64 MiB,
//! Pongs and Close frames of its own. Behind a `FragmentCollector`, as in its example of an echo server, since an
//! echo is of messages.
//!
//! Each frame is written at once. It has no queue: batched, its writer has tokio's `BufWriter` below it, which is
//! flushed where a read ends. That takes the split form, as the collector hides `flush`.

use std::io;

use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, OpCode, Role, WebSocket, WebSocketError,
};
use tokio::io::BufWriter;

use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let websocket = WebSocket::after_handshake(stream, Role::Server);
    let mut websocket = FragmentCollector::new(websocket);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let frame = websocket.read_frame().await?;
                match frame.opcode {
                    OpCode::Close => break,
                    OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
                    _ => {}
                }
            }
            Ok::<_, WebSocketError>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let websocket = WebSocket::after_handshake(stream, Role::Server);
    let (reader, mut writer) =
        websocket.split(|stream: S| (stream.clone(), BufWriter::new(stream)));
    let mut reader = FragmentCollectorRead::new(reader);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages / reads.frames {
                for _ in 0..reads.frames {
                    // No control frame comes, which would have to be answered here.
                    let frame = reader
                        .read_frame(&mut |_| async { Ok::<_, io::Error>(()) })
                        .await?;
                    match frame.opcode {
                        OpCode::Close => break,
                        OpCode::Text | OpCode::Binary => writer.write_frame(frame).await?,
                        _ => {}
                    }
                }
                writer.flush().await?;
            }
            Ok::<_, WebSocketError>(())
        });
    })
}
