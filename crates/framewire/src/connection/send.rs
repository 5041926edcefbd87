//! Messages and frames on their way into the write buffer, or past it.
//!
//! A call that sends has two steps. It begins, which takes the frame or, where that would block,
//! nothing. From then on the frame has to get to its end: as far as it is not in the write buffer,
//! its payload is still the caller's, and [`Rest`] says what is left of it. A caller that stays
//! until the stream has taken that saves a copy; one that does not has it kept.

use std::io::{self, Write};

use super::{PreparedMessage, Writer};
use crate::error::{Close, Closed, Error, TryFeedError};
use crate::frame::{CloseCode, ControlPayload, Header, MAX_HEADER, Opcode, Rsv};
use crate::protocol::{append_frame, append_payload, close_error};

/// What is not yet written, nor in the write buffer, of a message that was begun.
#[derive(Debug, Default)]
#[must_use = "a frame that was begun has to be ended"]
pub(crate) enum Rest<'p> {
    #[default]
    Nothing,
    /// Goes out as it is.
    Plain(&'p [u8]),
    /// Goes out masked.
    Masked {
        header: Header,
        payload: &'p [u8],
        done: usize,
    },
    /// Goes out in compressed fragments.
    #[cfg(feature = "deflate")]
    Compressed { opcode: Opcode, payload: &'p [u8] },
}

impl Rest<'_> {
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl<S: Write> Writer<S> {
    pub(crate) fn begin_message<'p>(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &'p [u8],
    ) -> Result<Rest<'p>, Error> {
        if let Some(rest) = self.begin_if_compressed(opcode, rsv, payload)? {
            return Ok(rest);
        }
        self.begin_checked(true, rsv, opcode, payload)
    }

    /// As [`begin_message`](Self::begin_message), for a message that may wait in the write buffer.
    pub(crate) fn begin_fed<'p>(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &'p [u8],
    ) -> Result<Rest<'p>, Error> {
        if let Some(rest) = self.begin_if_compressed(opcode, rsv, payload)? {
            return Ok(rest);
        }
        self.make_room(payload.len())?;
        if self.pending() + MAX_HEADER + payload.len() > self.write_buffer() {
            return self.begin_checked(true, rsv, opcode, payload);
        }
        self.append(true, rsv, opcode, payload)?;
        Ok(Rest::Nothing)
    }

    /// Checks that a message may begin, and begins it if it is to be compressed.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables))]
    fn begin_if_compressed<'p>(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &'p [u8],
    ) -> Result<Option<Rest<'p>>, Error> {
        self.check_message(opcode)?;
        #[cfg(feature = "deflate")]
        if rsv.is_none() && self.sender.compresses(payload.len()) {
            self.make_room(payload.len().min(self.chunk_size()))?;
            return self.begin_compressed(opcode, payload);
        }
        Ok(None)
    }

    /// Takes a message into the write buffer if it has room, and writes nothing.
    pub(crate) fn try_feed<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.check_message(opcode)?;
        self.write_reply();
        let len = payload.as_ref().len();
        let is_full = self.pending() > 0 && self.pending() + MAX_HEADER + len > self.write_buffer();
        if is_full || self.in_frame.is_some() {
            return Err(TryFeedError::Full(payload));
        }
        #[cfg(feature = "deflate")]
        if let Some(mut rest) = self.begin_compressed(opcode, payload.as_ref())? {
            self.keep_rest(&mut rest)?;
            return Ok(());
        }
        self.append(true, Rsv::NONE, opcode, payload.as_ref())?;
        Ok(())
    }

    /// Makes sure that the next message can be taken whole.
    #[cfg(feature = "futures")]
    pub(crate) fn make_ready(&mut self) -> Result<(), Error> {
        self.check_no_stream()?;
        self.make_room(self.chunk_size())
    }

    /// Takes a message whole, of any length: what the stream does not take now is kept, over the bound
    /// of the write buffer where it has to be. `WouldBlock` only where it was not
    /// [made ready](Self::make_ready).
    #[cfg(feature = "futures")]
    pub(crate) fn take_whole(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        if let Some(rest) = self.begin_if_compressed(opcode, Rsv::NONE, payload)? {
            return self.send_all(rest);
        }
        if self.pending() + MAX_HEADER + payload.len() <= self.write_buffer() {
            return self.append(true, Rsv::NONE, opcode, payload);
        }
        let rest = self.begin_checked(true, Rsv::NONE, opcode, payload)?;
        self.send_all(rest)
    }

    pub(crate) fn begin_frame<'p>(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Rest<'p>, Error> {
        if opcode == Opcode::Close {
            let rest = self.begin_checked(fin, rsv, opcode, payload)?;
            Closed::send(&mut self.closed, Close::of(payload));
            return Ok(rest);
        }
        if !opcode.is_control() {
            self.check_no_stream()?;
        }
        self.begin_checked(fin, rsv, opcode, payload)
    }

    /// Takes a Close frame into the write buffer.
    pub(crate) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        let rest = self.begin_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())?;
        debug_assert!(rest.is_nothing(), "a control frame is taken whole");
        Ok(())
    }

    pub(crate) fn begin_prepared<'p>(
        &mut self,
        message: &'p PreparedMessage,
    ) -> Result<Rest<'p>, Error> {
        let (opcode, payload) = (message.opcode(), message.payload());
        if self.sender.encoder().masks() {
            return self.begin_message(opcode, Rsv::NONE, payload);
        }
        self.check_message(opcode)?;
        self.make_room(0)?;
        #[cfg(feature = "deflate")]
        if self.sender.compresses(payload.len())
            && let Some(deflater) = self.sender.deflater_mut()
        {
            if deflater.keeps_context() {
                return self.begin_message(opcode, Rsv::NONE, payload);
            }
            let frame = message.compressed(deflater);
            return self.begin_made(opcode, frame.unwrap_or(message.frame()));
        }
        self.begin_made(opcode, message.frame())
    }

    /// Writes what was begun, and keeps what the stream does not take now.
    pub(crate) fn send_all(&mut self, mut rest: Rest<'_>) -> Result<(), Error> {
        match self.send_rest(&mut rest) {
            Err(error) if error.is_would_block() => self.keep_rest(&mut rest),
            result => result,
        }
    }

    /// Writes what is left of a frame. After `WouldBlock` less may be left.
    pub(crate) fn send_rest(&mut self, rest: &mut Rest<'_>) -> Result<(), Error> {
        self.check_failed()?;
        match rest {
            Rest::Nothing => return Ok(()),
            Rest::Plain(payload) => self.write_out(payload)?,
            Rest::Masked {
                header,
                payload,
                done,
            } => {
                // The header goes with the first of it.
                if *done > 0 {
                    self.write_out(&mut &[][..])?;
                }
                // As much as the write buffer holds is masked for each write.
                for chunk in payload[*done..].chunks(self.write_buffer().max(self.chunk_size())) {
                    self.reserve(chunk.len());
                    append_payload(header, chunk, *done as u64, &mut self.output);
                    *done += chunk.len();
                    self.write_out(&mut &[][..])?;
                }
            }
            #[cfg(feature = "deflate")]
            Rest::Compressed { opcode, payload } => loop {
                self.write_out(&mut &[][..])?;
                if self.append_compressed(*opcode, payload, self.most_kept())? {
                    break;
                }
            },
        }
        *rest = Rest::Nothing;
        self.in_frame = None;
        Ok(())
    }

    /// Takes what is left of a frame into the write buffer, however much that is.
    #[cfg_attr(not(feature = "deflate"), expect(clippy::unnecessary_wraps))]
    pub(crate) fn keep_rest(&mut self, rest: &mut Rest<'_>) -> Result<(), Error> {
        let rest = std::mem::take(rest);
        if rest.is_nothing() || self.failed.is_some() {
            return Ok(());
        }
        self.in_frame = None;
        match rest {
            Rest::Nothing => {}
            Rest::Plain(payload) => self.keep(payload),
            Rest::Masked {
                header,
                payload,
                done,
            } => append_payload(&header, &payload[done..], done as u64, &mut self.output),
            #[cfg(feature = "deflate")]
            Rest::Compressed {
                opcode,
                mut payload,
            } => while !self.append_compressed(opcode, &mut payload, usize::MAX)? {},
        }
        Ok(())
    }

    /// Begins a frame that the checks of the call let pass.
    fn begin_checked<'p>(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Rest<'p>, Error> {
        self.make_room(payload.len().min(self.chunk_size()))?;
        if payload.len() <= self.chunk_size() || opcode.is_control() {
            self.append(fin, rsv, opcode, payload)?;
            return Ok(Rest::Nothing);
        }
        let header = self.encode(fin, rsv, opcode, payload)?;
        self.reserve(MAX_HEADER + self.chunk_size());
        append_frame(&header, &[], &mut self.output);
        self.in_frame = Some(opcode);
        Ok(match header.mask() {
            None => Rest::Plain(payload),
            Some(_) => Rest::Masked {
                header,
                payload,
                done: 0,
            },
        })
    }

    /// Begins a message that is a frame already.
    fn begin_made<'p>(&mut self, opcode: Opcode, frame: &'p [u8]) -> Result<Rest<'p>, Error> {
        let made = self.sender.encoder_mut().made_message(opcode);
        made.map_err(|error| self.send_error(error))?;
        if self.may_wait() && self.pending() + frame.len() <= self.write_buffer() {
            self.reserve(frame.len());
            self.output.extend_from_slice(frame);
            return Ok(Rest::Nothing);
        }
        self.in_frame = Some(opcode);
        Ok(Rest::Plain(frame))
    }

    fn append(&mut self, fin: bool, rsv: Rsv, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        let header = self.encode(fin, rsv, opcode, payload)?;
        self.reserve(MAX_HEADER + payload.len());
        append_frame(&header, payload, &mut self.output);
        Ok(())
    }

    /// Makes sure that a frame can be taken: what stalled before has to go first, and what waits
    /// has to leave room for `len` bytes of payload.
    pub(crate) fn make_room(&mut self, len: usize) -> Result<(), Error> {
        self.check_open()?;
        if self.in_frame.is_some() {
            return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
        }
        let needed = self.pending() + MAX_HEADER + len;
        if self.stalled || self.pending() > 0 && needed > self.write_buffer() {
            self.write_out(&mut &[][..])?;
        }
        self.write_reply();
        Ok(())
    }
}

/// The payload of a Close frame.
pub(crate) fn close_payload(code: CloseCode, reason: &str) -> Result<ControlPayload, Error> {
    let payload = ControlPayload::close(code, reason);
    Ok(payload.ok_or_else(|| close_error(code, reason))?)
}
