//! One end of the pair, and all that it can do.

use std::collections::VecDeque;
use std::io::{Read, Write as _};
use std::sync::{Arc, Mutex};

use framewire::blocking::PreparedMessage;
use framewire::frame::Rsv;
use framewire::protocol::SendError;
use framewire::{
    CloseCode, Closed, Config, Error, ErrorKind, MessageKind, Opcode, Outgoing, TryFeedError,
};
use support::connection::{Connection, Kind};
use support::into_error;
use support::peer::ScriptedPeer;

use crate::Input;
use crate::ledger::{Certainty, Ledger, Message};

pub struct End {
    kind: Kind,
    config: Config,
    pub stream: ScriptedPeer,
    /// `None` while it is split or put together.
    connection: Option<Box<dyn Connection>>,
    is_compressed: bool,
    /// What was written and has not arrived.
    pub on_the_way: VecDeque<u8>,
    pub sent: Ledger,
    pub received: Vec<Message>,
    /// The message that is sent in pieces.
    writing: Option<Writing>,
    /// The fragments that were sent of a message by raw frames.
    fragments: Option<Message>,
    /// What was read of a message in pieces.
    reading: Option<Message>,
    /// Whether nothing more can be read.
    has_ended: bool,
    /// How many messages and Pings there were.
    count: u16,
    longest: usize,
    /// The last Ping of this end that was certainly sent.
    last_ping: Option<Vec<u8>>,
    pongs: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A message that is sent in pieces.
struct Writing {
    opcode: Opcode,
    /// All of it, where it comes from a reader.
    whole: Vec<u8>,
    /// How much of that the connection has taken.
    taken: usize,
}

impl End {
    pub fn new(
        kind: Kind,
        config: Config,
        stream: ScriptedPeer,
        mut connection: Box<dyn Connection>,
    ) -> Self {
        let pongs = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let noted = Arc::clone(&pongs);
        connection.on_pong(Box::new(move |payload| {
            noted.lock().expect("no panic").push(payload.to_vec());
        }));
        Self {
            kind,
            config,
            stream,
            connection: Some(connection),
            is_compressed: true,
            on_the_way: VecDeque::new(),
            sent: Ledger::default(),
            received: vec![],
            writing: None,
            fragments: None,
            reading: None,
            has_ended: false,
            count: 0,
            longest: 0,
            last_ping: None,
            pongs,
        }
    }

    fn connection(&mut self) -> &mut dyn Connection {
        &mut **self.connection.as_mut().expect("it is there")
    }

    /// Does what a byte says.
    pub fn act(&mut self, what: u8, input: &mut Input<'_>) {
        match what {
            41..52 => self.write(input),
            52..56 => self.feed(input),
            56..60 => self.try_feed(input),
            60..64 => self.write_prepared(input),
            64..68 => self.write_fragment(input),
            68..72 => self.stream_message(input),
            72..76 => self.open_writer(input),
            76..82 => self.write_piece(input),
            82..84 => self.finish_message(),
            84..88 => self.ping(),
            88 => self.pong(),
            89..92 => self.flush(),
            92 => {
                self.is_compressed = !self.is_compressed;
                let enabled = self.is_compressed;
                self.connection().set_compression(enabled);
            }
            93..96 => self.split_or_reunite(),
            96 => {
                let code = [1000, 1001, 3000, 4999][usize::from(input.byte() % 4)];
                self.close(code, ["", "bye", "\u{20AC}"][usize::from(input.byte() % 3)]);
            }
            97..108 => _ = self.next_message(),
            108..112 => _ = self.append_message(),
            112..120 => _ = self.read_piece(usize::from(input.byte()) + 1),
            _ => self.read_header(),
        }
    }

    /// The next message: no two are alike.
    fn message(&mut self, input: &mut Input<'_>) -> (Opcode, Vec<u8>, bool) {
        let how = input.byte();
        let (len, times) = (input.byte() % 32, input.byte() % 48);
        self.count += 1;
        let mut message = format!("{:x}", self.count).into_bytes();
        message.extend(input.bytes(len.into()).repeat(times.into()));
        let opcode = match std::str::from_utf8(&message) {
            Ok(_) if how & 1 == 0 => Opcode::Text,
            _ => Opcode::Binary,
        };
        self.longest = self.longest.max(message.len());
        (opcode, message, how & 2 != 0)
    }

    fn write(&mut self, input: &mut Input<'_>) {
        let (opcode, message, is_plain) = self.message(input);
        let mut outgoing = Outgoing::new(opcode, &message);
        if is_plain {
            outgoing = outgoing.uncompressed();
        }
        let sent = self.connection().write_any(outgoing);
        self.note(sent, (opcode, message));
    }

    fn feed(&mut self, input: &mut Input<'_>) {
        let (opcode, message, _) = self.message(input);
        let fed = self.connection().feed_any(Outgoing::new(opcode, &message));
        self.note(fed, (opcode, message));
    }

    fn try_feed(&mut self, input: &mut Input<'_>) {
        let (opcode, message, _) = self.message(input);
        match self
            .connection()
            .try_feed_any(Outgoing::new(opcode, &message))
        {
            Ok(()) => self.sent.note((opcode, message), Certainty::Sent),
            Err(TryFeedError::Full(_)) => {}
            Err(TryFeedError::Failed(error)) => _ = self.refused(&error),
        }
    }

    fn write_prepared(&mut self, input: &mut Input<'_>) {
        let (opcode, message, _) = self.message(input);
        let prepared = PreparedMessage::new((opcode, &message)).expect("a sound message");
        let sent = self.connection().write_prepared(&prepared);
        self.note(sent, (opcode, message));
    }

    /// Sends a fragment as a raw frame. Where a call may have sent one and does not tell, all are whole messages.
    fn write_fragment(&mut self, input: &mut Input<'_>) {
        let (opcode, piece, is_last) = self.message(input);
        let is_last = is_last || self.kind.waits();
        let (first, before) = match &self.fragments {
            Some((_, before)) => (Opcode::Continuation, before.len()),
            // A text is checked where its fragments come together, and a character may not be cut there.
            None => (opcode, 0),
        };
        if before > MOST_IN_FRAGMENTS || first == Opcode::Continuation && !piece.is_ascii() {
            return;
        }
        let sent = (self.connection()).write_frame(is_last, Rsv::NONE, first, &piece);
        if self.kind.waits() {
            return self.note(sent, (opcode, piece));
        }
        match sent {
            Ok(()) => {
                let (_, message) = self.fragments.get_or_insert((opcode, vec![]));
                message.extend(piece);
                if is_last && let Some(message) = self.fragments.take() {
                    self.sent.note(message, Certainty::Sent);
                }
            }
            Err(error) => _ = self.refused(&error),
        }
    }

    /// Streams a message from a reader, which has all of it.
    fn stream_message(&mut self, input: &mut Input<'_>) {
        let (opcode, whole, is_plain) = self.message(input);
        let chunk_size = usize::from(input.byte()) % self.config.chunk_size + 1;
        let mut reader = &whole[..];
        let kind = kind_of(opcode, is_plain);
        let is_free = self.writing.is_none();
        let sent = (self.connection()).stream_any(kind, chunk_size, &mut reader);
        let taken = whole.len() - reader.len();
        match sent {
            Ok(len) => {
                assert_eq!((len, taken), (whole.len() as u64, whole.len()));
                self.sent.note((opcode, whole), Certainty::Sent);
            }
            Err(error) => {
                if self.refused(&error) && is_free {
                    let writing = Writing {
                        opcode,
                        whole,
                        taken,
                    };
                    self.is_still_open(writing);
                }
            }
        }
    }

    /// Notes whether a message is still open after a call that would have blocked.
    fn is_still_open(&mut self, writing: Writing) {
        if self.connection().resume_message_writer().is_some() {
            self.writing = Some(writing);
        } else if writing.taken == writing.whole.len() && writing.taken > 0 {
            // Its end was taken, and the call waited for no more than the stream.
            let message = (writing.opcode, writing.whole);
            self.sent.note(message, Certainty::Sent);
        } else {
            assert_eq!(writing.taken, 0, "part of a message was taken, and is gone");
        }
    }

    fn open_writer(&mut self, input: &mut Input<'_>) {
        let (opcode, _, is_plain) = self.message(input);
        let is_free = self.writing.is_none();
        let kind = kind_of(opcode, is_plain);
        let opened = self.connection().any_message_writer(kind).map(drop);
        let is_open = match opened {
            Ok(()) => true,
            Err(error) => {
                let would_block = self.refused(&error);
                would_block && is_free && self.connection().resume_message_writer().is_some()
            }
        };
        if is_open {
            self.writing = Some(Writing {
                opcode,
                whole: vec![],
                taken: 0,
            });
        }
    }

    /// Sends more of the message that is open.
    fn write_piece(&mut self, input: &mut Input<'_>) {
        let (_, piece, does_flush) = self.message(input);
        let Some(mut writing) = self.writing.take() else {
            return;
        };
        // A text of which half a character was taken could not go on with anything else.
        if writing.taken < writing.whole.len()
            || writing.opcode == Opcode::Text && !piece.is_ascii()
        {
            self.writing = Some(writing);
            return;
        }
        let Some(mut writer) = self.connection().resume_message_writer() else {
            return assert!(self.is_closed(), "it was opened, and not finished");
        };
        let written = if does_flush {
            writer.flush().map(|()| 0)
        } else {
            writer.write(&piece)
        };
        drop(writer);
        match written {
            Ok(len) => {
                writing.whole.extend(&piece[..len]);
                writing.taken += len;
                self.longest = self.longest.max(writing.taken);
            }
            Err(error) => _ = self.refused(&into_error(error)),
        }
        self.writing = Some(writing);
    }

    /// Ends the message that is open.
    pub fn finish_message(&mut self) {
        let Some(mut writing) = self.writing.take() else {
            return;
        };
        for _ in 0..MOST_TRIES {
            let mut rest = &writing.whole[writing.taken..];
            let Some(writer) = self.connection().resume_message_writer() else {
                return assert!(self.is_closed(), "it was opened, and not finished");
            };
            let finished = if rest.is_empty() {
                writer.finish()
            } else {
                writer.finish_from(&mut rest)
            };
            writing.taken = writing.whole.len() - rest.len();
            match finished {
                Ok(len) => {
                    assert_eq!(len, writing.whole.len() as u64);
                    let message = (writing.opcode, writing.whole);
                    return self.sent.note(message, Certainty::Sent);
                }
                Err(error) => {
                    if !self.refused(&error) {
                        return;
                    }
                    if self.connection().resume_message_writer().is_none() {
                        assert_eq!(writing.taken, writing.whole.len());
                        let message = (writing.opcode, writing.whole);
                        return self.sent.note(message, Certainty::Sent);
                    }
                }
            }
        }
        self.writing = Some(writing);
    }

    fn ping(&mut self) {
        self.count += 1;
        let payload = format!("ping {:x}", self.count).into_bytes();
        match self.connection().ping(&payload) {
            Ok(()) => self.last_ping = Some(payload),
            Err(error) => {
                if self.refused(&error) && self.kind.waits() {
                    // Maybe it was sent, and then there is another last one.
                    self.last_ping = None;
                }
            }
        }
    }

    fn pong(&mut self) {
        if let Err(error) = self.connection().pong(b"unsolicited") {
            self.refused(&error);
        }
    }

    pub fn close(&mut self, code: u16, reason: &str) {
        for _ in 0..MOST_TRIES {
            if self
                .connection()
                .closed()
                .is_some_and(|closed| closed.local.is_some())
            {
                return;
            }
            match self.connection().close(CloseCode::new(code), reason) {
                Ok(()) => return,
                Err(error) => _ = self.refused(&error),
            }
        }
    }

    /// Gives the stream what waits.
    pub fn flush(&mut self) {
        if let Err(error) = self.connection().flush() {
            self.refused(&error);
        }
    }

    fn split_or_reunite(&mut self) {
        // A task that has read a part of a message has the reading half for itself.
        if self.kind.has_stream() {
            let connection = self.connection.take().expect("it is there");
            self.connection = Some(connection.split_or_reunite());
        }
    }

    /// Reads what there is.
    pub fn read(&mut self) {
        while if self.reading.is_some() {
            self.read_piece(64)
        } else {
            self.next_message()
        } {}
    }

    /// Says whether there was one.
    fn next_message(&mut self) -> bool {
        if self.reading.is_some() {
            return false;
        }
        let next = self.connection().next_message();
        let next = next.map(|one| one.map(|one| (one.opcode(), one.payload().to_vec())));
        self.received(next)
    }

    fn append_message(&mut self) -> bool {
        if self.reading.is_some() {
            return false;
        }
        let mut buffer = b"before".to_vec();
        let next = self.connection().append_message(&mut buffer);
        let opcode = next.map(|one| one.map(|one| one.opcode()));
        let message = buffer.split_off(6);
        assert!(message.is_empty() || matches!(opcode, Ok(Some(_))));
        self.received(opcode.map(|opcode| opcode.map(|opcode| (opcode, message))))
    }

    fn received(&mut self, next: Result<Option<Message>, Error>) -> bool {
        match next {
            Ok(Some(message)) => {
                assert!(!self.has_ended, "a message after the end");
                self.received.push(message);
                true
            }
            Ok(None) => {
                let closed = self.connection().closed().expect("it says how it ended");
                assert!(closed.peer.is_some());
                self.has_ended = true;
                false
            }
            Err(error) => {
                self.not_read(&error);
                false
            }
        }
    }

    /// Reads some of a message in pieces, and says whether there was any.
    fn read_piece(&mut self, most: usize) -> bool {
        let mut piece = vec![0; most];
        let is_begun = self.reading.is_some();
        let connection = self.connection.as_mut().expect("it is there");
        let reader = if is_begun {
            Ok(connection.resume_message_reader())
        } else {
            connection.message_reader()
        };
        let read = match reader {
            Ok(Some(mut reader)) => {
                let opcode = reader.opcode();
                let (_, message) = self.reading.get_or_insert((opcode, vec![]));
                let read = reader.read(&mut piece);
                if let Ok(len) = read {
                    message.extend(&piece[..len]);
                }
                read
            }
            // It was read to its end.
            Ok(None) if is_begun => {
                let message = self.reading.take();
                return self.received(Ok(message));
            }
            Ok(None) => return self.received(Ok(None)),
            Err(error) => {
                self.not_read(&error);
                return false;
            }
        };
        match read {
            Ok(0) => {
                let message = self.reading.take().expect("it was begun");
                self.received(Ok(Some(message)))
            }
            Ok(_) => true,
            Err(error) => {
                let error = into_error(error);
                self.not_read(&error);
                if !error.is_would_block() {
                    // It will never be whole.
                    self.reading = None;
                }
                false
            }
        }
    }

    fn read_header(&mut self) {
        if self.reading.is_some() {
            return;
        }
        match self.connection().read_header() {
            Ok(Some(header)) => assert!(header.payload_len() <= MOST_IN_FRAGMENTS as u64 * 8),
            Ok(None) => _ = self.received(Ok(None)),
            Err(error) => self.not_read(&error),
        }
    }

    /// What a call that reads may fail with: it waits, another kind of call goes on, or the network was cut off.
    fn not_read(&mut self, error: &Error) {
        match error.kind() {
            ErrorKind::MessageInProgress => {}
            ErrorKind::ConnectionLost | ErrorKind::Closed(_) => self.has_ended = true,
            _ => assert!(error.is_would_block(), "{error}"),
        }
    }

    /// What a call that sends may fail with: it would block, which this says, or a message is open, or the
    /// connection was closed.
    fn refused(&mut self, error: &Error) -> bool {
        if error.is_would_block() {
            return true;
        }
        match error.kind() {
            ErrorKind::Closed(_) => assert!(self.is_closed(), "{error}"),
            ErrorKind::ConnectionLost => assert!(self.has_ended, "{error}"),
            ErrorKind::Send(SendError::MessageOpen(_) | SendError::NoMessageOpen) => {
                let is_open = self.writing.is_some() || self.fragments.is_some();
                assert!(is_open, "{error}");
            }
            _ => panic!("{error}"),
        }
        false
    }

    fn note(&mut self, sent: Result<(), Error>, message: Message) {
        match sent {
            Ok(()) => self.sent.note(message, Certainty::Sent),
            Err(error) => {
                if self.refused(&error) && self.kind.waits() {
                    self.sent.note(message, Certainty::Maybe);
                }
            }
        }
    }

    pub fn is_closed(&mut self) -> bool {
        self.connection().closed().is_some()
    }

    /// How the connection was closed, which both ends have to have had a part in.
    pub fn closed_by_both(&mut self) -> Closed {
        let closed = self.connection().closed().expect("it was closed");
        assert!(
            closed.local.is_some() && closed.peer.is_some(),
            "{closed:?}"
        );
        assert!(self.has_ended && !self.connection().has_pending_output());
        closed
    }

    pub fn check_last_pong(&self) {
        let Some(ping) = &self.last_ping else {
            return;
        };
        let pongs = self.pongs.lock().expect("no panic");
        let mut answers = pongs.iter().filter(|pong| pong.starts_with(b"ping"));
        assert_eq!(
            answers.next_back(),
            Some(ping),
            "the last Ping has no answer"
        );
    }

    /// What waits is a write buffer and one message more, whatever happens.
    pub fn check_memory(&mut self) {
        let most = self.config.write_buffer + 2 * self.longest + 1024;
        let buffered = self.connection().buffered();
        assert!(buffered <= most, "{buffered} bytes wait, over {most}");
    }
}

fn kind_of(opcode: Opcode, is_plain: bool) -> MessageKind {
    let kind = MessageKind::new(opcode);
    if is_plain { kind.uncompressed() } else { kind }
}

const MOST_IN_FRAGMENTS: usize = 16 << 10;
/// A stream that stalls does so with every other call.
const MOST_TRIES: usize = 400;
