//! A connection as a `Stream` and a `Sink`.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use framewire::tokio::WebSocket;
use framewire::{CloseCode, Error, OwnedMessage};
use futures_util::{Sink, Stream as _};
use tokio::time::timeout;

use crate::end::{End, GIVES_UP, REASON};
use crate::inbox::{Inbox, Reading};
use crate::network::Stream;
use crate::outbox::{Outbox, Parcel, Way};
use crate::outcome::Outcome;
use crate::plan::Closing;
use crate::world::Stillness;

/// What one poll of both directions came to.
enum Step {
    Received(OwnedMessage),
    Ended(Option<Error>),
    Took(Parcel),
    Refused,
    Flushed,
}

pub async fn sink(end: &End, mut connection: WebSocket<Stream>) -> Outcome {
    let (world, plan) = (&end.world, end.plan());
    let mut outbox = Outbox::new(world, end.side, 0, plan, &[Way::Write]);
    let mut inbox = Inbox::new(world, end.side, &[Reading::Whole]);
    let mut is_flushed = true;
    let mut still = Stillness::new(world);
    loop {
        if still.is_long() {
            let is_closing = connection.closed().is_some();
            return Outcome::GaveUp { is_closing };
        }
        if outbox.is_done() && is_flushed {
            match plan.closing {
                Closing::Leave => return Outcome::Left,
                Closing::Close | Closing::Shutdown if connection.closed().is_none() => {
                    // Reads go on while the stream takes nothing.
                    let close = connection.close(CloseCode::NORMAL, REASON);
                    let _ = timeout(world.milliseconds(20), close).await;
                }
                _ => {}
            }
        }
        // A Close frame that was dropped is tried again.
        let must_close = plan.closing == Closing::Close && connection.closed().is_none();
        let time = if outbox.is_done() && is_flushed && must_close {
            world.milliseconds(400)
        } else {
            GIVES_UP * 2
        };
        let step = step(&mut connection, &mut outbox, &mut is_flushed);
        match timeout(time, step).await {
            Ok(Step::Received(message)) => inbox.received(message.opcode(), message.payload()),
            Ok(Step::Ended(None)) => {
                return Outcome::Closed(connection.closed().expect("it says how it ended"));
            }
            Ok(Step::Ended(Some(error))) => return Outcome::Failed(error),
            Ok(Step::Took(parcel)) => outbox.settle(&parcel, &Ok(())),
            Ok(Step::Flushed) | Err(_) => {}
            // The end that comes of it is what is read.
            Ok(Step::Refused) => {
                outbox.clear();
                is_flushed = true;
            }
        }
    }
}

/// Waits until the connection has a message, or takes one, whichever comes first.
async fn step(
    connection: &mut WebSocket<Stream>,
    outbox: &mut Outbox,
    is_flushed: &mut bool,
) -> Step {
    poll_fn(|cx| {
        let mut connection = Pin::new(&mut *connection);
        let reads_first = outbox.world().once_in(2);
        for reads in [reads_first, !reads_first] {
            if reads {
                match connection.as_mut().poll_next(cx) {
                    Poll::Ready(None) => return Poll::Ready(Step::Ended(None)),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Ended(Some(error))),
                    Poll::Ready(Some(Ok(message))) => return Poll::Ready(Step::Received(message)),
                    Poll::Pending => {}
                }
            } else if !outbox.is_done() {
                match connection.as_mut().poll_ready(cx) {
                    Poll::Ready(Err(_)) => return Poll::Ready(Step::Refused),
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => {
                        let Some(parcel) = outbox.take() else {
                            continue;
                        };
                        let message = owned(&parcel);
                        *is_flushed = false;
                        return Poll::Ready(match connection.as_mut().start_send(message) {
                            Ok(()) => Step::Took(parcel),
                            Err(error) => {
                                assert!(!error.is_would_block(), "it was ready");
                                Step::Refused
                            }
                        });
                    }
                }
            } else if !*is_flushed {
                match connection.as_mut().poll_flush(cx) {
                    Poll::Ready(Err(_)) => return Poll::Ready(Step::Refused),
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => {
                        *is_flushed = true;
                        return Poll::Ready(Step::Flushed);
                    }
                }
            }
        }
        Poll::Pending
    })
    .await
}

fn owned(parcel: &Parcel) -> OwnedMessage {
    match str::from_utf8(&parcel.payload) {
        Ok(text) if parcel.opcode == framewire::Opcode::Text => OwnedMessage::from(text.to_owned()),
        _ => OwnedMessage::from(parcel.payload.to_vec()),
    }
}
