//! The calls that send without a stream, for event loops and for front ends of one's own.

use std::io;
use std::mem;

use super::fragment::Fragment;
use super::outbound::Outbound;
use super::pieces::PieceStep;
use super::prepared::PreparedMessage;
use super::stage::{NotStaged, Unsent, close_payload};
use crate::error::{Error, TryFeedError, blocked};
use crate::frame::{CloseCode, MAX_HEADER, Opcode, Rsv};
use crate::protocol::{MessageKind, SendError, ToOutgoing};

/// The calls of a connection without a stream. None of them waits.
impl Outbound {
    /// Feeds a message.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        let outgoing = message.to_outgoing();
        let staged = self.stage_message(&outgoing);
        let mut unsent = self.or_error(staged)?;
        self.buffer_rest(&mut unsent)
    }

    /// Feeds a message if the write buffer has room for it; otherwise gives it back.
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the message; [`TryFeedError::Failed`] with an error as [`Outbound`] says.
    pub fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        let outgoing = message.to_outgoing();
        self.check_message(outgoing.opcode())?;
        let _ = self.stage_reply();
        let needed = self.buffered() + MAX_HEADER + outgoing.payload().len();
        let is_full = self.buffered() > 0 && needed > self.write_buffer();
        if is_full || self.in_frame.is_some() {
            return Err(TryFeedError::Full(message));
        }
        if let Some(mut unsent) = self.stage_encoded(&outgoing)? {
            self.buffer_rest(&mut unsent)?;
            return Ok(());
        }
        self.append(true, &outgoing)?;
        Ok(())
    }

    /// Begins a message that was framed beforehand, as [`begin_message`](Self::begin_message) does: for a server
    /// nothing of it is copied.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn begin_prepared<'p>(
        &mut self,
        message: &'p PreparedMessage,
    ) -> Result<BegunMessage<'p>, Error> {
        let staged = self.stage_prepared(message);
        self.or_error(staged).map(BegunMessage)
    }

    /// Feeds a message that was framed beforehand.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn feed_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        let begun = self.begin_prepared(message)?;
        self.buffer(begun)
    }

    /// Feeds one raw frame, without compression: a fragment, a control frame, or a message with the reserved bits of an
    /// extension.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn feed_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let staged = self.stage_frame(fin, rsv, opcode, payload);
        let mut unsent = self.or_error(staged)?;
        self.buffer_rest(&mut unsent)
    }

    /// Feeds a Ping.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.feed_frame(true, Rsv::NONE, Opcode::Ping, payload)
    }

    /// Feeds a Pong that the peer did not ask for, or where [`on_ping`](super::Connection::on_ping) answers nothing.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.feed_frame(true, Rsv::NONE, Opcode::Pong, payload)
    }

    /// Feeds a Close frame: the last frame of this end (RFC 6455 5.5.1).
    ///
    /// # Errors
    /// As [`Outbound`], and where the code is one that is never sent or the reason is over 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.feed_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Feeds bytes as they are: the answer of a handshake. To be called before anything else is fed.
    pub fn begin_with(&mut self, head: &[u8]) {
        self.append_raw(head);
    }

    /// Begins a message whose payload stays in the caller's memory where it is longer than
    /// [`Config::chunk_size`](super::Config::chunk_size): what a server sends of it is not copied, and a client masks
    /// one write buffer of it at a time.
    ///
    /// Until all of it is [written](Self::output_of), or [buffered](Self::buffer), no other message can be sent. Of one
    /// that is compressed, control frames may go between its fragments; otherwise nothing may.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn begin_message<'p, M: ToOutgoing + ?Sized>(
        &mut self,
        message: &'p M,
    ) -> Result<BegunMessage<'p>, Error> {
        let staged = self.stage_message(&message.to_outgoing());
        self.or_error(staged).map(BegunMessage)
    }

    /// Copies what is not written of a message into the write buffer, so that its payload is free.
    ///
    /// # Errors
    /// As [`Outbound`], where an extension fails.
    pub fn buffer(&mut self, mut message: BegunMessage<'_>) -> Result<(), Error> {
        self.buffer_rest(&mut message.0)
    }

    /// Opens a message that is fed in pieces of any size. Its fragments have the length of
    /// [`Config::chunk_size`](super::Config::chunk_size).
    ///
    /// Dropped without [`finish`](FeedWriter::finish), the message stays open and other messages are refused.
    /// [`resume_feed_writer`](Self::resume_feed_writer) goes on with it.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn feed_writer(&mut self, kind: impl Into<MessageKind>) -> Result<FeedWriter<'_>, Error> {
        let fragment = self.open_message(kind.into(), None)?;
        Ok(FeedWriter {
            outbound: self,
            fragment,
        })
    }

    /// Returns the writer of the message that [`feed_writer`](Self::feed_writer) opened and that was not finished;
    /// `None` if there is none.
    pub fn resume_feed_writer(&mut self) -> Option<FeedWriter<'_>> {
        let fragment = self.resume_message()?;
        Some(FeedWriter {
            outbound: self,
            fragment,
        })
    }

    /// Returns the bytes to write next, with a queued reply; `None` where nothing waits.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) after the stream failed. [`ErrorKind::Send`](crate::ErrorKind::Send)
    /// where there is no masking key.
    pub fn output(&mut self) -> Result<Option<&[u8]>, Error> {
        self.staged_with_reply()
    }

    /// Records the result of writing [`output`](Self::output).
    ///
    /// # Errors
    /// The error of the stream, which is final unless it would block. A stream that took 0 bytes has failed. An
    /// interrupted write is no error, and one that would block need not be told.
    ///
    /// # Panics
    /// Where more bytes were written than there were.
    pub fn written(&mut self, written: io::Result<usize>) -> Result<(), Error> {
        self.written_of(written, &mut BegunMessage(Unsent::Nothing))
    }

    /// Returns the bytes to write next of a message that was [begun](Self::begin_message), as two pieces that are
    /// written one after the other: what waits in the write buffer, and payload in the caller's memory. `None` once
    /// that memory is free: what is left, all of a short message, waits in the write buffer for
    /// [`output`](Self::output).
    ///
    /// Where the stream is not ready, keep the message and call this again, or [buffer](Self::buffer) it. A future that
    /// may be dropped does that when it is.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    pub fn output_of<'a>(
        &'a mut self,
        message: &'a mut BegunMessage<'_>,
    ) -> Result<Option<[&'a [u8]; 2]>, Error> {
        self.next_write(&mut message.0)
    }

    /// Records the result of writing [`output_of`](Self::output_of).
    ///
    /// # Errors
    /// As [`written`](Self::written).
    ///
    /// # Panics
    /// As [`written`](Self::written).
    pub fn written_of(
        &mut self,
        written: io::Result<usize>,
        message: &mut BegunMessage<'_>,
    ) -> Result<(), Error> {
        self.wrote(written, &mut message.0)?;
        // The caller flushes the stream.
        self.unflushed = false;
        Ok(())
    }

    fn or_error<T>(&self, staged: Result<T, NotStaged>) -> Result<T, Error> {
        match staged {
            Ok(staged) => Ok(staged),
            Err(NotStaged::Failed(error)) => Err(error),
            Err(NotStaged::InFrame) => Err(self
                .in_frame
                .map_or_else(blocked, |opcode| SendError::MessageOpen(opcode).into())),
            // Only a side with a stream of its own has a bound.
            Err(NotStaged::Full) => Err(blocked()),
        }
    }
}

/// A message that was [begun](Outbound::begin_message), and what is neither written of it nor in the write buffer.
///
/// It is to be written to its end, or [buffered](Outbound::buffer). Dropped before, it leaves a connection that can
/// send no other message, since this one has begun.
#[derive(Debug)]
#[must_use = "a frame that was begun has to be ended"]
pub struct BegunMessage<'p>(Unsent<'p>);

/// Feeds one message in pieces, to a connection without a stream.
///
/// To send a message of any size in constant memory, feed a piece, drop this, write what waits, and go on with
/// [`Outbound::resume_feed_writer`].
///
/// # Memory
/// One chunk, and what was fed of the message and is not written, in the write buffer.
#[derive(Debug)]
pub struct FeedWriter<'a> {
    outbound: &'a mut Outbound,
    /// Moved out of the outbound side while this lives, and put back when it is dropped.
    fragment: Fragment,
}

impl FeedWriter<'_> {
    /// Feeds a piece of the message.
    ///
    /// # Errors
    /// As [`Outbound`].
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            self.feed_fragments(Fragment::make_room)?;
            let taken = self.fragment.take(self.outbound, piece)?;
            piece = &piece[taken..];
        }
        Ok(())
    }

    /// Ends the message, and returns its length.
    ///
    /// # Errors
    /// As [`Outbound`]. Where a text ends inside a character the message cannot be finished: close the connection.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.feed_fragments(Fragment::finish)?;
        Ok(self.fragment.close(self.outbound))
    }

    /// Feeds fragments until `step` is done or the last fragment is fed.
    fn feed_fragments(
        &mut self,
        step: impl Fn(&mut Fragment, &mut Outbound) -> Result<PieceStep, Error>,
    ) -> Result<(), Error> {
        let Self { outbound, fragment } = self;
        while let PieceStep::Send { fin } = step(fragment, outbound)? {
            let staged = outbound.stage_fragment(fragment, fin);
            let header = outbound.or_error(staged)?;
            outbound.append_raw(fragment.frame(&header));
            fragment.advance();
            if fin {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for FeedWriter<'_> {
    fn drop(&mut self) {
        self.outbound.put_back(mem::take(&mut self.fragment));
    }
}
