//! An end without a stream of its own, whose bytes a loop moves.

use std::io::{Read as _, Write as _};

use framewire::connection::{BufferPool, Connection, PreparedMessage};
use framewire::{CloseCode, Error, Rsv, TryFeedError};

use crate::blocking::Wait;
use crate::end::{End, REASON};
use crate::inbox::{Inbox, Reading};
use crate::network::Stream;
use crate::outbox::{Outbox, Parcel, Way};
use crate::outcome::Outcome;
use crate::plan::Closing;

pub async fn run(end: End, stream: Stream) {
    let outcome = serve(&end, stream).await;
    end.ended(outcome);
}

async fn serve(end: &End, mut stream: Stream) -> Outcome {
    use Way::{Feed, Frames, Pieces, Ping, Prepared, TryFeed};
    let plan = end.plan();
    let pool = BufferPool::keeping(2);
    let opened = Connection::new(end.role(), &[], &plan.config, &pool);
    let mut connection = opened.expect("no size is zero");
    if let Some(agreed) = end.agreed() {
        connection.set_extension(&agreed);
    }
    let ways = &[Feed, TryFeed, Prepared, Ping, Pieces, Frames];
    let mut outbox = Outbox::new(&end.world, end.side, 0, plan, ways);
    let mut inbox = Inbox::new(&end.world, end.side, &[Reading::Whole, Reading::Pieces]);
    let mut wait = Wait::new(&end.world);
    loop {
        // What has come, to the last whole message.
        let ended = read_all(&mut connection, &mut inbox).err();
        if ended.is_none() {
            let is_low = connection.outbound().buffered() < plan.config.write_buffer;
            if !outbox.is_done() && is_low && end.world.once_in(2) {
                // A piece that is compressed moves nothing yet.
                end.world.moved();
                if feed(&mut connection, &mut outbox).is_err() {
                    outbox.clear();
                }
            } else if outbox.is_done() && connection.outbound().closed().is_none() {
                match plan.closing {
                    Closing::Leave => return Outcome::Left,
                    Closing::Close | Closing::Shutdown => {
                        // One that comes second is refused.
                        let _ = connection.outbound().close(CloseCode::NORMAL, REASON);
                    }
                    Closing::Wait => {}
                }
            }
        }
        let written = write_out(&mut connection, &mut stream);
        if let Some(error) = ended {
            match written {
                Err(blocked) if blocked.is_would_block() => match wait.after(Err(blocked)).await {
                    Ok(()) => continue,
                    Err(outcome) => return outcome,
                },
                _ => {}
            }
            return match error.closed() {
                Some(closed) => Outcome::Closed(closed.clone()),
                None => Outcome::Failed(error),
            };
        }
        let read = match stream.read(connection.room()) {
            Ok(len) => {
                connection.filled(len);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Error::from(error)),
        };
        if read.is_err() {
            connection.rest();
        }
        let is_lost = |error: &Error| !error.is_would_block();
        let result = match written {
            Err(error) if is_lost(&error) => Err(error),
            _ => read,
        };
        if let Err(outcome) = wait.after(result).await {
            return outcome;
        }
    }
}

fn read_all(connection: &mut Connection, inbox: &mut Inbox) -> Result<(), Error> {
    loop {
        if inbox.way() != Reading::Pieces {
            let Some((message, _)) = connection.next_message()? else {
                return Ok(());
            };
            inbox.received(message.opcode(), message.payload());
            continue;
        }
        if inbox.opcode.is_none() {
            let Some((opcode, _)) = connection.next_stream()? else {
                return Ok(());
            };
            inbox.opcode = Some(opcode);
        }
        let mut piece = vec![0; inbox.world().up_to(2_000)];
        match connection.read_stream(&mut piece)? {
            None => return Ok(()),
            Some(0) => inbox.received_pieces(),
            Some(len) => inbox.partial.extend_from_slice(&piece[..len]),
        }
    }
}

fn feed(connection: &mut Connection, outbox: &mut Outbox) -> Result<(), Error> {
    let Some(mut parcel) = outbox.take() else {
        return Ok(());
    };
    let result = feed_parcel(connection, &mut parcel);
    if result.is_ok() && matches!(parcel.way, Way::Pieces | Way::Frames) && parcel.is_begun {
        outbox.put_back(parcel);
        return Ok(());
    }
    outbox.settle(&parcel, &result);
    result
}

/// Feeds the message, or the next piece of it; one that is not begun any more has come to its end.
fn feed_parcel(connection: &mut Connection, parcel: &mut Parcel) -> Result<(), Error> {
    let outbound = connection.outbound();
    match parcel.way {
        Way::TryFeed => match outbound.try_feed(parcel.outgoing()) {
            Ok(()) => Ok(()),
            Err(TryFeedError::Full(message)) => outbound.feed(message),
            Err(TryFeedError::Failed(error)) => Err(error),
        },
        Way::Prepared => outbound.feed_prepared(&PreparedMessage::new(parcel.outgoing())?),
        Way::Ping => {
            let len = parcel.payload.len().min(125);
            outbound.ping(&parcel.payload[..len])
        }
        Way::Pieces => {
            let mut writer = if parcel.is_begun {
                let resumed = outbound.resume_feed_writer();
                match resumed {
                    Some(writer) => writer,
                    None => return Err(framewire::ErrorKind::ConnectionLost.into()),
                }
            } else {
                outbound.feed_writer(parcel.kind())?
            };
            let (piece, is_last) = parcel.next_piece(parcel.chunk_size);
            parcel.is_begun = true;
            writer.feed(&piece)?;
            parcel.done += piece.len();
            if is_last {
                writer.finish()?;
                parcel.is_begun = false;
            }
            Ok(())
        }
        Way::Frames => {
            let (piece, is_last) = parcel.next_piece(parcel.chunk_size);
            let opcode = if parcel.is_begun {
                framewire::Opcode::Continuation
            } else {
                parcel.opcode
            };
            outbound.feed_frame(is_last, Rsv::NONE, opcode, &piece)?;
            parcel.done += piece.len();
            parcel.is_begun = !is_last;
            Ok(())
        }
        _ => outbound.feed(parcel.outgoing()),
    }
}

fn write_out(connection: &mut Connection, stream: &mut Stream) -> Result<(), Error> {
    let outbound = connection.outbound();
    while let Some(bytes) = outbound.output()? {
        let written = stream.write(bytes);
        outbound.written(written)?;
    }
    Ok(())
}
