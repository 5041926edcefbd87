//! Connections as a `Sink` for owned messages.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access, poll_job};
use super::polled::is_pending;
use super::shared::{Frames, SharedWriter, WriteEnd};
use super::waiting::{Place, Ticket};
use super::{Message, WebSocket, WriteHalf, Writer};
use crate::connection::{self, Access as _};
use crate::error::{Error, ErrorKind};
use crate::frame::CloseCode;

/// As the [`Sink`] of its [`writer`](WebSocket::writer).
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().writer).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.get_mut().writer).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().writer).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().writer).poll_close(cx)
    }
}

/// Feeding queues a message, as [`feed_message`](Self::feed_message) does, and waits while the write
/// buffer has no room for one of the chunk size; flushing sends what waits.
///
/// A message that is longer than the room there is, is taken nevertheless, since a sink that was ready
/// has to: what the stream does not take of it at once is copied, where
/// [`write_message`](Self::write_message) would wait. So what waits is bound by
/// [`Config::write_buffer`](crate::Config::write_buffer) and one message.
///
/// Closing sends a Close frame with 1000 unless one was sent, and waits until the stream has taken it;
/// the peer's is for whoever reads. Every method may be polled by any task, one at a time.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Writer<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_no_frame()?;
        poll(&mut self.get_mut(), cx, connection::Writer::make_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let core = &mut self.get_mut().core;
        core.take_whole(message.opcode(), message.payload())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll(&mut self.get_mut(), cx, connection::Writer::write_all_out)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll(&mut self.get_mut(), cx, close_normally)
    }
}

/// As for a [`Writer`], and waits for a message that another task is sending.
///
/// Where another task begins one between this half's being ready and its message, that is held until it can
/// go: by the half it was given to, which is to be flushed before it is dropped.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WriteHalf<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        this.poll_message(cx, connection::Writer::make_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        if this.sink.message.is_some() {
            // It was not ready.
            return Err(ErrorKind::MessageInProgress.into());
        }
        let taken = match this.shared.try_message() {
            Some(mut right) => right.with(|writer| take_if_ready(writer, &message)),
            None => Err(io::Error::from(io::ErrorKind::WouldBlock).into()),
        };
        match taken {
            Err(error) if is_pending(&error) => this.sink.message = Some(message),
            taken => taken?,
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        this.poll_frames(cx, |frames| frames, connection::Writer::write_all_out)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        let normal = CloseCode::NORMAL.get().to_be_bytes();
        this.poll_frames(cx, |frames| frames.closing(&normal), close_normally)
    }
}

/// What a half has between two polls.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The message that it took and could not send.
    message: Option<Message>,
    ticket: Ticket,
}

impl Held {
    pub(super) fn has_message(&self) -> bool {
        self.message.is_some()
    }
}

impl<S> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        drop(Place::of_half(self.shared.waiting(), self.sink.ticket));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Gets rid of the message that is held.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(message) = self.sink.message.take() else {
            return Poll::Ready(Ok(()));
        };
        let taken = self.poll_message(cx, |writer| take_if_ready(writer, &message));
        if taken.is_pending() {
            self.sink.message = Some(message);
        }
        taken
    }

    /// Does a job with the right to send a message.
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        job: impl FnMut(&mut connection::Writer<WriteEnd<S>>) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>> {
        let mut place = Place::of_half(self.shared.waiting(), self.sink.ticket);
        let right = match self.shared.poll_right(&mut place, cx) {
            Poll::Ready(Ok(right)) => right,
            other => {
                self.sink.ticket = place.keep_if(other.is_pending());
                return other.map_ok(drop);
            }
        };
        let mut writer = SharedWriter::new(right, place);
        let done = poll(&mut writer, cx, job);
        self.sink.ticket = writer.place.keep_if(done.is_pending());
        done
    }

    /// Does a job without that right.
    fn poll_frames<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
        manner: impl FnOnce(Frames<'a, S>) -> Frames<'a, S>,
        job: impl FnMut(&mut connection::Writer<WriteEnd<S>>) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>> {
        let place = Place::of_half(self.shared.waiting(), self.sink.ticket);
        let mut frames = manner(Frames::at(&self.shared, place));
        let done = poll(&mut frames, cx, job);
        self.sink.ticket = frames.place.keep_if(done.is_pending());
        done
    }
}

/// Takes a message whole, or says `WouldBlock`.
fn take_if_ready<S: Write>(
    writer: &mut connection::Writer<S>,
    message: &Message,
) -> Result<(), Error> {
    writer.make_ready()?;
    writer.take_whole(message.opcode(), message.payload())
}

fn close_normally<S: Write>(writer: &mut connection::Writer<S>) -> Result<(), Error> {
    if !writer.has_sent_close() {
        writer.check_open()?;
        writer.queue_normal_close();
    }
    writer.write_all_out()?;
    if writer.has_pending_output() && writer.frame_under_way().is_some() {
        // Somebody else's frame has to end first.
        return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
    }
    Ok(())
}

fn poll<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut job: impl FnMut(&mut connection::Writer<A::Stream>) -> Result<(), Error>,
) -> Poll<Result<(), Error>> {
    poll_job(access, |access| access, cx, |access| access.with(&mut job))
}
