//! Frames that are read one by one, as they were sent.

use super::Frame;
use super::handlers::handle;
use super::reader::{Owner, Reader};
use super::transport::Transport;
use crate::error::{Error, ErrorKind};
use crate::frame::Header;
use crate::protocol::{Event, PieceEvent};

impl Reader {
    /// The header of the next frame, or of the one whose payload has not been read.
    pub(crate) fn read_header(&mut self, transport: &mut impl Transport) -> Result<Header, Error> {
        self.own(Owner::Frames, transport)?;
        loop {
            self.check_ended(transport)?;
            if let Some(frame) = self.receiver.decoder().frame().copied() {
                self.send_replies(transport);
                return Ok(frame);
            }
            self.fill_if_empty(transport)?;
            self.decode_header(transport)?;
        }
    }

    /// The next whole frame, control frames too.
    pub(crate) fn read_frame<'b>(
        &mut self,
        output: &'b mut [u8],
        transport: &mut impl Transport,
    ) -> Result<Frame<'b>, Error> {
        let header = self.read_header(transport)?;
        let needed = header.payload_len();
        let Some(output) = usize::try_from(needed)
            .ok()
            .and_then(|needed| output.get_mut(..needed))
        else {
            return Err(ErrorKind::FrameBufferTooSmall { needed }.into());
        };
        if header.opcode().is_control() {
            self.read_control_frame(output, transport)?;
        } else {
            self.read_data_frame(output, transport)?;
        }
        Ok(Frame::new(header, output))
    }

    /// Reads a control frame and gives it its reply. What comes before an interruption is held, as
    /// for any other kind of call.
    fn read_control_frame(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<(), Error> {
        loop {
            self.fill_if_empty(transport)?;
            let input = &mut self.buffer[self.unread.clone()];
            let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, transport)),
            };
            self.unread.start += used;
            let Some(PieceEvent::Control(event)) = event else {
                continue;
            };
            copy_payload(&event, output);
            if handle(&mut self.apart, &event, transport) {
                // The frame itself is given; the next call says that the connection is closed.
                let _ = self.close(transport);
            }
            self.send_replies(transport);
            return Ok(());
        }
    }

    /// Reads a data frame: straight into the caller's buffer until it is interrupted, then into the
    /// memory that holds what came before, so that no byte is moved more than twice.
    fn read_data_frame(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<(), Error> {
        let mut done = 0;
        while self.message.is_empty() && self.receiver.decoder().frame().is_some() {
            match self.read_frame_payload(&mut output[done..], transport) {
                Ok(len) => done += len,
                Err(error) => {
                    if self.apart.ended.is_none() {
                        self.message.append(&output[..done]);
                    }
                    return Err(error);
                }
            }
        }
        while self.receiver.decoder().frame().is_some() {
            self.fill_if_empty(transport)?;
            let input = &mut self.buffer[self.unread.clone()];
            let used = match self.receiver.raw_payload(input) {
                Ok(used) => used,
                Err(violation) => return Err(self.fail(violation, transport)),
            };
            let piece = self.unread.start..self.unread.start + used;
            self.unread.start = piece.end;
            self.message.append(&self.buffer[piece]);
        }
        if !self.message.is_empty() {
            output.copy_from_slice(self.message.message());
            self.message.forget();
        }
        Ok(())
    }

    fn read_frame_payload(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<usize, Error> {
        if self.unread.is_empty() && !output.is_empty() {
            if let Some(len) = self.read_payload_into(output, transport)? {
                return Ok(len);
            }
            self.fill(transport)?;
        }
        let input = &mut self.buffer[self.unread.clone()];
        match self.receiver.raw_payload(input) {
            Ok(used) => {
                output[..used].copy_from_slice(&input[..used]);
                self.unread.start += used;
                Ok(used)
            }
            Err(violation) => Err(self.fail(violation, transport)),
        }
    }
}

/// The payload of a control frame, as it was sent.
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
