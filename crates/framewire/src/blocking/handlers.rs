//! What an application does about control frames.

use std::fmt;

use super::transport::{Reply, Transport};
use crate::error::{Closed, Side};
use crate::frame::{CloseCode, ControlPayload};
use crate::protocol::{CloseFrame, Event, close_echo};

/// What answers a Ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingReply {
    /// A Pong with the same payload: what RFC 6455 5.5.2 asks for.
    Pong,
    /// A Pong with another payload.
    Replace(ControlPayload),
    /// Nothing: the application sends its own.
    Nothing,
}

/// What answers the peer's Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReply {
    /// A Close frame with the same code: what RFC 6455 5.5.1 asks for.
    Echo,
    /// A Close frame with another payload (see [`ControlPayload::close`]).
    Replace(ControlPayload),
    /// Nothing: the application sends its own.
    Nothing,
}

type OnPing = Box<dyn FnMut(&[u8]) -> PingReply + Send>;
type OnPong = Box<dyn FnMut(&[u8]) + Send>;
type OnClose = Box<dyn FnMut(Option<CloseCode>, &str) -> CloseReply + Send>;

/// The application's handlers; where there is none, the RFC's reply is given.
#[derive(Default)]
pub(super) struct Handlers {
    pub(super) ping: Option<OnPing>,
    pub(super) pong: Option<OnPong>,
    pub(super) close: Option<OnClose>,
}

impl Handlers {
    /// Answers a control frame, and says how the connection was closed, if it was.
    pub(super) fn handle(
        &mut self,
        event: &Event<'_>,
        transport: &mut impl Transport,
    ) -> Option<Closed> {
        match event {
            Event::Message(_) => None,
            Event::Ping(payload) => {
                self.answer_ping(payload, transport);
                None
            }
            Event::Pong(payload) => {
                transport.note_pong(payload);
                if let Some(handler) = &mut self.pong {
                    handler(payload);
                }
                None
            }
            Event::Close(frame) => Some(self.answer_close(frame, transport)),
        }
    }

    fn answer_ping(&mut self, payload: &[u8], transport: &mut impl Transport) {
        let reply = self.ping.as_mut().map(|handler| handler(payload));
        let pong = match reply.unwrap_or(PingReply::Pong) {
            PingReply::Pong => ControlPayload::new(payload),
            PingReply::Replace(other) => Some(other),
            PingReply::Nothing => None,
        };
        if let Some(payload) = pong {
            transport.reply(Reply::Pong(payload));
        }
    }

    fn answer_close(&mut self, frame: &CloseFrame<'_>, transport: &mut impl Transport) -> Closed {
        let closed = Closed {
            code: frame.code.unwrap_or(CloseCode::NO_STATUS),
            reason: frame.reason.to_owned(),
            by: transport.closed_by().unwrap_or(Side::Peer),
        };
        let handler = self.close.as_mut();
        let reply = handler.map(|handler| handler(frame.code, frame.reason));
        let payload = match reply.unwrap_or(CloseReply::Echo) {
            CloseReply::Echo => Some(close_echo(frame.code)),
            CloseReply::Replace(payload) => Some(payload),
            CloseReply::Nothing => None,
        };
        transport.reply(Reply::Close(payload, Box::new(closed.clone())));
        closed
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("ping", &self.ping.is_some())
            .field("pong", &self.pong.is_some())
            .field("close", &self.close.is_some())
            .finish()
    }
}
