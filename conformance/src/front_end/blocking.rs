//! The blocking front end, by each of its ways to read.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use framewire::blocking::{CloseReply, PingReply};
use framewire::frame::Rsv;
use framewire::protocol::Role;
use framewire::{CloseCode, Config, Error, ErrorKind, Opcode, Side, WebSocket};

use super::{FrontEnd, Gives, Outcome, Script, begins};
use crate::event::{End, Event};
use crate::peer::ScriptedPeer;

/// `next_message`.
#[derive(Debug)]
pub struct NextMessage;

/// `read_message`, into a buffer that is kept and one that is not empty in turns.
#[derive(Debug)]
pub struct ReadMessage;

/// `message_reader`, with a buffer of this size.
#[derive(Debug)]
pub struct MessageReader {
    /// How many bytes are asked for at a time.
    pub buffer: usize,
}

/// `read_header` and `read_frame`, with messages put together from the frames.
#[derive(Debug)]
pub struct ReadFrame;

impl FrontEnd for NextMessage {
    fn name(&self) -> &'static str {
        "next_message"
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut run = Run::new(script, true);
        let end = run.drive(|socket, events| {
            let message = socket.next_message()?;
            let event = Event::Message(message.opcode(), message.payload().to_vec());
            events.push(event);
            Ok(())
        });
        run.outcome(end, vec![])
    }
}

impl FrontEnd for ReadMessage {
    fn name(&self) -> &'static str {
        "read_message"
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut run = Run::new(script, true);
        let mut buffer = vec![];
        let mut keeps = false;
        let end = run.drive(|socket, events| {
            let before = buffer.clone();
            let opcode = match socket.read_message(&mut buffer) {
                Ok(opcode) => opcode,
                Err(error) => {
                    assert_eq!(buffer, before, "untouched by an error");
                    return Err(error);
                }
            };
            assert!(buffer.starts_with(&before), "appended");
            events.push(Event::Message(opcode, buffer[before.len()..].to_vec()));
            keeps = !keeps;
            buffer.truncate(if keeps { 3 } else { 0 });
            Ok(())
        });
        run.outcome(end, vec![])
    }
}

impl FrontEnd for MessageReader {
    fn name(&self) -> &'static str {
        "message_reader"
    }

    fn holds_messages(&self) -> bool {
        false
    }

    fn gives(&self) -> Gives {
        Gives::Pieces
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut run = Run::new(script, true);
        let mut buffer = vec![0; self.buffer];
        let mut begun: Option<(Opcode, Vec<u8>)> = None;
        let end = run.drive(|socket, events| {
            let (mut reader, (opcode, bytes)) = match &mut begun {
                None => {
                    let reader = socket.message_reader()?;
                    let opcode = reader.opcode();
                    (reader, begun.insert((opcode, vec![])))
                }
                Some(begun) => {
                    let reader = socket.resume_message_reader();
                    (reader.ok_or(ErrorKind::MessageInProgress)?, begun)
                }
            };
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(len) => bytes.extend_from_slice(&buffer[..len]),
                    Err(error) => {
                        let failed = Err(into_error(error));
                        if is_final(&failed) {
                            let again = reader.read(&mut buffer).map(drop);
                            assert_same(&failed, &again.map_err(into_error));
                        }
                        return failed;
                    }
                }
            }
            events.push(Event::Message(*opcode, std::mem::take(bytes)));
            begun = None;
            Ok(())
        });
        let partial = begun.map_or(vec![], |(_, bytes)| bytes);
        run.outcome(end, partial)
    }
}

impl FrontEnd for ReadFrame {
    fn name(&self) -> &'static str {
        "read_frame"
    }

    fn holds_messages(&self) -> bool {
        false
    }

    fn gives(&self) -> Gives {
        Gives::Frames
    }

    fn run(&self, script: &Script) -> Outcome {
        // Control frames are given: no handler has to tell of them.
        let mut run = Run::new(script, false);
        let mut buffer = vec![];
        let mut begun: Option<(Opcode, Vec<u8>)> = None;
        let end = run.drive(|socket, events| {
            let header = socket.read_header()?;
            let needed = usize::try_from(header.payload_len()).unwrap_or(usize::MAX);
            buffer.resize(needed.min(LONGEST_FRAME), 0);
            if needed > buffer.len() {
                let error = socket.read_frame(&mut buffer).expect_err("no room");
                assert!(
                    matches!(error.kind(), ErrorKind::FrameBufferTooSmall { needed }
                        if *needed == header.payload_len()),
                    "{error:?}"
                );
                // Skips it, and judges what there is of it.
                if begins(header.opcode()) {
                    let mut reader = socket.message_reader()?;
                    let skipped = io::copy(&mut reader, &mut io::sink());
                    return skipped.map(drop).map_err(into_error);
                }
                return socket.next_message().map(drop);
            }
            let frame = socket.read_frame(&mut buffer)?;
            assert_eq!(*frame.header(), header);
            let opcode = header.opcode();
            if opcode.is_control() {
                events.push(Event::from_control(opcode, frame.payload()));
                return Ok(());
            }
            if begins(opcode) {
                begun = Some((opcode, vec![]));
            }
            let (opcode, mut bytes) = begun.take().expect("a message is under way");
            bytes.extend_from_slice(frame.payload());
            if header.fin() {
                events.push(Event::Message(opcode, bytes));
            } else {
                begun = Some((opcode, bytes));
            }
            Ok(())
        });
        let partial = begun.map_or(vec![], |(_, bytes)| bytes);
        run.outcome(end, partial)
    }
}

/// A connection over a script, and what its handlers have seen.
struct Run {
    socket: WebSocket<ScriptedPeer>,
    events: Events,
}

/// In the order in which they were given, whether by a call or by a handler.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    fn push(&self, event: Event) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Run {
    fn new(script: &Script, with_handlers: bool) -> Self {
        let mut peer = ScriptedPeer::saying(script.pieces.iter().cloned());
        if script.pauses {
            peer = peer.with_pauses();
        }
        let config = Config {
            limits: script.terms.limits,
            read_buffer: script.read_buffer,
            rsv: Rsv::from_first_byte(script.terms.rsv),
            ..Config::default()
        };
        let socket = match script.terms.role {
            Role::Server => WebSocket::server(peer, config),
            Role::Client => WebSocket::client(peer, config),
        };
        let mut socket = socket.expect("no size is zero");
        let events = Events::default();
        if with_handlers {
            let (pinged, pongs, ended) = (events.clone(), events.clone(), events.clone());
            socket.on_ping(move |payload| {
                pinged.push(Event::Ping(payload.to_vec()));
                PingReply::Pong
            });
            socket.on_pong(move |payload| pongs.push(Event::Pong(payload.to_vec())));
            socket.on_close(move |code, reason| {
                ended.push(Event::Close(code.map(CloseCode::get), reason.to_owned()));
                CloseReply::Echo
            });
        }
        Self { socket, events }
    }

    /// Reads until the script is over or the connection is; then once more, which must say the
    /// same and read nothing.
    fn drive(
        &mut self,
        mut read: impl FnMut(&mut WebSocket<ScriptedPeer>, &Events) -> Result<(), Error>,
    ) -> End {
        loop {
            let result = read(&mut self.socket, &self.events);
            let Err(error) = &result else {
                continue;
            };
            if error.is_would_block() {
                if self.socket.stream().has_more() {
                    continue;
                }
                return End::Open;
            }
            let reads = self.socket.stream().reads();
            let again = self.socket.next_message().map(drop);
            assert_same(&result, &again);
            assert_eq!(self.socket.stream().reads(), reads, "a read after the end");
            return match error.kind() {
                ErrorKind::Violation(violation) => End::Violation(*violation),
                ErrorKind::Closed(closed) => {
                    assert_eq!(closed.by, Side::Peer);
                    End::Closed
                }
                other => panic!("{other:?}"),
            };
        }
    }

    fn outcome(mut self, end: End, partial: Vec<u8>) -> Outcome {
        Outcome {
            events: self.events.take(),
            end,
            partial,
            sent: Some(self.socket.stream_mut().take_written()),
        }
    }
}

/// The error inside an `io::Error`.
fn into_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => error.into(),
    }
}

fn is_final(result: &Result<(), Error>) -> bool {
    matches!(result, Err(error) if !error.is_would_block())
}

fn assert_same(first: &Result<(), Error>, again: &Result<(), Error>) {
    assert_eq!(format!("{first:?}"), format!("{again:?}"), "the same again");
}

/// The longest frame that is read whole.
const LONGEST_FRAME: usize = 1 << 20;
