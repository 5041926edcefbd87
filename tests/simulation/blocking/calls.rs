//! The calls that block, each of which may say that it would and is then made again.

use std::io::{Read as _, Write as _};

use framewire::blocking::{PreparedMessage, Reader, Receiving, Sending, Writer};
use framewire::{Error, Opcode, Rsv, TryFeedError};
use support::into_error;

use crate::inbox::{Inbox, Reading};
use crate::outbox::{Outbox, Parcel, Source, Way};
use crate::world::World;

/// Sends the next message, or the rest of the one that was begun.
pub fn send<T: Sending>(writer: &mut Writer<T>, outbox: &mut Outbox) -> Result<(), Error> {
    let world = outbox.world().clone();
    let Some(mut parcel) = outbox.take() else {
        return Ok(());
    };
    let result = send_parcel(writer, &world, &mut parcel);
    match &result {
        Err(error) if error.is_would_block() => outbox.put_back(parcel),
        _ => outbox.settle(&parcel, &result),
    }
    result
}

fn send_parcel<T: Sending>(
    writer: &mut Writer<T>,
    world: &World,
    parcel: &mut Parcel,
) -> Result<(), Error> {
    match parcel.way {
        Way::Write => writer.write(parcel.outgoing()),
        Way::Feed => writer.feed(parcel.outgoing()),
        Way::TryFeed => match writer.try_feed(parcel.outgoing()) {
            Ok(()) => Ok(()),
            Err(TryFeedError::Full(message)) => writer.feed(message),
            Err(TryFeedError::Failed(error)) => Err(error),
        },
        Way::Prepared => writer.write_prepared(&PreparedMessage::new(parcel.outgoing())?),
        Way::Ping => {
            let len = parcel.payload.len().min(125);
            writer.ping(&parcel.payload[..len])
        }
        Way::Stream => {
            if parcel.is_begun {
                match writer.resume_message_writer() {
                    Some(message) => {
                        return message.finish_from(Source { world, parcel }).map(drop);
                    }
                    None if parcel.done > 0 => panic!("the message is not open any more"),
                    None => {}
                }
            }
            parcel.is_begun = true;
            let (kind, chunk_size) = (parcel.kind(), parcel.chunk_size);
            writer
                .stream_message(kind, chunk_size, Source { world, parcel })
                .map(drop)
        }
        Way::Pieces => {
            let mut message = if parcel.is_begun {
                let resumed = writer.resume_message_writer();
                resumed.expect("the message is open")
            } else {
                let message = writer.message_writer(parcel.kind())?;
                parcel.is_begun = true;
                message
            };
            while parcel.done < parcel.payload.len() {
                let (piece, _) = parcel.next_piece(parcel.chunk_size);
                parcel.done += message.write(&piece).map_err(into_error)?;
                if world.once_in(5) {
                    message.flush().map_err(into_error)?;
                }
            }
            message.finish().map(drop)
        }
        Way::Frames => loop {
            let (piece, is_last) = parcel.next_piece(parcel.chunk_size);
            let opcode = if parcel.is_begun {
                Opcode::Continuation
            } else {
                parcel.opcode
            };
            writer.write_frame(is_last, Rsv::NONE, opcode, &piece)?;
            parcel.is_begun = true;
            parcel.done += piece.len();
            if is_last {
                return Ok(());
            }
        },
    }
}

/// Reads the next message, or the rest of the one that was begun. Returns `false` at the end of the connection.
pub fn receive<T: Receiving>(reader: &mut Reader<T>, inbox: &mut Inbox) -> Result<bool, Error> {
    match inbox.way() {
        Reading::Whole => {
            let Some(message) = reader.next_message()? else {
                return Ok(false);
            };
            inbox.received(message.opcode(), message.payload());
        }
        Reading::Appended => {
            let mut buffer = std::mem::take(&mut inbox.buffer);
            buffer.clear();
            let Some(message) = reader.append_message(&mut buffer)? else {
                return Ok(false);
            };
            inbox.received(message.opcode(), message.payload());
            inbox.buffer = buffer;
        }
        Reading::Pieces => {
            let mut message = if inbox.opcode.is_none() {
                let Some(message) = reader.message_reader()? else {
                    return Ok(false);
                };
                inbox.opcode = Some(message.opcode());
                message
            } else {
                let resumed = reader.resume_message_reader();
                resumed.expect("it was not read to its end")
            };
            loop {
                let mut piece = vec![0; inbox.world().up_to(2_000)];
                let len = match message.read(&mut piece).map_err(into_error) {
                    Err(error) if error.closed().is_some() => {
                        inbox.lost_rest();
                        return Ok(false);
                    }
                    read => read?,
                };
                inbox.partial.extend_from_slice(&piece[..len]);
                if len == 0 {
                    break;
                }
            }
            inbox.received_pieces();
        }
        Reading::Frames => loop {
            let Some(header) = reader.read_header()? else {
                return Ok(false);
            };
            inbox.buffer.resize(header.payload_len() as usize, 0);
            let Some(frame) = reader.read_frame(&mut inbox.buffer)? else {
                return Ok(false);
            };
            let opcode = header.opcode();
            if opcode.is_control() {
                continue;
            }
            if opcode != Opcode::Continuation {
                inbox.opcode = Some(opcode);
            }
            inbox.partial.extend_from_slice(frame.payload());
            if header.fin() {
                inbox.received_pieces();
                break;
            }
        },
    }
    Ok(true)
}
