//! tokio-websockets as in its example of an echo server: without limits, and messages in one frame.
//!
//! `send` flushes, and so does each read. The batched loop therefore collects the messages of a read first, as
//! `ready_chunks` does, then feeds them and flushes once.

use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{Config, Error, Limits, ServerBuilder, WebSocketStream};

use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = open(stream);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = websocket.next().await.transpose()? else {
                    break;
                };
                if message.is_text() || message.is_binary() {
                    websocket.send(message).await?;
                }
            }
            Ok::<_, Error>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let mut websocket = open(stream);
    let mut batch = Vec::with_capacity(reads.frames);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages / reads.frames {
                for _ in 0..reads.frames {
                    let Some(message) = websocket.next().await.transpose()? else {
                        break;
                    };
                    if message.is_text() || message.is_binary() {
                        batch.push(message);
                    }
                }
                for message in batch.drain(..) {
                    websocket.feed(message).await?;
                }
                websocket.flush().await?;
            }
            Ok::<_, Error>(())
        });
    })
}

fn open<S: Io>(stream: S) -> WebSocketStream<S> {
    ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
        .serve(stream)
}
