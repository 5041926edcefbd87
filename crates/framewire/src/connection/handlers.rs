//! The application's handlers of control frames.

use std::fmt;

use super::replies::{Replies, Reply};
use crate::error::Close;
use crate::frame::{CloseCode, ControlPayload};
use crate::lock::Exclusive;
use crate::protocol::{CloseFrame, Event};

/// The answer to a Ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PingReply {
    /// A Pong with the same payload, as RFC 6455 5.5.2 asks for.
    Pong,
    /// A Pong with another payload.
    Replace(ControlPayload),
    /// Nothing: the application sends its own.
    Nothing,
}

/// The answer to the peer's Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReply {
    /// A Close frame with the same code, as RFC 6455 5.5.1 asks for.
    Echo,
    /// A Close frame with another payload (see [`ControlPayload::close`]).
    Replace(ControlPayload),
    /// Nothing: the application sends its own.
    Nothing,
}

type OnPing = Box<dyn FnMut(&[u8]) -> PingReply + Send>;
type OnPong = Box<dyn FnMut(&[u8]) + Send>;
type OnClose = Box<dyn FnMut(Option<CloseCode>, &str) -> CloseReply + Send>;

/// The application's handlers. Where there is none, the reply is the RFC's.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) ping: Option<OnPing>,
    pub(crate) pong: Option<OnPong>,
    pub(crate) close: Option<OnClose>,
}

/// The handlers, once the application has set one. Only the exclusive owner of the connection calls them.
pub(crate) type Slot = Option<Box<Exclusive<Handlers>>>;

/// Answers a control frame. Returns whether it was a Close frame.
pub(super) fn answer(handlers: &mut Slot, event: &Event<'_>, replies: &mut dyn Replies) -> bool {
    let handlers = handlers.as_deref_mut().map(Exclusive::get_mut);
    match event {
        Event::Message(_) => {}
        Event::Ping(payload) => {
            let handler = handlers.and_then(|handlers| handlers.ping.as_mut());
            let pong = match handler.map_or(PingReply::Pong, |handler| handler(payload)) {
                PingReply::Pong => event.answer(),
                PingReply::Replace(other) => Some(other),
                PingReply::Nothing => None,
            };
            if let Some(payload) = pong {
                replies.reply(Reply::Pong(payload));
            }
        }
        Event::Pong(payload) => {
            replies.pong(payload);
            if let Some(handler) = handlers.and_then(|handlers| handlers.pong.as_mut()) {
                handler(payload);
            }
        }
        Event::Close(CloseFrame { code, reason }) => {
            let received = Close {
                code: code.unwrap_or(CloseCode::NO_STATUS),
                reason: (*reason).to_owned(),
            };
            let handler = handlers.and_then(|handlers| handlers.close.as_mut());
            let payload = match handler.map_or(CloseReply::Echo, |handler| handler(*code, reason)) {
                CloseReply::Echo => event.answer(),
                CloseReply::Replace(payload) => Some(payload),
                CloseReply::Nothing => None,
            };
            replies.reply(Reply::Close(payload, received));
        }
    }
    matches!(event, Event::Close(_))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_handlers_is_which_there_are() {
        let handlers = Handlers {
            pong: Some(Box::new(|_| {})),
            ..Handlers::default()
        };
        let shown = format!("{handlers:?}");
        assert_eq!(shown, "Handlers { ping: false, pong: true, close: false }");
    }
}
