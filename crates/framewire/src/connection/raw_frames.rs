//! Frames that are read one by one, as the peer sent them.

use super::inbound::{Inbound, Stop};
use super::replies::Replies;
use crate::error::{Error, ErrorKind};
use crate::frame::Header;
use crate::protocol::{Event, Owner, PieceEvent};

impl Inbound {
    /// Returns the header of the next frame, or of the frame whose payload has not been read.
    pub(crate) fn read_header(&mut self, replies: &mut dyn Replies) -> Result<Header, Stop> {
        self.begin_call(Owner::Frames, replies)?;
        loop {
            self.check_ended(replies)?;
            if let Some(frame) = self.receiver.decoder().frame().copied() {
                return Ok(frame);
            }
            self.need_bytes()?;
            self.decode_header(replies)?;
        }
    }

    /// Reads a control frame and answers it. What arrives before an interruption is held, as for any other kind of
    /// call.
    pub(crate) fn read_control_frame(
        &mut self,
        output: &mut [u8],
        replies: &mut dyn Replies,
    ) -> Result<(), Stop> {
        loop {
            self.need_bytes()?;
            let input = &mut self.buffer[self.unread.clone()];
            let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, replies).into()),
            };
            self.unread.start += used;
            let Some(PieceEvent::Control(event)) = event else {
                continue;
            };
            copy_payload(&event, output);
            if self.cold.answer(&event, replies) {
                // The frame itself is returned; the next call reports that the connection is closed.
                let _ = self.end(replies);
            }
            return Ok(());
        }
    }

    /// Copies what was read of a data frame into the caller's buffer, behind the first `done` bytes, until the frame
    /// is whole. Where it needs bytes, a read can go [straight](Self::direct_of_frame) into that buffer.
    pub(crate) fn read_data_frame(
        &mut self,
        output: &mut [u8],
        done: &mut usize,
        replies: &mut dyn Replies,
    ) -> Result<(), Stop> {
        while self.receiver.decoder().frame().is_some() {
            self.need_bytes()?;
            let input = &mut self.buffer[self.unread.clone()];
            let used = match self.receiver.raw_payload(input) {
                Ok(used) => used,
                Err(violation) => return Err(self.fail(violation, replies).into()),
            };
            let piece = &self.buffer[self.unread.start..self.unread.start + used];
            if self.message.is_empty() {
                output[*done..*done + used].copy_from_slice(piece);
                *done += used;
            } else {
                self.message.append(piece);
            }
            self.unread.start += used;
        }
        if !self.message.is_empty() {
            output.copy_from_slice(self.message.message());
            self.message.forget();
        }
        Ok(())
    }

    /// Holds what the caller's buffer has of a frame until its rest can be read.
    pub(crate) fn buffer_frame(&mut self, payload: &[u8]) {
        if !self.has_ended() {
            self.message.append(payload);
        }
    }
}

/// Returns the part of a buffer that the payload of a frame fills.
pub(crate) fn payload_room<'b>(
    header: &Header,
    output: &'b mut [u8],
) -> Result<&'b mut [u8], Error> {
    let needed = header.payload_len();
    let room = usize::try_from(needed).ok();
    let room = room.and_then(|needed| output.get_mut(..needed));
    room.ok_or_else(|| ErrorKind::FrameBufferTooSmall { needed }.into())
}

/// Copies the payload of a control frame, as the peer sent it.
fn copy_payload(event: &Event<'_>, output: &mut [u8]) {
    match event {
        Event::Message(_) => {}
        Event::Ping(payload) | Event::Pong(payload) => output.copy_from_slice(payload),
        Event::Close(frame) => {
            if let (Some(code), Some((head, reason))) = (frame.code, output.split_first_chunk_mut())
            {
                *head = code.get().to_be_bytes();
                reason.copy_from_slice(frame.reason.as_bytes());
            }
        }
    }
}
