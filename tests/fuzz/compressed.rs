//! Compressed messages, received whole and in pieces.

use std::num::NonZeroU64;

use framewire::deflate::{Deflate, DeflateConfig, Negotiated, Parameters};
use framewire::frame::{CloseCode, Violation};
use framewire::protocol::{Event, Limits, MessageBuffer, Piece, PieceEvent, Role, Session};
use support::oracle;

use crate::{Input, key};

/// What came, and how it ended.
#[derive(Debug, Default)]
pub struct Received {
    /// The whole messages.
    pub messages: Vec<Vec<u8>>,
    /// The code of the Close frame that answers a violation.
    pub refused: Option<CloseCode>,
}

/// Any parameters: from two bytes, whether contexts are kept and both windows.
#[must_use]
pub fn agreement(config: DeflateConfig, input: &mut Input<'_>) -> Negotiated {
    let (first, second) = (input.byte(), input.byte());
    let parameters = Parameters::default()
        .server_no_context_takeover(first & 0x80 != 0)
        .client_no_context_takeover(second & 0x80 != 0)
        .server_max_window_bits(9 + first % 7)
        .client_max_window_bits(9 + second % 7);
    let deflate = Deflate::new(config).expect("a legal configuration");
    deflate.negotiated(parameters)
}

/// Receives whole messages under a limit, and sees to it that what is held stays under it too.
#[must_use]
pub fn receive(role: Role, agreed: &Negotiated, limit: u64, pieces: &[Vec<u8>]) -> Received {
    let mut session = session(role, agreed, limit);
    let mut message = MessageBuffer::new();
    let mut received = Received::default();
    let mut sent = Vec::new();
    for piece in pieces {
        let mut piece = piece.clone();
        let mut used = 0;
        while used < piece.len() {
            match session.receive(&mut piece[used..], &mut message) {
                Ok((taken, event)) => {
                    used += taken;
                    if let Some(Event::Message(message)) = event {
                        assert!(message.payload().len() as u64 <= limit);
                        received.messages.push(message.payload().to_vec());
                    }
                }
                Err(violation) => received.refused = Some(violation.close_code()),
            }
            // It doubles as it fills, and holds a control frame besides.
            assert!(message.capacity() as u64 <= 2 * (limit + 1) + 256);
            session.write_reply(&mut sent).expect("there is a key");
            if let Some(code) = received.refused {
                let frames = oracle::frames(&sent);
                let close = frames.last().expect("a violation is answered");
                assert_eq!(close.payload[..2], code.get().to_be_bytes());
                return received;
            }
        }
    }
    received
}

/// Receives messages in pieces, decompressed into an output of that size, and gives up on one that
/// is over the limit.
#[must_use]
pub fn receive_in_pieces(
    role: Role,
    agreed: &Negotiated,
    limit: u64,
    output: usize,
    pieces: &[Vec<u8>],
) -> Received {
    let mut session = session(role, agreed, limit);
    let mut output = vec![0; output];
    let mut messages = Vec::new();
    let result = in_pieces(&mut session, limit, &mut output, pieces, &mut messages);
    Received {
        messages,
        refused: result.err().map(|violation| violation.close_code()),
    }
}

fn in_pieces(
    session: &mut Session,
    limit: u64,
    output: &mut [u8],
    pieces: &[Vec<u8>],
    messages: &mut Vec<Vec<u8>>,
) -> Result<(), Violation> {
    let mut control = MessageBuffer::new();
    let mut message = Vec::new();
    for piece in pieces {
        let mut piece = piece.clone();
        let mut used = 0;
        while used < piece.len() {
            let (taken, event) = session.receive_piece(&mut piece[used..], &mut control)?;
            used += taken;
            let Some(PieceEvent::Data(data)) = event else {
                continue;
            };
            if session.receiver_mut().is_encoded(data.rsv) {
                inflate(session, &data, limit, output, &mut message)?;
            } else {
                message.extend_from_slice(data.payload);
            }
            if data.last {
                messages.push(std::mem::take(&mut message));
            }
        }
    }
    Ok(())
}

fn inflate(
    session: &mut Session,
    data: &Piece<'_>,
    limit: u64,
    output: &mut [u8],
    message: &mut Vec<u8>,
) -> Result<(), Violation> {
    let mut rest = &*data.payload;
    loop {
        let inflated = session.decode(rest, data.opcode, data.last, output)?;
        rest = &rest[inflated.consumed..];
        message.extend_from_slice(&output[..inflated.produced]);
        if message.len() as u64 > limit {
            return Err(Violation::MessageTooBig { limit });
        }
        if inflated.done {
            assert!(rest.is_empty(), "done, and not all was taken");
            return Ok(());
        }
    }
}

fn session(role: Role, agreed: &Negotiated, limit: u64) -> Session {
    let limits = Limits::default()
        .message(limit)
        // A flush after each byte of a piece costs more than any honest peer's messages.
        .compressed(Some(NonZeroU64::MAX));
    let mut session = match role {
        Role::Server => Session::server(limits),
        Role::Client => Session::client(limits, key),
    };
    session.set_extension(agreed);
    session
}
