//! The sending side of a connection that is not split, and how a thread gets to the sending side of either.

use std::io::{self, Write};

use super::timed::Timed;
use crate::connection::{Inbound, Outbound};
use crate::drive::WriteSide;
use crate::error::{Closed, Error, TryFeedError};
use crate::protocol::ToOutgoing;

/// The sending side of a connection that is not split, with its stream.
#[derive(Debug)]
pub struct Whole<S> {
    pub(super) outbound: Outbound,
    pub(super) stream: S,
    pub(super) keep_alive: Option<Box<Timed<S>>>,
}

impl<S> Whole<S> {
    pub(super) fn new(outbound: Outbound, stream: S) -> Self {
        Self {
            outbound,
            stream,
            keep_alive: None,
        }
    }

    /// Ends the keep-alive, and restores the stream's read time-out.
    pub(super) fn stop_keep_alive(&mut self) {
        if let Some(mut timed) = self.keep_alive.take() {
            timed.restore(&self.stream);
        }
    }
}

impl<S: Write> Whole<S> {
    /// Does what is due after a read that has timed out. Returns `false` where nothing was: the time-out is the
    /// caller's.
    pub(super) fn beat(&mut self, inbound: &mut Inbound) -> Result<bool, Error> {
        let Some(mut timed) = self.keep_alive.take() else {
            return Ok(false);
        };
        let is_due = timed.is_due();
        let beat = if is_due {
            timed.beat(inbound, self)
        } else {
            Ok(())
        };
        self.keep_alive = Some(timed);
        beat.map(|()| is_due)
    }
}

impl<S: Write> WriteSide for Whole<S> {
    type Stream = S;

    fn before_read(&mut self) -> io::Result<()> {
        match &mut self.keep_alive {
            None => Ok(()),
            Some(timed) => timed.before_read(&self.stream, self.outbound.has_pending_output()),
        }
    }

    fn parts(&mut self) -> (&mut Outbound, &mut S) {
        (&mut self.outbound, &mut self.stream)
    }
}

/// What a [`Writer`](super::Writer) sends through: [`Whole`], a connection that is not split, or
/// [`Half`](super::Half), the part that halves share.
///
/// For functions that send by either. It cannot be implemented by others.
///
/// # Examples
/// ```
/// use framewire::{Error, blocking::{Sending, Writer}};
///
/// fn greet<T: Sending>(writer: &mut Writer<T>) -> Result<(), Error> {
///     writer.write("hello")
/// }
/// ```
pub trait Sending {
    /// The right to send a message.
    #[doc(hidden)]
    type Turn<'a>: Access
    where
        Self: 'a;
    /// The sending side, with its stream.
    #[doc(hidden)]
    type Side: WriteSide;

    /// Takes the turn to send a message. Waits while another thread has it.
    #[doc(hidden)]
    fn turn(&mut self) -> Self::Turn<'_>;

    /// Calls `job` with the sending side, which needs no turn for a control frame. `close` is the payload of the Close
    /// frame that `job` sends, if it does.
    #[doc(hidden)]
    fn with_frame<R>(&mut self, close: Option<&[u8]>, job: impl FnOnce(&mut Self::Side) -> R) -> R;

    /// Feeds a message if the write buffer has room.
    #[doc(hidden)]
    fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>>;

    /// Calls `job` with the sending side. Waits for a frame that another thread is writing.
    #[doc(hidden)]
    fn inspect<R>(&self, job: impl FnOnce(&Outbound) -> R) -> R;

    /// Calls `job` with the sending side, to change it.
    #[doc(hidden)]
    fn change<R>(&mut self, job: impl FnOnce(&mut Outbound) -> R) -> R;

    /// Returns how the connection was closed.
    #[doc(hidden)]
    fn closed(&self) -> Option<Closed>;
}

/// A thread's access to the sending side, which it owns or shares with other threads.
pub trait Access {
    /// The sending side, with its stream.
    type Side: WriteSide;

    /// Calls `job` with the sending side, which no other thread uses meanwhile.
    fn with<R>(&mut self, job: impl FnOnce(&mut Self::Side) -> R) -> R;
}

impl<W: WriteSide> Access for &mut W {
    type Side = W;

    fn with<R>(&mut self, job: impl FnOnce(&mut W) -> R) -> R {
        job(self)
    }
}

impl<S: Write> Sending for Whole<S> {
    type Turn<'a>
        = &'a mut Self
    where
        S: 'a;
    type Side = Self;

    fn turn(&mut self) -> &mut Self {
        self
    }

    fn with_frame<R>(&mut self, _close: Option<&[u8]>, job: impl FnOnce(&mut Self) -> R) -> R {
        job(self)
    }

    fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        self.outbound.try_feed(message)
    }

    fn inspect<R>(&self, job: impl FnOnce(&Outbound) -> R) -> R {
        job(&self.outbound)
    }

    fn change<R>(&mut self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        job(&mut self.outbound)
    }

    fn closed(&self) -> Option<Closed> {
        self.outbound.closed().cloned()
    }
}
