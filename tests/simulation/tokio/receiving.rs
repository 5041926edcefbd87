//! The calls of tokio's that read, each of which may be dropped at any point and gone on with.

use framewire::tokio::{Reader, Receiving};
use framewire::{Error, Opcode};
use support::into_error;
use tokio::io::AsyncReadExt as _;

use crate::inbox::{Inbox, Reading};

/// Reads the next message, or the rest of the one that was begun. Returns `false` at the end of the connection.
pub async fn receive<T: Receiving>(
    reader: &mut Reader<T>,
    inbox: &mut Inbox,
) -> Result<bool, Error> {
    match inbox.way() {
        Reading::Whole => {
            let Some(message) = reader.next_message().await? else {
                return Ok(false);
            };
            inbox.received(message.opcode(), message.payload());
        }
        Reading::Appended => {
            let mut buffer = std::mem::take(&mut inbox.buffer);
            buffer.clear();
            if inbox.world().once_in(2) {
                buffer.extend_from_slice(b"before");
            }
            let before = buffer.len();
            let Some(message) = reader.append_message(&mut buffer).await? else {
                return Ok(false);
            };
            inbox.received(message.opcode(), message.payload());
            assert_eq!(&buffer[..before], &b"before"[..before]);
            inbox.buffer = buffer;
        }
        Reading::Pieces => {
            let mut message = if inbox.opcode.is_none() {
                let Some(message) = reader.message_reader().await? else {
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
                let len = match message.read(&mut piece).await.map_err(into_error) {
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
            let Some(header) = reader.read_header().await? else {
                return Ok(false);
            };
            inbox.buffer.resize(header.payload_len() as usize, 0);
            let Some(frame) = reader.read_frame(&mut inbox.buffer).await? else {
                return Ok(false);
            };
            let opcode = frame.header().opcode();
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
