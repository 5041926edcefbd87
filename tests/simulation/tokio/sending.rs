//! The calls of tokio's that send, each of which may be dropped at any point and gone on with.

use framewire::tokio::{PreparedMessage, Sending, Writer};
use framewire::{Error, Rsv, TryFeedError};
use support::into_error;
use tokio::io::AsyncWriteExt as _;

use crate::outbox::{Outbox, Parcel, Source, Way};

/// Sends the next message, or the rest of the one that was begun.
pub async fn send<T: Sending>(writer: &mut Writer<T>, outbox: &mut Outbox) -> Result<(), Error>
where
    for<'a> T::Turn<'a>: Unpin,
{
    let Some(parcel) = outbox.take() else {
        return Ok(());
    };
    let mut parcel = Unfinished {
        outbox,
        parcel: Some(parcel),
    };
    let result = parcel.send(writer).await;
    parcel.settle(&result);
    result
}

/// A message that goes back into the outbox where the call is dropped and can be gone on with.
struct Unfinished<'a> {
    outbox: &'a mut Outbox,
    parcel: Option<Parcel>,
}

impl Unfinished<'_> {
    fn settle(&mut self, result: &Result<(), Error>) {
        let parcel = self.parcel.take().expect("it is settled once");
        self.outbox.settle(&parcel, result);
    }

    async fn send<T: Sending>(&mut self, writer: &mut Writer<T>) -> Result<(), Error>
    where
        for<'a> T::Turn<'a>: Unpin,
    {
        let world = self.outbox.world().clone();
        let parcel = self.parcel.as_mut().expect("it is settled later");
        match parcel.way {
            Way::Write => writer.write(parcel.outgoing()).await,
            Way::Feed => {
                writer.feed(parcel.outgoing()).await?;
                if world.once_in(3) {
                    writer.flush().await
                } else {
                    Ok(())
                }
            }
            Way::TryFeed => match writer.try_feed(parcel.outgoing()) {
                Ok(()) => Ok(()),
                Err(TryFeedError::Full(message)) => writer.feed(message).await,
                Err(TryFeedError::Failed(error)) => Err(error),
            },
            Way::Prepared => {
                let prepared = PreparedMessage::new(parcel.outgoing())?;
                writer.write_prepared(&prepared).await
            }
            Way::Ping => {
                let len = parcel.payload.len().min(125);
                writer.ping(&parcel.payload[..len]).await
            }
            Way::Stream => {
                if parcel.is_begun {
                    if let Some(message) = writer.resume_message_writer().await {
                        let source = Source {
                            world: &world,
                            parcel,
                        };
                        return message.finish_from(source).await.map(drop);
                    }
                    // Else nothing was opened.
                    if parcel.done > 0 {
                        check_sent(parcel, writer.closed().is_some());
                        return Ok(());
                    }
                }
                parcel.is_begun = true;
                let (kind, chunk_size) = (parcel.kind(), parcel.chunk_size);
                let source = Source {
                    world: &world,
                    parcel,
                };
                writer
                    .stream_message(kind, chunk_size, source)
                    .await
                    .map(drop)
            }
            Way::Pieces => {
                let is_closed = writer.closed().is_some();
                let opened = if parcel.is_begun {
                    writer.resume_message_writer().await
                } else {
                    let opened = writer.message_writer(parcel.kind()).await?;
                    parcel.is_begun = true;
                    Some(opened)
                };
                let Some(mut message) = opened else {
                    check_sent(parcel, is_closed);
                    return Ok(());
                };
                loop {
                    let (piece, is_last) = parcel.next_piece(parcel.chunk_size);
                    parcel.done += message.write(&piece).await.map_err(into_error)?;
                    if world.once_in(5) {
                        message.flush().await.map_err(into_error)?;
                    }
                    if is_last && parcel.done == parcel.payload.len() {
                        break;
                    }
                }
                message.finish().await.map(drop)
            }
            Way::Frames => {
                let mut opcode = parcel.opcode;
                loop {
                    let (piece, is_last) = parcel.next_piece(parcel.chunk_size);
                    writer
                        .write_frame(is_last, Rsv::NONE, opcode, &piece)
                        .await?;
                    parcel.is_begun = true;
                    parcel.done += piece.len();
                    opcode = framewire::Opcode::Continuation;
                    if is_last {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// A message that is no longer open has been given whole, or the connection has ended.
fn check_sent(parcel: &Parcel, is_closed: bool) {
    let is_whole = parcel.done == parcel.payload.len();
    assert!(is_whole || is_closed, "the rest of an open message is lost");
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(parcel) = self.parcel.take() else {
            return;
        };
        // Any other was taken whole, or nothing of it.
        if matches!(parcel.way, Way::Stream | Way::Pieces) {
            self.outbox.put_back(parcel);
        }
    }
}
