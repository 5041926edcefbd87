//! sockudo-ws with its defaults, less its own Pings and its idle timeout: no other echo here has timers.
//!
//! `send` flushes. Batched, its documentation has an echo loop with `feed`: the next read flushes.

use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{Config, Error, Message, WebSocketStream};

use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = WebSocketStream::server(stream, config());
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = websocket.next().await else {
                    break;
                };
                match message? {
                    message @ (Message::Text(_) | Message::Binary(_)) => {
                        websocket.send(message).await?;
                    }
                    Message::Close(_) => break,
                    _ => {}
                }
            }
            Ok::<_, Error>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = WebSocketStream::server(stream, config());
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = websocket.next().await else {
                    break;
                };
                match message? {
                    message @ (Message::Text(_) | Message::Binary(_)) => {
                        websocket.feed(message).await?;
                    }
                    Message::Close(_) => break,
                    _ => {}
                }
            }
            Ok::<_, Error>(())
        });
    })
}

fn config() -> Config {
    Config::builder().auto_ping(false).idle_timeout(0).build()
}
