//! A connection, by each of its ways to read.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use framewire::blocking::{CloseReply, PingReply};
use framewire::frame::Rsv;
use framewire::{CloseCode, Config, Error, ErrorKind, Opcode, Side};

use super::{FrontEnd, Gives, Outcome, Script, begins};
use crate::connection::{Kind, Messaging};
use crate::event::{End, Event};
use crate::into_error;
use crate::peer::{Manner, ScriptedPeer};

/// A connection of a kind that is read in a way, over a stream with a manner.
#[derive(Debug, Clone, Copy)]
pub struct Connected {
    /// The kind of connection.
    pub kind: Kind,
    /// How it is read.
    pub way: Way,
    /// How the stream behaves.
    pub manner: Manner,
}

/// A way to read. No operation of the table: that gives nothing of a message that does not become whole, and
/// says not in which order its calls and the handlers have seen something.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// `next_message`.
    NextMessage,
    /// `read_message`, into a buffer that is kept and one that is not empty in turns.
    ReadMessage,
    /// `message_reader`, with a buffer of this size.
    MessageReader(usize),
    /// `read_header` and `read_frame`, with messages put together from the frames.
    ReadFrame,
}

impl FrontEnd for Connected {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn holds_messages(&self) -> bool {
        matches!(self.way, Way::NextMessage | Way::ReadMessage)
    }

    fn decompresses(&self) -> bool {
        !matches!(self.way, Way::ReadFrame)
    }

    fn is_slow(&self) -> bool {
        self.manner == Manner::ByteByByte
    }

    fn gives(&self) -> Gives {
        match self.way {
            Way::NextMessage | Way::ReadMessage => Gives::Messages,
            Way::MessageReader(_) => Gives::Pieces,
            Way::ReadFrame => Gives::Frames,
        }
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut run = Run::new(*self, script);
        let (end, partial) = match self.way {
            Way::NextMessage => (run.by_next_message(), vec![]),
            Way::ReadMessage => (run.by_read_message(), vec![]),
            Way::MessageReader(size) => run.by_message_reader(size),
            Way::ReadFrame => run.by_read_frame(),
        };
        run.outcome(end, partial)
    }
}

/// A connection over a script, and what its handlers have seen.
struct Run {
    front_end: Connected,
    peer: ScriptedPeer,
    socket: Box<dyn Messaging>,
    events: Events,
}

/// In the order in which they were given, whether by a call or by a handler.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    pub fn push(&self, event: Event) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What notes the Pings.
    pub fn of_pings(&self) -> impl FnMut(&[u8]) -> PingReply + Send + 'static {
        let events = self.clone();
        move |payload| {
            events.push(Event::Ping(payload.to_vec()));
            PingReply::Pong
        }
    }

    /// What notes the Pongs.
    pub fn of_pongs(&self) -> impl FnMut(&[u8]) + Send + 'static {
        let events = self.clone();
        move |payload| events.push(Event::Pong(payload.to_vec()))
    }

    /// What notes the Close frame.
    pub fn of_closes(&self) -> impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static {
        let events = self.clone();
        move |code, reason| {
            events.push(Event::Close(code.map(CloseCode::get), reason.to_owned()));
            CloseReply::Echo
        }
    }
}

impl Run {
    fn new(front_end: Connected, script: &Script) -> Self {
        let mut peer = ScriptedPeer::saying(script.pieces.iter().cloned());
        if script.pauses {
            peer = peer.with_pauses();
        }
        peer = peer.behaving(front_end.manner);
        let agreed = script.compression.negotiated();
        let kind = front_end.kind;
        let agreed = agreed.as_ref().map(|agreed| agreed as _);
        let socket = kind.messaging(&peer, script.terms.role, config(script), agreed);
        let mut socket = socket.expect("no size is zero");
        let events = Events::default();
        // Where control frames are given no handler has to tell of them.
        if !matches!(front_end.way, Way::ReadFrame) {
            socket.on_ping(Box::new(events.of_pings()));
            socket.on_pong(Box::new(events.of_pongs()));
            socket.on_close(Box::new(events.of_closes()));
        }
        Self {
            front_end,
            peer,
            socket,
            events,
        }
    }

    fn by_next_message(&mut self) -> End {
        self.drive(|socket, events| {
            let Some(message) = socket.next_message()? else {
                return Err(socket.end());
            };
            let event = Event::Message(message.opcode(), message.payload().to_vec());
            events.push(event);
            Ok(())
        })
    }

    fn by_read_message(&mut self) -> End {
        let mut buffer = vec![];
        let mut keeps = false;
        self.drive(|socket, events| {
            let before = buffer.clone();
            let appended = socket.append_message(&mut buffer);
            let opcode = match appended.map(|one| one.map(|message| message.opcode())) {
                Ok(Some(opcode)) => opcode,
                end => {
                    assert_eq!(buffer, before, "untouched by an end");
                    end?;
                    return Err(socket.end());
                }
            };
            assert!(buffer.starts_with(&before), "appended");
            events.push(Event::Message(opcode, buffer[before.len()..].to_vec()));
            keeps = !keeps;
            buffer.truncate(if keeps { 3 } else { 0 });
            Ok(())
        })
    }

    fn by_message_reader(&mut self, size: usize) -> (End, Vec<u8>) {
        let mut buffer = vec![0; size];
        let mut begun: Option<(Opcode, Vec<u8>)> = None;
        let end = self.drive(|socket, events| {
            let socket = socket.with_stream().expect("a kind with a stream");
            let (mut reader, (opcode, bytes)) = match &mut begun {
                None => {
                    let Some(reader) = socket.message_reader()? else {
                        return Err(socket.end());
                    };
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
        (end, begun.map_or(vec![], |(_, bytes)| bytes))
    }

    fn by_read_frame(&mut self) -> (End, Vec<u8>) {
        let mut buffer = vec![];
        let mut begun: Option<(Opcode, Vec<u8>)> = None;
        let end = self.drive(|socket, events| {
            let socket = socket.with_stream().expect("a kind with a stream");
            let Some(header) = socket.read_header()? else {
                return Err(socket.end());
            };
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
                    let mut reader = socket.message_reader()?.expect("its header is there");
                    let skipped = io::copy(&mut reader, &mut io::sink());
                    return skipped.map(drop).map_err(into_error);
                }
                return skip_message(socket);
            }
            let frame = socket
                .read_frame(&mut buffer)?
                .expect("its header is there");
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
        (end, begun.map_or(vec![], |(_, bytes)| bytes))
    }

    /// Reads until the script is over or the connection is; then once more, which must say the
    /// same and read nothing.
    fn drive(
        &mut self,
        mut read: impl FnMut(&mut dyn Messaging, &Events) -> Result<(), Error>,
    ) -> End {
        loop {
            let result = read(self.socket.as_mut(), &self.events);
            let Err(error) = &result else {
                continue;
            };
            if error.is_would_block() {
                if !self.peer.has_more() {
                    return End::Open;
                }
                assert!(!self.front_end.kind.waits(), "nothing wakes it");
                continue;
            }
            let reads = self.peer.calls().reads;
            let again = skip_message(self.socket.as_mut());
            assert_same(&result, &again);
            assert_eq!(self.peer.calls().reads, reads, "a read after the end");
            return final_end(error);
        }
    }

    fn outcome(mut self, end: End, partial: Vec<u8>) -> Outcome {
        if matches!(self.front_end.manner, Manner::Stalling | Manner::Spurious) {
            self.flush_at_last(end);
        }
        Outcome {
            events: self.events.take(),
            end,
            partial,
            sent: Some(self.peer.take_written()),
        }
    }

    /// What a stream did not take before the last read waits for the next call, where there is none
    /// that waits.
    fn flush_at_last(&mut self, end: End) {
        if end == End::Open && self.front_end.kind.waits() {
            assert!(!self.socket.has_pending_output(), "a read waits for it");
        }
        let mut tries = 0;
        while let Err(error) = self.socket.flush() {
            assert!(error.is_would_block(), "{error:?}");
            assert!(!self.front_end.kind.waits(), "nothing wakes it");
            tries += 1;
            assert!(tries < 1_000_000, "it has to end");
        }
    }
}

/// The configuration that a script asks for.
pub fn config(script: &Script) -> Config {
    Config::default()
        .limits(script.terms.limits)
        .read_buffer(script.read_buffer)
        .rsv(Rsv::from_first_byte(script.terms.rsv))
}

/// The end that an error is.
pub fn final_end(error: &Error) -> End {
    match error.kind() {
        ErrorKind::Violation(violation) => End::Violation(*violation),
        ErrorKind::Closed(closed) => {
            assert_eq!(closed.by, Side::Peer);
            End::Closed
        }
        other => panic!("{other:?}"),
    }
}

/// Reads a message, or how the connection ended.
fn skip_message(socket: &mut dyn Messaging) -> Result<(), Error> {
    if socket.next_message()?.is_none() {
        return Err(socket.end());
    }
    Ok(())
}

fn is_final(result: &Result<(), Error>) -> bool {
    matches!(result, Err(error) if !error.is_would_block())
}

pub fn assert_same(first: &Result<(), Error>, again: &Result<(), Error>) {
    assert_eq!(format!("{first:?}"), format!("{again:?}"), "the same again");
}

/// The longest frame that is read whole.
const LONGEST_FRAME: usize = 1 << 20;
