//! web-socket over tokio's `BufReader`, without which it reads each header in pieces. It has no other settings; its
//! limit is 16 MiB. It does not validate text, and takes a `str` to send it: the loop validates.
//!
//! Each message is written at once, vectored. Batched, `BufWriter` is below the reader, and is flushed when the reader
//! has nothing more.

use std::io;

use tokio::io::{BufReader, BufWriter};
use web_socket::{DataType, Event, MessageType, WebSocket};

use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = WebSocket::server(BufReader::new(stream));
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Event::Data { ty, data } = websocket.recv().await? else {
                    break;
                };
                match ty {
                    DataType::Complete(MessageType::Text) => websocket.send(text(&data)?).await?,
                    _ => websocket.send(&data[..]).await?,
                }
            }
            Ok::<_, io::Error>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = WebSocket::server(BufReader::new(BufWriter::new(stream)));
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Event::Data { ty, data } = websocket.recv().await? else {
                    break;
                };
                match ty {
                    DataType::Complete(MessageType::Text) => websocket.send(text(&data)?).await?,
                    _ => websocket.send(&data[..]).await?,
                }
                if websocket.stream.buffer().is_empty() {
                    websocket.flash().await?;
                }
            }
            Ok::<_, io::Error>(())
        });
    })
}

fn text(data: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(data).map_err(io::Error::other)
}
