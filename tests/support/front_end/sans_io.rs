//! The front ends without I/O.

use framewire::Opcode;
use framewire::frame::{Rsv, os_key};
use framewire::protocol::{Decoder, MessageBuffer, Role, Session};

use super::{FrontEnd, Gives, Outcome, Script, begins};
use crate::event::{End, Event};

/// [`Decoder`], with messages put together from its pieces.
#[derive(Debug)]
pub struct RawDecoder;

impl FrontEnd for RawDecoder {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn gives(&self) -> Gives {
        Gives::Pieces
    }

    fn decompresses(&self) -> bool {
        false
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut decoder = Decoder::new(script.terms.role, script.terms.limits);
        decoder.allow_rsv(Rsv::from_first_byte(script.terms.rsv));
        let mut outcome = Outcome::default();
        let mut control = vec![];
        for piece in &script.pieces {
            let mut input = piece.clone();
            let mut used = 0;
            while used < input.len() {
                let given = match decoder.decode(&mut input[used..]) {
                    Ok((taken, given)) => {
                        used += taken;
                        given
                    }
                    Err(violation) => {
                        assert_eq!(outcome.end, End::Open, "a second end");
                        outcome.end = End::Violation(violation);
                        break;
                    }
                };
                let Some(given) = given else {
                    assert_eq!(used, input.len(), "no piece, so all of it is used");
                    continue;
                };
                assert_eq!(outcome.end, End::Open, "{given:x?} after the end");
                let opcode = given.opcode;
                let gathered = if begins(opcode) {
                    &mut outcome.partial
                } else {
                    &mut control
                };
                assert!(!given.first || gathered.is_empty(), "a second first piece");
                gathered.extend_from_slice(given.payload);
                if given.last {
                    let whole = std::mem::take(gathered);
                    outcome.events.push(if begins(opcode) {
                        Event::Message(opcode, whole)
                    } else {
                        Event::from_control(opcode, &whole)
                    });
                    if opcode == Opcode::Close {
                        outcome.end = End::Closed;
                    }
                }
            }
        }
        assert_eq!(decoder.is_done(), outcome.end != End::Open);
        outcome
    }
}

/// [`Session`], with its replies.
#[derive(Debug)]
pub struct WholeSession;

impl FrontEnd for WholeSession {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn run(&self, script: &Script) -> Outcome {
        let mut busy = Busy::new(script);
        let mut outcome = Outcome::default();
        for piece in &script.pieces {
            busy.receive(&mut piece.clone(), &mut outcome);
        }
        outcome.sent = Some(busy.output);
        outcome
    }
}

/// A session, and what its owner has beside it.
pub struct Busy {
    pub session: Session,
    message: MessageBuffer,
    pub output: Vec<u8>,
}

impl Busy {
    pub fn new(script: &Script) -> Self {
        let limits = script.terms.limits;
        let mut session = match script.terms.role {
            Role::Server => Session::server(limits),
            Role::Client => Session::client(limits, os_key),
        };
        session.allow_rsv(Rsv::from_first_byte(script.terms.rsv));
        if let Some(agreed) = script.compression.negotiated() {
            session.set_extension(&agreed);
        }
        Self {
            session,
            message: MessageBuffer::new(),
            output: vec![],
        }
    }

    /// Receives all of `input` and answers it, whatever has ended before.
    pub fn receive(&mut self, mut input: &mut [u8], outcome: &mut Outcome) {
        while !input.is_empty() {
            let received = self.session.receive(input, &mut self.message);
            let (used, event) = match received {
                Ok((used, event)) => (used, event.map(Event::from)),
                Err(violation) => {
                    end(outcome, End::Violation(violation));
                    (0, None)
                }
            };
            if let Some(event) = event {
                assert_eq!(outcome.end, End::Open, "{event:x?} after the end");
                if let Event::Close(..) = event {
                    end(outcome, End::Closed);
                }
                outcome.events.push(event);
            }
            let replied = self.session.write_reply(&mut self.output);
            replied.expect("entropy for a key");
            input = &mut input[used..];
        }
        assert_eq!(self.session.is_closed(), outcome.end != End::Open);
    }
}

fn end(outcome: &mut Outcome, end: End) {
    assert_eq!(outcome.end, End::Open, "{end:?} after the end");
    outcome.end = end;
}
