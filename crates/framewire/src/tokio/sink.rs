//! Connections as a `Sink` of owned messages.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access, poll_flush, poll_job, poll_stage};
use super::polled::Job;
use super::shared::{FrameWriter, Half, SendTurn};
use super::whole::Whole;
use super::{OwnedMessage, WebSocket, WriteHalf, Writer};
use crate::connection::Outbound;
use crate::drive::{WriteSide, now};
use crate::error::{Error, ErrorKind};
use crate::frame::CloseCode;
use crate::halves::Waiter;
use crate::protocol::ToOutgoing as _;

/// The same as the [`Sink`] of its [`writer`](WebSocket::writer).
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<OwnedMessage> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().reader.side).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        Pin::new(&mut self.get_mut().reader.side).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().reader.side).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().reader.side).poll_close(cx)
    }
}

/// Feeding stages a message, as [`feed`](Self::feed) does, and waits while the write buffer has
/// no room for a message of the chunk size. Flushing writes what is staged.
///
/// A message that is longer than the room left is accepted all the same, since a sink that said it was ready
/// must accept one. What the stream does not take of it at once is copied, where
/// [`write`](Self::write) would wait. The memory that this takes is at most
/// [`Config::write_buffer`](crate::Config::write_buffer) and one message.
///
/// Closing sends a Close frame with 1000 unless one was sent, and waits until the stream has taken it. It does
/// not wait for the peer's Close frame, which arrives where messages are read. Every method may be polled by
/// any task, one at a time.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<OwnedMessage> for Writer<Whole<S>> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.side.outbound.check_no_frame()?;
        poll_stage(&mut &mut self.get_mut().side, cx, Outbound::make_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        // No task to wake: `poll_ready` or `poll_flush` names it when it is polled next.
        let mut polled = self.get_mut().side.polled(Waker::noop(), Job::Writing);
        now(polled.poll_send(|outbound| outbound.stage_whole(&message.to_outgoing())))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_flush(&mut &mut self.get_mut().side, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_close(&mut &mut self.get_mut().side, cx)
    }
}

/// The same as the [`Sink`] of a [`Writer`], but it waits while another task is sending a message.
///
/// If another task begins a message after this half said that it was ready, this half holds its own message
/// until it has its turn. Flush the half before you drop it, or that message is lost.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<OwnedMessage> for WriteHalf<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut self.get_mut().side;
        ready!(this.poll_held_message(cx))?;
        this.poll_message(cx, |writer, cx| {
            poll_stage(writer, cx, Outbound::make_ready)
        })
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        let this = &mut self.get_mut().side;
        if this.sink.message.is_some() {
            // The caller did not wait until the sink was ready.
            return Err(ErrorKind::MessageInProgress.into());
        }
        let taken = match this.shared.try_turn() {
            Some(mut writer) => poll_stage_message(&mut writer.side(Waker::noop()), &message),
            None => Poll::Pending,
        };
        if taken.is_pending() {
            this.sink.message = Some(message);
            return Ok(());
        }
        now(taken)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut self.get_mut().side;
        ready!(this.poll_held_message(cx))?;
        this.poll_frames(cx, |mut frames, cx| {
            let flushed = poll_flush(&mut frames, cx);
            (flushed, frames)
        })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut self.get_mut().side;
        ready!(this.poll_held_message(cx))?;
        let normal = CloseCode::NORMAL.get().to_be_bytes();
        this.poll_frames(cx, |frames, cx| {
            let mut frames = frames.closing(&normal);
            let closed = poll_close(&mut frames, cx);
            (closed, frames)
        })
    }
}

impl<S> Drop for Half<S> {
    fn drop(&mut self) {
        drop(Waiter::of_half(self.shared.waiters(), self.sink.ticket));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Half<S> {
    /// Stages the held message, if there is one.
    fn poll_held_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(message) = self.sink.message.take() else {
            return Poll::Ready(Ok(()));
        };
        let taken = self.poll_message(cx, |writer, cx| {
            poll_job(writer, cx, |writer, waker| {
                poll_stage_message(&mut writer.side(waker), &message)
            })
        });
        if taken.is_pending() {
            self.sink.message = Some(message);
        }
        taken
    }

    /// Runs a job with the turn to send a message.
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

    /// Runs a job that needs no turn.
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

/// Stages a message whole once there is room.
fn poll_stage_message(
    side: &mut impl WriteSide,
    message: &OwnedMessage,
) -> Poll<Result<(), Error>> {
    ready!(side.poll_stage(Outbound::make_ready))?;
    side.poll_send(|outbound| outbound.stage_whole(&message.to_outgoing()))
}

/// Sends a Close frame with 1000 unless one was sent, and all that is staged before it.
fn poll_close<A: Access>(access: &mut A, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        let mut side = access.side(waker);
        let outbound = side.outbound();
        if !outbound.has_sent_close() {
            outbound.check_open()?;
            outbound.queue_normal_close();
        }
        ready!(side.poll_flush())?;
        let outbound = side.outbound();
        if outbound.has_pending_output() && outbound.frame_under_way().is_some() {
            // The frame of another task must end first.
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    })
}
