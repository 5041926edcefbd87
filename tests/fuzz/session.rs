//! Any bytes in any pieces to either end. Every way to receive gives what the oracle of `tests/support`
//! says, and answers with legal frames.
//!
//! The input: a byte of flags, one each for the limits on messages and frames, for the front end that is tried
//! besides the session and for its read buffer's size, three for piece lengths, and then the bytes as they
//! arrive.

use crate::{Input, cut, key};
use framewire::frame::Rsv;
use framewire::protocol::{Limits, MessageBuffer, PieceEvent, Role, Session};
use support::compression::Compression;
use support::event::{End, Event};
use support::front_end::{self, FrontEnd, Gives, Outcome, Script, WholeSession};
use support::oracle::{self, Terms};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let limits = Limits::UNLIMITED
        .message(input.byte().into())
        .frame(input.byte().into());
    let other = usize::from(input.byte());
    let read_buffer = match input.byte() {
        0 => 16 << 10,
        size => size.into(),
    };
    let lengths = input.lengths();
    let bytes = input.rest();
    let script = Script {
        terms: Terms {
            role: if flags & 1 == 0 {
                Role::Server
            } else {
                Role::Client
            },
            limits: if flags & 2 == 0 {
                Limits::UNLIMITED
            } else {
                limits
            },
            rsv: (flags << 2) & 0x70,
        },
        pieces: cut(bytes, lengths),
        pauses: flags & 0x20 != 0,
        read_buffer,
        compression: Compression::None,
        plain: None,
    };
    let at_once = Script {
        pieces: vec![bytes.to_vec()],
        ..script.clone()
    };
    for script in [&script, &at_once] {
        front_end::check_one(&WholeSession, script);
        front_end::check_one(&Pieces, script);
        check_mixed_calls(script, flags.into());
    }
    let front_ends = front_end::all();
    front_end::check_one(&*front_ends[other % front_ends.len()], &script);
}

/// A front end that reads with [`Session::receive_piece`].
struct Pieces;

impl FrontEnd for Pieces {
    fn name(&self) -> String {
        "receive_piece".to_owned()
    }

    fn gives(&self) -> Gives {
        Gives::Pieces
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut session = session(&script.terms);
        let mut control = MessageBuffer::new();
        let mut outcome = Outcome {
            events: vec![],
            end: End::Open,
            partial: vec![],
            sent: None,
        };
        let mut sent = vec![];
        for piece in &script.pieces {
            let mut input = piece.clone();
            let mut used = 0;
            while used < input.len() && outcome.end == End::Open {
                match session.receive_piece(&mut input[used..], &mut control) {
                    Ok((taken, event)) => {
                        used += taken;
                        match event {
                            None => {}
                            Some(PieceEvent::Control(event)) => outcome.events.push(event.into()),
                            Some(PieceEvent::Data(data)) => {
                                assert!(!data.first || outcome.partial.is_empty());
                                outcome.partial.extend_from_slice(data.payload);
                                if data.last {
                                    let message = std::mem::take(&mut outcome.partial);
                                    outcome.events.push(Event::Message(data.opcode, message));
                                }
                            }
                        }
                        if let Some(Event::Close(..)) = outcome.events.last() {
                            outcome.end = End::Closed;
                        }
                    }
                    Err(violation) => outcome.end = End::Violation(violation),
                }
                session.write_reply(&mut sent).expect("there is a key");
            }
        }
        outcome.sent = Some(sent);
        outcome
    }
}

/// Receives whole messages and pieces by turns, as the bits of `calls` say. Every message that is returned
/// whole is one that was sent, and in order.
fn check_mixed_calls(script: &Script, calls: u32) {
    let expected = oracle::judge(script.terms, &script.bytes());
    let mut expected = expected.events.into_iter();
    let mut session = session(&script.terms);
    let mut message = MessageBuffer::new();
    let mut turn = 0;
    for piece in &script.pieces {
        let mut input = piece.clone();
        let mut used = 0;
        while used < input.len() {
            turn += 1;
            let given = if calls.rotate_right(turn) & 1 == 0 {
                let received = session.receive(&mut input[used..], &mut message);
                received.map(|(taken, event)| (taken, event.map(Event::from)))
            } else {
                let received = session.receive_piece(&mut input[used..], &mut message);
                received.map(|(taken, event)| match event {
                    Some(PieceEvent::Control(event)) => (taken, Some(event.into())),
                    _ => (taken, None),
                })
            };
            let Ok((taken, event)) = given else {
                return;
            };
            used += taken;
            if let Some(event) = event {
                let is_message = |event: &Event| matches!(event, Event::Message(..));
                let next = expected.find(|next| is_message(&event) || !is_message(next));
                assert!(next.as_ref() == Some(&event) || expected.any(|next| next == event));
            }
        }
    }
}

fn session(terms: &Terms) -> Session {
    let mut session = match terms.role {
        Role::Server => Session::server(terms.limits),
        Role::Client => Session::client(terms.limits, key),
    };
    session.allow_rsv(Rsv::from_first_byte(terms.rsv));
    session
}
