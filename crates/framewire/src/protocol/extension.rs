//! The seam between messages and an extension that transforms them (RFC 6455 9).
//!
//! An extension has two halves, one for each direction. What both ends agreed on, an [`Agreement`], creates a
//! [`MessageEncoder`] for the messages that an end sends, and a [`MessageDecoder`] for those that it receives.
//! permessage-deflate is one extension; a connection knows it only by these traits.

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::{Role, SendError};
use crate::frame::{Rsv, Violation};

/// What both ends of a connection agreed on. Creates the two halves of the extension.
pub trait Agreement: Any + fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Creates the encoder for the messages that the end of this role sends.
    fn encoder(&self, role: Role) -> Box<dyn MessageEncoder>;

    /// Creates the decoder for the messages that the end of this role receives.
    fn decoder(&self, role: Role) -> Box<dyn MessageDecoder>;
}

impl dyn Agreement {
    /// Returns the agreement as the type of one extension, such as `deflate::Negotiated`, to read what was agreed on.
    #[must_use]
    pub fn downcast_ref<A: Agreement>(&self) -> Option<&A> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// The sending half of an extension: transforms the payload of messages, piece by piece.
///
/// A transformed message carries the extension's [reserved bits](Self::rsv) on its first frame. Control frames, and
/// frames that are sent one by one, are never transformed.
pub trait MessageEncoder: Any + fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns the reserved bits of a transformed message: one at least.
    fn rsv(&self) -> Rsv;

    /// Switches the transformation off or on, for the messages that begin from now on.
    fn set_enabled(&mut self, enabled: bool);

    /// Returns whether to transform a message of this length; `None` where its length is not known yet.
    fn wants(&self, len: Option<usize>) -> bool;

    /// Begins a message. Returns `false` where it is sent as it is.
    fn begin(&mut self) -> bool;

    /// Transforms some of a message, as far as `output` has room: at least [`LEAST_ROOM`] bytes.
    ///
    /// A call is done once all of `input` was consumed and, with [`Until::Flush`] or [`Until::End`], everything was
    /// produced that the peer needs for the input so far. More input can follow [`Until::End`], where the application
    /// goes on with a message that could not be sent to its end. An extension that cannot take that fails then.
    /// [`end`](Self::end) ends the message.
    ///
    /// # Errors
    /// [`SendError::Compression`]: nothing more of the message is sent.
    fn encode(
        &mut self,
        input: &[u8],
        until: Until,
        output: &mut [u8],
    ) -> Result<Transformed, SendError>;

    /// Ends a message, all of which was sent.
    fn end(&mut self);

    /// Gives up a message of which a part was transformed and not sent.
    fn abandon(&mut self);

    /// Returns a number below [`SHARED_KINDS`] where what any encoder of this type makes of a message depends on that
    /// number alone, and not on what its connection sent before. A message for many connections is then transformed
    /// once for each number.
    fn shared_kind(&self) -> Option<usize> {
        None
    }
}

/// The receiving half of an extension: transforms the payload of messages back, piece by piece.
pub trait MessageDecoder: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns the reserved bits of the messages that are transformed.
    fn rsv(&self) -> Rsv;

    /// Transforms some of a message back, as far as `output` has room. `last` says that the message ends with `input`.
    /// A call is done once everything was produced.
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

/// How far to transform a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As the extension likes: more follows.
    More,
    /// So that the peer can use all input so far.
    Flush,
    /// To the end of the message.
    End,
}

/// What a call consumed and produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transformed {
    /// How many bytes of the input were used up.
    pub consumed: usize,
    /// How many bytes of the output were filled.
    pub produced: usize,
    /// Whether the call is done. If not, it is repeated with the rest of the input and with new room.
    pub done: bool,
}

/// The least room that a [`MessageEncoder`] is given, in bytes.
pub const LEAST_ROOM: usize = 20;
/// How many [kinds](MessageEncoder::shared_kind) of transformed messages there can be.
pub const SHARED_KINDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Numbered(u8);

    #[derive(Debug)]
    struct Other;

    impl Agreement for Numbered {
        fn encoder(&self, _role: Role) -> Box<dyn MessageEncoder> {
            unreachable!("nothing is sent")
        }

        fn decoder(&self, _role: Role) -> Box<dyn MessageDecoder> {
            unreachable!("nothing is received")
        }
    }

    impl Agreement for Other {
        fn encoder(&self, _role: Role) -> Box<dyn MessageEncoder> {
            unreachable!("nothing is sent")
        }

        fn decoder(&self, _role: Role) -> Box<dyn MessageDecoder> {
            unreachable!("nothing is received")
        }
    }

    #[test]
    fn an_agreement_is_of_the_type_of_its_extension_and_of_no_other() {
        let agreed: &dyn Agreement = &Numbered(7);
        assert_eq!(agreed.downcast_ref(), Some(&Numbered(7)));
        assert!(agreed.downcast_ref::<Other>().is_none());
    }
}
