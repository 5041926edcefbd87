//! What RFC 6455 says about a sequence of bytes, slowly and obviously.
//!
//! It takes whole inputs, looks at each frame by its index, and shares nothing with the library
//! but the names of violations. Where one frame is wrong in several ways, the first in this order
//! counts: its first byte, its length, its mask, its reserved bits, its place among the frames,
//! the limits, and its payload from front to back. The first byte and the length are judged as
//! soon as they are there, the rest once the header is.

use framewire::Opcode;
use framewire::frame::{CloseCode, Rsv, Violation};
use framewire::protocol::{Limits, Role};

use crate::event::{End, Event};
use crate::frames::{Frame, Length};
use crate::rfc3629::{self, Text};

/// What an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The messages and control frames, in the order in which they become whole.
    pub events: Vec<Event>,
    /// How it ends.
    pub end: End,
    /// What has validly come of the message that is not whole.
    pub partial: Vec<u8>,
    /// The Close code that has to answer it: none, the peer's own, or the violation's.
    pub answer: Option<Answer>,
}

/// The Close frame that answers an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One without a code.
    Empty,
    /// One with this code.
    Code(u16),
}

/// What the receiving end has agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Which end receives.
    pub role: Role,
    /// Its limits.
    pub limits: Limits,
    /// The reserved bits that its extensions use, in their place in a frame's first byte.
    pub rsv: u8,
}

impl Terms {
    /// No limits and no extensions.
    #[must_use]
    pub fn plain(role: Role) -> Self {
        Self {
            role,
            limits: Limits::UNLIMITED,
            rsv: 0,
        }
    }
}

/// Judges an input.
#[must_use]
pub fn judge(terms: Terms, input: &[u8]) -> Verdict {
    let mut verdict = Verdict {
        events: vec![],
        end: End::Open,
        partial: vec![],
        answer: None,
    };
    // The message under way: its opcode, its reserved bits, its bytes so far.
    let mut message: Option<(Opcode, u8, Vec<u8>)> = None;
    let mut at = 0;
    let violation = loop {
        let frame = match parse(&input[at..]) {
            Ok(Some(frame)) => frame,
            Ok(None) => break None,
            Err(violation) => break Some(violation),
        };
        at += frame.size;
        if let Err(violation) = check_place(&frame, terms, message.as_ref()) {
            break Some(violation);
        }
        let whole = frame.payload.len() as u64 == frame.declared;
        if frame.opcode.is_control() {
            if frame.opcode == Opcode::Close
                && let Err(violation) = check_close(&frame.payload, whole)
            {
                break Some(violation);
            }
            if !whole {
                break None;
            }
            verdict
                .events
                .push(Event::from_control(frame.opcode, &frame.payload));
            if frame.opcode == Opcode::Close {
                verdict.end = End::Closed;
                break None;
            }
            continue;
        }
        let (opcode, rsv, bytes) = message.get_or_insert_with(|| (frame.opcode, frame.rsv, vec![]));
        let (opcode, is_text) = (*opcode, *opcode == Opcode::Text && *rsv == 0);
        let last = whole && frame.fin;
        let valid_before = bytes.len();
        bytes.extend(frame.payload);
        if is_text {
            let text = rfc3629::judge(bytes);
            if text == Text::Bad || last && text == Text::CutOff {
                verdict.partial = valid_part(bytes, valid_before);
                message = None;
                break Some(Violation::InvalidUtf8);
            }
        }
        if last && let Some((_, _, bytes)) = message.take() {
            verdict.events.push(Event::Message(opcode, bytes));
        }
        if !whole {
            break None;
        }
    };
    if let Some((_, _, bytes)) = message {
        verdict.partial = bytes;
    }
    if let Some(violation) = violation {
        verdict.end = End::Violation(violation);
        verdict.answer = Some(Answer::Code(code_of(violation)));
    } else if let Some(Event::Close(code, _)) = verdict.events.last() {
        verdict.answer = Some(code.map_or(Answer::Empty, Answer::Code));
    }
    verdict
}

/// The frames of a sound sequence of bytes, each whole.
#[must_use]
pub fn frames(input: &[u8]) -> Vec<Parsed> {
    let mut frames = vec![];
    let mut at = 0;
    while at < input.len() {
        let frame = parse(&input[at..]).expect("a legal header");
        let frame = frame.expect("a whole header");
        assert_eq!(frame.payload.len() as u64, frame.declared, "a whole frame");
        at += frame.size;
        frames.push(frame);
    }
    frames
}

/// The first byte and the unmasked payload of each frame of a sound sequence of bytes.
#[must_use]
pub fn frames_in(input: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let frames = frames(input).into_iter();
    frames.map(|frame| (frame.first, frame.payload)).collect()
}

/// The payloads of the data frames, joined.
#[must_use]
pub fn data(input: &[u8]) -> Vec<u8> {
    let frames = frames(input).into_iter();
    let data = frames.filter(|frame| !frame.opcode.is_control());
    data.flat_map(|frame| frame.payload).collect()
}

/// The input with every payload unmasked and every masking key zeroed, so that what two clients
/// sent can be compared. The last frame may be cut off.
#[must_use]
pub fn unmasked(input: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut at = 0;
    while let Some(frame) = parse(&input[at..]).expect("a legal header") {
        let header = Frame {
            first: frame.first,
            mask: frame.key.map(|_| [0; 4]),
            length: Length::Declared(frame.declared),
            payload: frame.payload,
        };
        bytes.extend(header.bytes());
        at += frame.size;
    }
    // A header that is cut off, maybe in the middle of its key.
    let rest = &input[at..];
    let key_at = match rest.get(1).map(|second| second & 0x7F) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    bytes.extend(&rest[..rest.len().min(key_at)]);
    bytes.extend(rest.iter().skip(key_at).map(|_| 0));
    bytes
}

/// A frame of the input, its payload unmasked and as far as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The first byte.
    pub first: u8,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The reserved bits, in their place in the first byte.
    pub rsv: u8,
    /// What it is.
    pub opcode: Opcode,
    /// The masking key.
    pub key: Option<[u8; 4]>,
    /// The payload's length by the header.
    pub declared: u64,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
    /// The bytes of header and payload, as far as they are there.
    pub size: usize,
}

/// RFC 6455 5.2, bit by bit. `None` where the header is cut off.
fn parse(input: &[u8]) -> Result<Option<Parsed>, Violation> {
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    let fin = first & 0b1000_0000 != 0;
    let rsv = first & 0b0111_0000;
    let opcode = match first & 0b0000_1111 {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        other => return Err(Violation::ReservedOpcode(other)),
    };
    let control = first & 0b0000_1000 != 0;
    if control && !fin {
        return Err(Violation::FragmentedControl(opcode));
    }
    let Some(&second) = input.get(1) else {
        return Ok(None);
    };
    let masked = second & 0b1000_0000 != 0;
    let short = u64::from(second & 0b0111_1111);
    if control && short > 125 {
        return Err(Violation::ControlTooLarge(opcode));
    }
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if input.len() < 2 + extended {
        return Ok(None);
    }
    let mut declared = short;
    if extended > 0 {
        declared = 0;
        for &byte in &input[2..2 + extended] {
            declared = declared << 8 | u64::from(byte);
        }
        let least = if extended == 2 { 126 } else { 65536 };
        if declared < least {
            return Err(Violation::NonMinimalLength);
        }
        if declared >> 63 == 1 {
            return Err(Violation::LengthTopBit);
        }
    }
    let key_at = 2 + extended;
    let payload_at = if masked { key_at + 4 } else { key_at };
    if input.len() < payload_at {
        return Ok(None);
    }
    let key = masked.then(|| [0, 1, 2, 3].map(|i| input[key_at + i]));
    let mut payload = vec![];
    for (i, &byte) in input[payload_at..].iter().enumerate() {
        if i as u64 == declared {
            break;
        }
        payload.push(byte ^ key.map_or(0, |key| key[i % 4]));
    }
    Ok(Some(Parsed {
        first,
        fin,
        rsv,
        opcode,
        key,
        declared,
        size: payload_at + payload.len(),
        payload,
    }))
}

/// Whether the frame may come from this peer, after what it has sent.
fn check_place(
    frame: &Parsed,
    terms: Terms,
    message: Option<&(Opcode, u8, Vec<u8>)>,
) -> Result<(), Violation> {
    // 5.1: a client masks all its frames, a server none.
    match (terms.role, frame.key.is_some()) {
        (Role::Server, false) => return Err(Violation::Unmasked),
        (Role::Client, true) => return Err(Violation::Masked),
        _ => {}
    }
    // 5.2: a bit that no extension defines; RFC 7692 6: not on control frames and continuations.
    let begins = frame.opcode == Opcode::Text || frame.opcode == Opcode::Binary;
    let allowed = if begins { terms.rsv } else { 0 };
    if frame.rsv & !allowed != 0 {
        return Err(Violation::ReservedBits(Rsv::from_first_byte(frame.rsv)));
    }
    if frame.opcode == Opcode::Close && frame.declared == 1 {
        return Err(Violation::CloseCodeTruncated);
    }
    if frame.opcode.is_control() {
        return Ok(());
    }
    // 5.4: fragments of one message, in order, and nothing else in between.
    match (message, begins) {
        (Some(_), true) => return Err(Violation::ExpectedContinuation(frame.opcode)),
        (None, false) => return Err(Violation::UnexpectedContinuation),
        _ => {}
    }
    let (frame_limit, limit) = (terms.limits.frame, terms.limits.message);
    if frame.declared > frame_limit {
        return Err(Violation::FrameTooBig { limit: frame_limit });
    }
    let before = message.map_or(0, |(_, _, bytes)| bytes.len() as u64);
    if u128::from(before) + u128::from(frame.declared) > u128::from(limit) {
        return Err(Violation::MessageTooBig { limit });
    }
    Ok(())
}

/// 5.5.1 and 7.4: a code that may be sent, and a reason that is UTF-8; as far as they are there.
fn check_close(payload: &[u8], whole: bool) -> Result<(), Violation> {
    if payload.len() < 2 {
        return Ok(());
    }
    let code = u16::from(payload[0]) << 8 | u16::from(payload[1]);
    let registered = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ];
    if !registered.contains(&code) && !(3000..5000).contains(&code) {
        return Err(Violation::CloseCodeInvalid(CloseCode::new(code)));
    }
    match rfc3629::judge(&payload[2..]) {
        Text::Bad => Err(Violation::InvalidReason),
        Text::CutOff if whole => Err(Violation::InvalidReason),
        _ => Ok(()),
    }
}

/// What of a text that turned bad can have been delivered: all before the bad byte.
fn valid_part(bytes: &[u8], from: usize) -> Vec<u8> {
    let mut end = from;
    while end < bytes.len() && rfc3629::judge(&bytes[..=end]) != Text::Bad {
        end += 1;
    }
    bytes[..end].to_vec()
}

/// 7.4.1: 1007 for data that is not what its type says, 1009 for too much, 1002 for the rest.
fn code_of(violation: Violation) -> u16 {
    match violation {
        Violation::InvalidUtf8 | Violation::InvalidReason => 1007,
        Violation::MessageTooBig { .. } | Violation::FrameTooBig { .. } => 1009,
        _ => 1002,
    }
}
