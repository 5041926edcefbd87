//! Connections as a `Sink` for owned messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access, poll_flush, poll_job, poll_stage};
use super::polled::{Job, is_pending};
use super::shared::{FrameWriter, SendTurn};
use super::turns::{Ticket, Waiter};
use super::{Message, WebSocket, WriteHalf, Writer};
use crate::connection::{Drive, Outbound};
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
        poll_stage(&mut self.get_mut(), cx, Outbound::make_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // The task that the stream is to wake is known when this is flushed, or made ready again.
        let mut polled = self.get_mut().polled(Waker::noop(), Job::Writing);
        polled.send(|outbound| outbound.stage_whole(message.opcode(), message.payload()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_flush(&mut self.get_mut(), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_close(&mut self.get_mut(), cx)
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
        this.poll_message(cx, |writer, cx| {
            poll_stage(writer, cx, Outbound::make_ready)
        })
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        if this.sink.message.is_some() {
            // It was not ready.
            return Err(ErrorKind::MessageInProgress.into());
        }
        let taken = match this.shared.try_turn() {
            Some(mut writer) => take_if_ready(&mut writer.drive(Waker::noop()), &message),
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
        this.poll_frames(cx, |mut frames, cx| {
            let flushed = poll_flush(&mut frames, cx);
            (flushed, frames)
        })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        let normal = CloseCode::NORMAL.get().to_be_bytes();
        this.poll_frames(cx, |frames, cx| {
            let mut frames = frames.closing(&normal);
            let closed = poll_close(&mut frames, cx);
            (closed, frames)
        })
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
        drop(Waiter::of_half(self.shared.waiters(), self.sink.ticket));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Gets rid of the message that is held.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(message) = self.sink.message.take() else {
            return Poll::Ready(Ok(()));
        };
        let taken = self.poll_message(cx, |writer, cx| {
            poll_job(writer, cx, |writer, waker| {
                take_if_ready(&mut writer.drive(waker), &message)
            })
        });
        if taken.is_pending() {
            self.sink.message = Some(message);
        }
        taken
    }

    /// Does a job with the turn to send a message.
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        job: impl FnOnce(&mut SendTurn<'_, S>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), Error>> {
        let mut waiter = Waiter::of_half(self.shared.waiters(), self.sink.ticket);
        let turn = match self.shared.poll_turn(&mut waiter, cx) {
            Poll::Ready(Ok(turn)) => turn,
            other => {
                self.sink.ticket = waiter.detach(other.is_pending());
                return other.map_ok(drop);
            }
        };
        let mut writer = SendTurn::new(turn, waiter);
        let done = job(&mut writer, cx);
        self.sink.ticket = writer.waiter.detach(done.is_pending());
        done
    }

    /// Does a job without that turn.
    fn poll_frames<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
        job: impl FnOnce(
            FrameWriter<'a, S>,
            &mut Context<'_>,
        ) -> (Poll<Result<(), Error>>, FrameWriter<'a, S>),
    ) -> Poll<Result<(), Error>> {
        let waiter = Waiter::of_half(self.shared.waiters(), self.sink.ticket);
        let (done, mut frames) = job(FrameWriter::at(&self.shared, waiter), cx);
        self.sink.ticket = frames.waiter.detach(done.is_pending());
        done
    }
}

/// Takes a message whole, or says `WouldBlock`.
fn take_if_ready(drive: &mut impl Drive, message: &Message) -> Result<(), Error> {
    drive.stage(Outbound::make_ready)?;
    drive.send(|outbound| outbound.stage_whole(message.opcode(), message.payload()))
}

/// Sends a Close frame with 1000 unless one was sent, and all that waits before it.
fn poll_close<A: Access>(access: &mut A, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        let mut drive = access.drive(waker);
        let outbound = drive.outbound();
        if !outbound.has_sent_close() {
            outbound.check_open()?;
            outbound.queue_normal_close();
        }
        drive.flush()?;
        let outbound = drive.outbound();
        if outbound.has_pending_output() && outbound.frame_under_way().is_some() {
            // Somebody else's frame has to end first.
            return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
        }
        Ok(())
    })
}
