//! framewire: its front ends, each with the loop of its documentation, and a `Session`, which has no stream. All have
//! the default sizes; messages may have 64 MiB, as with the peers.

use framewire::protocol::{Event, MessageBuffer, Session};
use framewire::{Config, Error, Limits, blocking, tokio};
use futures_util::{SinkExt, TryStreamExt};

use crate::echo::{Echo, Kind, NO_FAILURE, Reads, Role, Style, now};
use crate::stream::Io;

pub(crate) fn all<S: Io>() -> Vec<Kind<S>> {
    use Style::{Batched, Simple};
    let kind = |name, style, open| Kind {
        name,
        package: "framewire",
        style,
        role: Role::Ours,
        open,
    };
    vec![
        kind("framewire-session", Batched, session),
        kind("framewire-blocking", Batched, blocking),
        kind("framewire-blocking-write", Simple, blocking_write),
        kind("framewire-tokio", Batched, tokio),
        kind("framewire-tokio-write", Simple, tokio_write),
        kind("framewire-tokio-halves", Batched, tokio_halves),
        kind("framewire-tokio-sink", Batched, tokio_sink),
    ]
}

const LIMITS: Limits = Limits::new().message(64 << 20);
const CONFIG: Config = Config::new().limits(LIMITS);

/// Reads and writes by itself: a buffer that takes a whole read, and one for the answers.
fn session<S: Io>(mut stream: S, reads: Reads) -> Echo {
    let mut session = Session::server(LIMITS);
    let mut input = vec![0; reads.len()];
    let mut message = MessageBuffer::new();
    let mut output = Vec::new();
    Box::new(move |messages| {
        let mut done = 0;
        while done < messages {
            let len = stream.read(&mut input).expect(NO_FAILURE);
            let mut rest = &mut input[..len];
            output.clear();
            while !rest.is_empty() {
                let (taken, event) = session.receive(rest, &mut message).expect(NO_FAILURE);
                if let Some(Event::Message(message)) = event {
                    session.send(message, &mut output).expect(NO_FAILURE);
                    done += 1;
                }
                session.write_reply(&mut output).expect(NO_FAILURE);
                rest = &mut rest[taken..];
            }
            stream.write_all(&output).expect(NO_FAILURE);
        }
    })
}

/// Fed messages leave before the next read.
fn blocking<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = blocking::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    let mut echo = move |messages| {
        for _ in 0..messages {
            let Some((message, writer)) = websocket.next_message_and_writer()? else {
                break;
            };
            writer.feed(message)?;
        }
        Ok::<_, Error>(())
    };
    Box::new(move |messages| echo(messages).expect(NO_FAILURE))
}

fn blocking_write<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = blocking::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    let mut echo = move |messages| {
        for _ in 0..messages {
            let Some((message, writer)) = websocket.next_message_and_writer()? else {
                break;
            };
            writer.write(message)?;
        }
        Ok::<_, Error>(())
    };
    Box::new(move |messages| echo(messages).expect(NO_FAILURE))
}

/// Fed messages leave before the next read.
fn tokio<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = tokio::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some((message, writer)) = websocket.next_message_and_writer().await? else {
                    break;
                };
                writer.feed(message).await?;
            }
            Ok::<_, Error>(())
        });
    })
}

fn tokio_write<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = tokio::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some((message, writer)) = websocket.next_message_and_writer().await? else {
                    break;
                };
                writer.write(message).await?;
            }
            Ok::<_, Error>(())
        });
    })
}

/// Both halves in one task.
fn tokio_halves<S: Io>(stream: S, _reads: Reads) -> Echo {
    let websocket = tokio::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    let (mut reader, mut writer) = websocket.split();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = reader.next_message().await? else {
                    break;
                };
                writer.feed(message).await?;
            }
            Ok::<_, Error>(())
        });
    })
}

/// Owned messages, as `Stream` yields and `Sink` takes them.
fn tokio_sink<S: Io>(stream: S, _reads: Reads) -> Echo {
    let mut websocket = tokio::WebSocket::server(stream, CONFIG).expect(NO_FAILURE);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let Some(message) = websocket.try_next().await? else {
                    break;
                };
                SinkExt::feed(&mut websocket, message).await?;
            }
            Ok::<_, Error>(())
        });
    })
}
