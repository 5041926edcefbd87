//! The seam between messages and an extension that transforms them (RFC 6455 9).
//!
//! An extension has two halves, one for each direction: what both ends agreed on, an [`Agreement`], makes a
//! [`MessageEncoder`] for the messages that an end sends, and a [`MessageDecoder`] for those that it
//! receives. permessage-deflate is one; a connection knows nothing of it but these traits.

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::{Role, SendError};
use crate::frame::{Rsv, Violation};

/// What both ends of a connection agreed on: makes the two halves of the extension for it.
pub trait Agreement: Any + fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Makes what transforms the messages that the end of this role sends.
    fn encoder(&self, role: Role) -> Box<dyn MessageEncoder>;

    /// Makes what transforms the messages back that the end of this role receives.
    fn decoder(&self, role: Role) -> Box<dyn MessageDecoder>;
}

impl dyn Agreement {
    /// Returns it as what one extension makes, such as `deflate::Negotiated`, to look at what was agreed on.
    #[must_use]
    pub fn downcast_ref<A: Agreement>(&self) -> Option<&A> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// Transforms the payload of the messages that one end sends, piece by piece.
///
/// A message that is transformed carries the extension's [reserved bits](Self::rsv) on its first frame.
/// Control frames, and frames that are sent one by one, are never transformed.
pub trait MessageEncoder: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The reserved bits of a transformed message.
    fn rsv(&self) -> Rsv;

    /// Switches it off, or on again, for the messages that begin from now on.
    fn set_enabled(&mut self, enabled: bool);

    /// Returns whether a message of this length is to be transformed; `None` where its length is not known yet.
    fn wants(&self, len: Option<usize>) -> bool;

    /// Begins a message. `false` sends it as it is.
    fn begin(&mut self) -> bool;

    /// Transforms some of a message as far as `output` has room, which is for [`LEAST_ROOM`] bytes at least.
    ///
    /// It is done once all of `input` was consumed and, with [`Until::Flush`] or [`Until::End`], everything was
    /// produced that the peer needs for what has come so far. After [`Until::End`] more can come all the same,
    /// where the application goes on with a message that could not be sent to its end: an extension that cannot
    /// take that fails then. The message is over with [`end`](Self::end).
    ///
    /// # Errors
    /// [`SendError::Compression`] where it failed: nothing of the message is sent any more.
    fn encode(
        &mut self,
        input: &[u8],
        until: Until,
        output: &mut [u8],
    ) -> Result<Transformed, SendError>;

    /// Ends a message: all of it was sent.
    fn end(&mut self);

    /// Gives up a message of which a part was transformed and not sent.
    fn abandon(&mut self);

    /// Returns a number under [`SHARED_KINDS`] where what comes of a message depends on that alone, and on
    /// nothing that this connection sent before: then a message for many connections is transformed once
    /// for each number.
    fn shared_kind(&self) -> Option<usize> {
        None
    }
}

/// Transforms the payload of the messages that one end receives back, piece by piece.
pub trait MessageDecoder: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The reserved bits of the messages that are transformed.
    fn rsv(&self) -> Rsv;

    /// Transforms some of a message back as far as `output` has room; `last` says that the message ends with
    /// `input`. It is done once all that there is was produced.
    ///
    /// # Errors
    /// The peer's violation.
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation>;
}

/// How far a message is to be transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As is best: more comes.
    More,
    /// So that the peer can use all that has come so far.
    Flush,
    /// To the end of the message.
    End,
}

/// What a call took and gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transformed {
    /// How many bytes of the input were used up.
    pub consumed: usize,
    /// How many bytes of the output were filled.
    pub produced: usize,
    /// Whether all of it is done; else the same is to be called again, with what is left and new room.
    pub done: bool,
}

/// The least room that a [`MessageEncoder`] is given.
pub const LEAST_ROOM: usize = 20;
/// How many [kinds](MessageEncoder::shared_kind) of transformed messages there can be.
pub const SHARED_KINDS: usize = 8;
