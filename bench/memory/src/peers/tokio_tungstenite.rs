//! tokio-tungstenite with the settings of [tungstenite](super::tungstenite).
//!
//! `send` flushes. Batched, `feed` queues, and what a read brought is flushed at its end, which the loop counts.

use std::convert::Infallible;

use futures_util::{SinkExt, TryStreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::tungstenite;
use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = open(stream);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = websocket.try_next().await? else {
                    break;
                };
                if message.is_binary() || message.is_text() {
                    websocket.send(message).await?;
                }
            }
            Ok::<_, Error>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let mut websocket = open(stream);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages / reads.frames {
                for _ in 0..reads.frames {
                    let Some(message) = websocket.try_next().await? else {
                        break;
                    };
                    if message.is_binary() || message.is_text() {
                        websocket.feed(message).await?;
                    }
                }
                websocket.flush().await?;
            }
            Ok::<_, Error>(())
        });
    })
}

fn open<S: Io>(stream: S) -> WebSocketStream<S> {
    let config = Some(tungstenite::config());
    let opening = WebSocketStream::from_raw_socket(stream, Role::Server, config);
    now(async { Ok::<_, Infallible>(opening.await) })
}
