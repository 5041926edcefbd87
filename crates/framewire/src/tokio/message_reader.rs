//! A message that is read in pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::receiving::{Receiving, or_unsent, read};
use crate::connection::Inbound;
use crate::drive::poll_read_stream;
use crate::error::Error;
use crate::frame::{Opcode, Rsv};

/// Reads one message of any size in constant memory. The end of the message is the end of the reader.
///
/// Long payloads are read from the stream straight into the caller's buffer. Text is checked as it comes: the
/// bytes returned are valid so far. Control frames in between are answered.
///
/// Dropped before the end, the next call on the connection skips the rest, or
/// [`resume_message_reader`](super::Reader::resume_message_reader) goes on with it.
///
/// # Errors
/// Reading fails with the [`Error`] of the connection inside an [`io::Error`].
///
/// # Cancel safety
/// A `read` that is cancelled has lost nothing. tokio's `read_exact` is not cancel-safe over any reader: what
/// it has read is in its buffer, and nothing tells how much that is.
///
/// # Examples
/// ```no_run
/// # async fn receive(mut websocket: framewire::tokio::WebSocket<tokio::io::DuplexStream>) -> std::io::Result<()> {
/// let mut message = websocket.message_reader().await?.expect("the connection is open");
/// let mut file = tokio::fs::File::create("received").await?;
/// tokio::io::copy(&mut message, &mut file).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageReader<'a, T> {
    inbound: &'a mut Inbound,
    source: &'a mut T,
    opcode: Opcode,
    rsv: Rsv,
}

impl<'a, T: Receiving> MessageReader<'a, T> {
    pub(super) async fn begin(inbound: &'a mut Inbound, source: &'a mut T) -> Result<Self, Error> {
        let (opcode, rsv) = read(inbound, source, Inbound::begin_stream).await?;
        Ok(Self {
            inbound,
            source,
            opcode,
            rsv,
        })
    }

    pub(super) fn resume(inbound: &'a mut Inbound, source: &'a mut T) -> Option<Self> {
        let (opcode, rsv) = inbound.streamed()?;
        Some(Self {
            inbound,
            source,
            opcode,
            rsv,
        })
    }
}

impl<T> MessageReader<'_, T> {
    /// Returns Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns the reserved bits of the message's first frame, for the extension that they belong to.
    #[must_use]
    pub fn rsv(&self) -> Rsv {
        self.rsv
    }
}

impl<T: Receiving> AsyncRead for MessageReader<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            inbound, source, ..
        } = self.get_mut();
        let room = buf.remaining().min(AT_ONCE);
        let output = buf.initialize_unfilled_to(room);
        let read = poll_read_stream(inbound, &mut source.side(cx.waker()), output);
        let read = or_unsent(inbound, *source, cx, read);
        read.map_ok(|len| buf.advance(len)).map_err(Error::into)
    }
}

/// The number of bytes of the caller's buffer that are initialised, and filled, at a time.
pub(super) const AT_ONCE: usize = 64 << 10;
