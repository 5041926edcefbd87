//! Every way to receive, behind one trait, so that one suite of behaviour runs over all of them.

mod connected;
mod sans_io;
mod spawned;

pub use connected::{Connected, Events, Way, config, final_end};
pub use sans_io::{RawDecoder, WholeSession};
pub use spawned::{Spawned, open};

use std::fmt;

use framewire::Opcode;
use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};

use crate::Replay;
use crate::compression::{self, Compression};
use crate::connection::Kind;
use crate::event::{End, Event};
use crate::frames::{self, BINARY, CLOSE, FIN, Frame, PING, close_payload};
use crate::oracle::{self, Answer, Terms};
use crate::peer::Manner;
use crate::wait::Threads;

/// A way to receive.
pub trait FrontEnd {
    /// What it is called in a failed test.
    fn name(&self) -> String;

    /// Receives all of a script.
    fn run(&self, script: &Script) -> Outcome;

    /// Whether messages are held, so that the limit on messages binds.
    fn holds_messages(&self) -> bool {
        true
    }

    /// Whether it gives compressed messages as they were before.
    fn decompresses(&self) -> bool {
        true
    }

    /// Whether it takes a while with what is long.
    fn is_slow(&self) -> bool {
        false
    }

    /// What is given of a message that is not whole.
    fn gives(&self) -> Gives {
        Gives::Messages
    }
}

/// In what units a front end gives messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Whole.
    Messages,
    /// By the frame.
    Frames,
    /// As they come.
    Pieces,
}

/// What a peer sends to which end. Shown as what can be copied into a test.
#[derive(Clone)]
pub struct Script {
    /// What the receiving end agreed to.
    pub terms: Terms,
    /// The bytes, as they arrive.
    pub pieces: Vec<Vec<u8>>,
    /// Whether every other read finds nothing yet.
    pub pauses: bool,
    /// How many bytes the receiving end reads at a time.
    pub read_buffer: usize,
    /// What was agreed on about compression.
    pub compression: Compression,
    /// What the bytes say, where that takes decompression.
    pub plain: Option<Vec<u8>>,
}

/// What a front end made of a script.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What it gave.
    pub events: Vec<Event>,
    /// How it ended.
    pub end: End,
    /// What it gave of a message that did not become whole.
    pub partial: Vec<u8>,
    /// What it sent; `None` where it only receives.
    pub sent: Option<Vec<u8>>,
}

/// All front ends: every kind of connection by every way to read, and over every kind of stream.
#[must_use]
pub fn all() -> Vec<Box<dyn FrontEnd>> {
    let mut all: Vec<Box<dyn FrontEnd>> = vec![
        Box::new(RawDecoder),
        Box::new(WholeSession),
        Box::new(Spawned),
    ];
    let mut add = |kind, way, manner| all.push(Box::new(Connected { kind, way, manner }));
    for kind in Kind::ALL {
        if !kind.has_stream() {
            add(kind, Way::NextMessage, Manner::Smooth);
            add(kind, Way::ReadMessage, Manner::Smooth);
            add(kind, Way::NextMessage, Manner::Stalling);
            continue;
        }
        if kind.threads() == Threads::Several {
            // Only what waits goes to another thread.
            add(kind, Way::NextMessage, Manner::Spurious);
            continue;
        }
        for way in [
            Way::NextMessage,
            Way::ReadMessage,
            Way::MessageReader(7),
            Way::MessageReader(1 << 16),
            Way::ReadFrame,
        ] {
            add(kind, way, Manner::Smooth);
        }
        for manner in [Manner::ByteByByte, Manner::Stalling, Manner::Spurious] {
            add(kind, Way::NextMessage, manner);
        }
        add(kind, Way::MessageReader(7), Manner::Spurious);
    }
    all
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces: Vec<_> = self.pieces.iter().map(|piece| Literal(piece)).collect();
        f.debug_struct("Script")
            .field("terms", &self.terms)
            .field("compression", &self.compression)
            .field("pieces", &pieces)
            .field("plain", &self.plain.as_deref().map(Literal))
            .field("pauses", &self.pauses)
            .field("read_buffer", &self.read_buffer)
            .finish()
    }
}

/// Bytes as Rust writes them, as far as anybody reads on.
struct Literal<'a>(&'a [u8]);

impl fmt::Debug for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(MOST_SHOWN)];
        write!(f, "b\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.0.len() {
            write!(f, " and so on, {} bytes in all", self.0.len())?;
        }
        Ok(())
    }
}

const MOST_SHOWN: usize = 2000;

/// Says what was run where that fails.
fn told<'a>(front_end: &'a dyn FrontEnd, script: &'a Script) -> Replay<impl Fn() -> String + 'a> {
    Replay(move || format!("{}, given {script:?}", front_end.name()))
}

impl Script {
    /// Everything at once, without limits or extensions.
    pub fn new(role: Role, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            terms: Terms::plain(role),
            pieces: vec![bytes.into()],
            pauses: false,
            read_buffer: 16 << 10,
            compression: Compression::None,
            plain: None,
        }
    }

    /// Everything at once, from a peer that compresses what it says.
    pub fn said(compression: Compression, role: Role, frames: &[Frame]) -> Self {
        Self {
            compression,
            plain: Some(frames::wire(frames)),
            ..Self::new(role, compression.said(frames))
        }
    }

    /// Other limits.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.terms.limits = limits;
        self
    }

    /// One byte at a time, with a pause before each.
    #[must_use]
    pub fn byte_by_byte(mut self) -> Self {
        self.pieces = self.bytes().into_iter().map(|byte| vec![byte]).collect();
        self.pauses = true;
        self
    }

    /// All the bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// What the oracle says of it.
    #[must_use]
    pub fn judge(&self, terms: Terms) -> oracle::Verdict {
        match &self.plain {
            Some(plain) => oracle::judge(terms, plain),
            None => oracle::judge(terms, &self.bytes()),
        }
    }

    /// Every front end that can receive it.
    #[must_use]
    pub fn front_ends(&self) -> Vec<Box<dyn FrontEnd>> {
        let mut all = all();
        all.retain(|one| self.compression == Compression::None || one.decompresses());
        all
    }
}

/// Runs a script over every front end and compares with the oracle.
pub fn check(script: &Script) {
    for front_end in script.front_ends() {
        check_one(front_end.as_ref(), script);
    }
}

/// Runs a script over one front end and compares with the oracle: what was given, in which order,
/// how it ended, and every byte that was sent.
pub fn check_one(front_end: &dyn FrontEnd, script: &Script) {
    let _told = told(front_end, script);
    let mut terms = script.terms;
    if !front_end.holds_messages() {
        terms.limits.message = Limits::UNLIMITED.message;
    }
    let expected = script.judge(terms);
    let outcome = front_end.run(script);
    let name = front_end.name();
    assert_eq!(outcome.events, expected.events, "events of {name}");
    assert_eq!(outcome.end, expected.end, "end of {name}");
    assert!(
        expected.partial.starts_with(&outcome.partial),
        "{name} gave {:x?} of {:x?}",
        outcome.partial,
        expected.partial
    );
    match front_end.gives() {
        Gives::Messages => assert!(outcome.partial.is_empty(), "part of a message from {name}"),
        Gives::Frames => {}
        Gives::Pieces => {
            // Bytes before a bad one may come with it and be withheld with it.
            let withheld = expected.end == End::Violation(Violation::InvalidUtf8);
            assert!(
                withheld || outcome.partial == expected.partial,
                "{name} withheld {:x?} of {:x?}",
                outcome.partial,
                expected.partial
            );
        }
    }
    if let Some(sent) = &outcome.sent {
        let sent = compression::heard(script.compression, sent);
        check_sent(&name, script.terms.role, &expected, &sent);
    }
}

/// One Pong for each Ping, then the Close frame that answers, then nothing.
fn check_sent(name: &str, role: Role, expected: &oracle::Verdict, sent: &[u8]) {
    let mut replies: Vec<_> = expected
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Ping(payload) => Some(Event::Pong(payload.clone())),
            _ => None,
        })
        .collect();
    let mut sent = oracle::judge(Terms::plain(crate::peer(role)), sent);
    let code = match expected.answer {
        None => {
            assert_eq!(sent.events, replies, "replies of {name}");
            assert_eq!(sent.end, End::Open, "{name}");
            return;
        }
        Some(Answer::Empty) => None,
        Some(Answer::Code(code)) => Some(code),
    };
    if let Some(Event::Close(_, reason)) = sent.events.last_mut() {
        // Words for people: any.
        reason.clear();
    }
    replies.push(Event::Close(code, String::new()));
    assert_eq!(sent.events, replies, "replies of {name}");
}

/// Whether an opcode on the wire begins a message.
fn begins(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Text | Opcode::Binary)
}

/// Holds every front end to this: after one good message, the bad bytes are this violation, all
/// that is sent is one Close frame with this code, and not one byte of the bad frame or of what
/// follows it is given or answered. Whole, and byte by byte.
pub fn assert_refused(
    role: Role,
    limits: Limits,
    bad: impl AsRef<[u8]>,
    violation: Violation,
    code: u16,
) {
    assert_refused_with(Compression::None, role, limits, bad, violation, code);
}

/// The same of connections on which compression was agreed on. The good message is compressed.
pub fn assert_refused_with(
    compression: Compression,
    role: Role,
    limits: Limits,
    bad: impl AsRef<[u8]>,
    violation: Violation,
    code: u16,
) {
    let good = compression.said(&[frames::to(role, FIN | BINARY, b"good")]);
    let after = frames::wire(&[
        frames::to(role, FIN | PING, b"after"),
        frames::to(role, FIN | BINARY, b"after"),
        frames::to(role, FIN | CLOSE, close_payload(1000, "after")),
    ]);
    let mut script = Script::new(role, [&good, bad.as_ref(), &after].concat()).limited(limits);
    script.compression = compression;
    let good = Event::Message(Opcode::Binary, b"good".to_vec());
    assert_ends_with(&script, &[good], b"", violation, code);
}

/// Holds every front end to this: it gives these events, of a message that does not become whole no more than this, and
/// ends with this violation. All that is sent is one Close frame with this code. Whole, and byte by byte.
pub fn assert_ends_with(
    script: &Script,
    events: &[Event],
    partial: &[u8],
    violation: Violation,
    code: u16,
) {
    for script in [script.clone(), script.clone().byte_by_byte()] {
        for front_end in script.front_ends() {
            let _told = told(front_end.as_ref(), &script);
            let name = front_end.name();
            let outcome = front_end.run(&script);
            assert_eq!(outcome.events, events, "{name}");
            assert_eq!(outcome.end, End::Violation(violation), "{name}");
            let given = &outcome.partial;
            assert!(partial.starts_with(given), "{name}: {given:x?}");
            if let Some(sent) = outcome.sent {
                let sent = oracle::frames(&sent);
                let [close] = &sent[..] else {
                    panic!("{name} sent {sent:x?}");
                };
                assert_eq!(
                    (close.opcode, close.fin, close.rsv),
                    (Opcode::Close, true, 0)
                );
                assert_eq!(close.payload[..2], code.to_be_bytes(), "{name}");
            }
        }
    }
}

/// Holds every front end to this: these bytes are these events and this end. Whole, and byte by
/// byte. What it sends is held against the oracle.
pub fn assert_given(role: Role, bytes: impl AsRef<[u8]>, events: &[Event], end: End) {
    let script = Script::new(role, bytes.as_ref());
    for script in [script.clone(), script.byte_by_byte()] {
        for front_end in all() {
            let _told = told(front_end.as_ref(), &script);
            let outcome = front_end.run(&script);
            assert_eq!(outcome.events, events);
            assert_eq!(outcome.end, end);
            check_one(front_end.as_ref(), &script);
        }
    }
}

/// What a front end sends in answer to these bytes.
pub fn answers(front_end: &dyn FrontEnd, role: Role, bytes: &[u8]) -> Option<Vec<oracle::Parsed>> {
    let script = Script::new(role, bytes);
    let _told = told(front_end, &script);
    Some(oracle::frames(&front_end.run(&script).sent?))
}
