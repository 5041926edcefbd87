//! The calls that send, of a whole connection and of its writing half.

use std::io::{self, Read};

use super::whole::{Access as _, Sending, Whole};
use super::{MessageWriter, PreparedMessage};
use crate::connection::{Outbound, Unsent, close_payload};
use crate::drive::{WriteSide, now};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Opcode, Rsv};
use crate::protocol::{MessageKind, ToOutgoing};

/// The writing side of a connection: of a [`WebSocket`](super::WebSocket), which dereferences to it, and of a
/// [`WriteHalf`](super::WriteHalf), which is one.
///
/// What is sent is one value, anything that is [`ToOutgoing`]: `"text"`, bytes, a message that was received, or an
/// [`Outgoing`](crate::Outgoing) with all that there is to say.
///
/// A call that fails with `WouldBlock` or `TimedOut` took nothing of its message: call again. A call that succeeds
/// took all of it. What the stream has not taken yet is buffered, and leaves with the next call of any kind, with
/// [`flush`](Self::flush), or before the next read; [`has_pending_output`](Self::has_pending_output) tells. Whatever
/// is called next, a frame is never left half-written.
///
/// # Of a half
/// A call that sends a message, or any other data frame, waits for its turn while another thread is sending a message.
/// Control frames need no turn: they go between the fragments of a message that is being streamed. Any call that
/// writes waits for a frame that another thread is writing.
///
/// # Memory
/// A write buffer, at most twice as large as what waits in it: [`Config::write_buffer`](super::Config::write_buffer)
/// bytes, or one frame where that is longer. Once a message was streamed, one chunk; two where
/// [`stream_message`](Self::stream_message) compressed it.
///
/// # Examples
/// Messages that are fed leave together:
/// ```
/// use framewire::{Config, WebSocket};
///
/// let mut websocket = WebSocket::server(std::io::Cursor::new(Vec::new()), Config::default())?;
/// websocket.feed("one")?;
/// websocket.feed("two")?;
/// websocket.flush()?;
/// assert_eq!(websocket.stream().get_ref(), b"\x81\x03one\x81\x03two");
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<T> {
    pub(super) side: T,
}

impl<T: Sending> Writer<T> {
    /// Sends a message in one frame. Blocks until the stream has taken it.
    ///
    /// Takes one system call, together with all that was fed before. A client masks a payload over the chunk
    /// size in pieces as long as the write buffer, with one call each. A message that is over
    /// [`Config::write_buffer`](crate::Config::write_buffer) even when compressed leaves in fragments of about
    /// that size, one call each. Allocates nothing once the write buffer has its size.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send): nothing was sent.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io): final, as a frame may be cut off, unless it [would
    ///   block](crate::Error::is_would_block).
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    ///
    /// If the compression engine or the source of masking keys fails between two fragments, the message cannot
    /// be finished: close the connection.
    pub fn write(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        let message = message.to_outgoing();
        self.side.turn().with(|side| {
            now(side.poll_send(|outbound| outbound.stage_message(&message)))?;
            side.flush_message()
        })
    }

    /// Stages a message for the next flush, so that many leave with one system call.
    ///
    /// Writes only if the write buffer would grow over its bound, or if the stream did not take all that it was
    /// given last: that must go first. A payload over [`Config::chunk_size`](crate::Config::chunk_size) that a server
    /// sends without compression is not copied: it is written now, with what waits before it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        let message = message.to_outgoing();
        let mut turn = self.side.turn();
        turn.with(|side| now(side.poll_send(|outbound| outbound.stage_fed(&message))))
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. Never writes.
    ///
    /// A half gives the message back, too, while another thread is sending one or is writing anything. It waits for
    /// neither, but may send a reply that the reading half has queued.
    ///
    /// A read that blocks already does not send what is fed: [`flush`](Self::flush) it. Match the error, which holds
    /// the message and does not become an [`Error`].
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the message; [`TryFeedError::Failed`] with an error of [`write`](Self::write).
    pub fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        self.side.try_feed(message)
    }

    /// Sends a message that was framed beforehand, with one system call.
    ///
    /// A server writes it without copying. A client must mask it, and a connection with context takeover must
    /// compress it against its own context, so that both gain nothing over [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.side.turn().with(|side| {
            now(side.poll_send(|outbound| outbound.stage_prepared(message)))?;
            side.flush_message()
        })
    }

    /// Sends one raw frame, without compression. The rules of RFC 6455 hold: no message inside another, no
    /// control frame over 125 bytes, and so on.
    ///
    /// Between the frames of a fragmented message a half's turn is free: the caller must see to it that no other thread
    /// sends a message then.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_frame(fin, rsv, opcode, payload);
        if !opcode.is_control() {
            return self.side.turn().with(|side| write_staged(side, stage));
        }
        let close = (opcode == Opcode::Close).then_some(payload);
        self.side
            .with_frame(close, |side| write_staged(side, stage))
    }

    /// Sends all that a reader gives as one message, in fragments of `chunk_size`. Returns the number of bytes
    /// in the message. Blocks on the reader and on the stream.
    ///
    /// Reads one byte ahead, so that the last fragment carries FIN and no empty frame follows. Holds one chunk.
    /// Control frames (Pongs that fall due) go out between fragments. A half has the turn until the message ends. Each
    /// fragment takes one system call; with [`Config::coalesce_writes`](crate::Config::coalesce_writes) those that fit
    /// into the write buffer leave together.
    ///
    /// # Errors
    /// * [`ErrorKind::ChunkSize`](crate::ErrorKind::ChunkSize) if `chunk_size` is 0 or over
    ///   [`Config::chunk_size`](crate::Config::chunk_size).
    /// * [`ErrorKind::Source`](crate::ErrorKind::Source) if the reader fails,
    ///   [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream does. The message is then open, and nothing of
    ///   what was read is lost: [`resume_message_writer`](Self::resume_message_writer) and
    ///   [`finish_from`](MessageWriter::finish_from) go on with it.
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the bytes of a text turn out not to be UTF-8: the
    ///   message cannot be finished, close the connection.
    pub fn stream_message(
        &mut self,
        kind: impl Into<MessageKind>,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        MessageWriter::<T>::open(self.side.turn(), kind.into(), Some(chunk_size))?
            .finish_from(reader)
    }

    /// Opens a message that is written in pieces of any size.
    ///
    /// Dropped without [`finish`](MessageWriter::finish), the message stays open and other messages are
    /// refused. [`resume_message_writer`](Self::resume_message_writer) goes on with it. A half has the turn while the
    /// [`MessageWriter`] lives: a thread that meanwhile sends a message by another clone waits for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if another message is open;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn message_writer(
        &mut self,
        kind: impl Into<MessageKind>,
    ) -> Result<MessageWriter<'_, T>, Error> {
        MessageWriter::open(self.side.turn(), kind.into(), None)
    }

    /// Returns the writer of the message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish; `None` if there is none. A half waits for
    /// its turn.
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<'_, T>> {
        MessageWriter::resume(self.side.turn())
    }

    /// Sends a Ping.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if the payload is over 125 bytes;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io); [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
    }

    /// Sends a Pong that no Ping asked for, or that replaces an automatic one.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
    }

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Go on reading until that returns `None`, or
    /// use `shutdown`. A message that another thread is sending by a half fails, as nothing may follow a Close frame.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the code is never sent or the reason is over 123 bytes.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io).
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed) if a Close frame was sent before.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Writes all that waits, and flushes the stream.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). After `WouldBlock` the rest still waits.
    pub fn flush(&mut self) -> Result<(), Error> {
        now(self.side.with_frame(None, WriteSide::poll_flush))
    }

    /// Switches the compression of messages off or on, for those that begin from now on, of all clones of a half. No
    /// effect where none was agreed on. [`Outgoing::uncompressed`](crate::Outgoing::uncompressed) sends a single
    /// message without compression.
    pub fn set_compression(&mut self, enabled: bool) {
        self.side
            .change(|outbound| outbound.set_compression(enabled));
    }

    /// Returns whether the stream has yet to take or to flush anything.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.side.inspect(Outbound::has_pending_output)
    }

    /// Returns how many bytes in the write buffer the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.side.inspect(Outbound::buffered)
    }

    /// Returns how the connection was closed, with the codes and reasons of both ends, once either end has sent its
    /// Close frame. Never waits. Copies the reasons.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.side.closed()
    }
}

impl<S> Writer<Whole<S>> {
    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.side.stream
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.side.stream
    }
}

/// A connection that is not split reads from the stream that it writes to.
impl<T: WriteSide> WriteSide for Writer<T> {
    type Stream = T::Stream;

    fn before_read(&mut self) -> io::Result<()> {
        self.side.before_read()
    }

    fn parts(&mut self) -> (&mut Outbound, &mut T::Stream) {
        self.side.parts()
    }
}

/// Sends a frame.
fn write_staged<'p>(
    side: &mut impl WriteSide,
    stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, crate::connection::NotStaged>,
) -> Result<(), Error> {
    now(side.poll_send(stage))?;
    side.flush_staged()
}
