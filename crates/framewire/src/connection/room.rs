//! Where bytes that are read go: the read buffer, the memory of a long message, or the caller's buffer.

use std::ops::Range;

use super::inbound::{Found, Inbound};
use super::replies::Replies;
use crate::error::Error;
use crate::protocol::Owner;

impl Inbound {
    /// Returns where to read to once a step needs bytes: the memory of the message where the rest of its frame is
    /// long, otherwise the read buffer. Never empty.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.reads_into_message() {
            self.take_message_memory();
            let remaining = self.receiver.decoder().remaining();
            return self.message.room(remaining, self.cold.read_buffer);
        }
        self.read_buffer()
    }

    /// Returns where to read to while earlier bytes are not used up: behind them.
    pub(super) fn room_behind(&mut self, found: Option<&mut Found>) -> &mut [u8] {
        self.compact(found.and_then(|found| found.place.as_mut()));
        let start = self.unread.end;
        let end = start + self.cold.read_buffer;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[start..end]
    }

    /// Moves what is held in the read buffer to its front, once that is no more than what was used up before it: each
    /// byte is moved once at most, and the buffer does not grow while what it holds does not.
    fn compact(&mut self, found: Option<&mut Range<usize>>) {
        let encoded = self.cold.encoded.as_mut().map(|piece| &mut piece.place);
        let end = self.unread.end;
        let held = [Some(&mut self.unread), found, encoded];
        let used = held.iter().flatten().map(|place| place.start).min();
        let used = used.unwrap_or(end);
        if used < end - used || used == 0 {
            return;
        }
        self.buffer.copy_within(used..end, 0);
        for place in held.into_iter().flatten() {
            *place = place.start - used..place.end - used;
        }
    }

    /// Records that `len` bytes were read into the room [behind](Self::room_behind) earlier ones.
    pub(super) fn filled_behind(&mut self, len: usize) {
        self.unread.end += len;
    }

    /// Returns whether all that was read is used up or is part of an unfinished message.
    pub(super) fn is_used_up(&self) -> bool {
        self.unread.is_empty() && self.cold.arrived.is_none() && self.cold.encoded.is_none()
    }

    /// Returns whether a message that was read into its own memory is whole.
    pub(super) fn has_arrived(&self) -> bool {
        self.cold.arrived.is_some()
    }

    /// Returns where to read bytes that will be discarded.
    pub(crate) fn room_to_forget(&mut self) -> &mut [u8] {
        self.read_buffer()
    }

    fn read_buffer(&mut self) -> &mut [u8] {
        self.unread = 0..0;
        self.take_buffer();
        &mut self.buffer[..self.cold.read_buffer]
    }

    /// Records that `len` bytes, not 0, were read into the [`room`](Self::room).
    pub(crate) fn filled(&mut self, len: usize, replies: &mut dyn Replies) -> Result<(), Error> {
        if !self.reads_into_message() {
            self.unread = 0..len;
            return Ok(());
        }
        match self.receiver.received(len, &mut self.message) {
            Ok(None) => {}
            Ok(arrived) => {
                self.record_use(true);
                self.cold.arrived = arrived;
            }
            Err(violation) => return Err(self.fail(violation, replies)),
        }
        Ok(())
    }

    fn reads_into_message(&self) -> bool {
        let decoder = self.receiver.decoder();
        self.receiver.owner() == Owner::Whole
            && self.is_in_data_frame()
            && decoder.remaining() >= self.cold.read_buffer as u64
            && !self.receiver.is_encoded(decoder.message_rsv())
    }

    /// Returns how many bytes of a streamed message can be read straight into the caller's buffer, once a step needs
    /// bytes. `None` where they are too few to bypass the read buffer, or have to be transformed back.
    pub(crate) fn direct(&self, room: usize) -> Option<usize> {
        let decoder = self.receiver.decoder();
        if self.receiver.is_encoded(decoder.message_rsv()) {
            return None;
        }
        self.direct_of_frame(room)
    }

    /// As [`direct`](Self::direct), for a frame that is read as it was sent.
    pub(crate) fn direct_of_frame(&self, room: usize) -> Option<usize> {
        let remaining = self.receiver.decoder().remaining();
        let most = usize::try_from(remaining).map_or(room, |remaining| remaining.min(room));
        let is_direct =
            self.is_in_data_frame() && self.message.is_empty() && most >= self.cold.read_buffer;
        is_direct.then_some(most)
    }

    /// Records what was read [straight](Self::direct) into the caller's buffer, and unmasks it there.
    pub(crate) fn filled_direct(
        &mut self,
        payload: &mut [u8],
        replies: &mut dyn Replies,
    ) -> Result<(), Error> {
        match self.receiver.raw_payload(payload) {
            Ok(_) => Ok(()),
            Err(violation) => Err(self.fail(violation, replies)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Outbound};
    use crate::pool::Buffers;
    use crate::protocol::{Encoder, Limits, Receiver, Role, Sender};

    /// A client that reads 1000 bytes at a time and has read these.
    fn client(read: &[u8]) -> Inbound {
        let receiver = Receiver::new(Role::Client, Limits::default());
        let config = Config::default().read_buffer(1000);
        Inbound::new(receiver, &config, read, Buffers::Kept)
    }

    #[test]
    fn what_is_held_is_moved_to_the_front_once_no_less_was_used_up_before_it() {
        let read: Vec<_> = (0..100).collect();
        for (used, start) in [(0, 0), (49, 49), (50, 0), (51, 0)] {
            let mut inbound = client(&read);
            inbound.unread.start = used;
            assert_eq!(inbound.room_behind(None).len(), 1000);
            assert_eq!(inbound.unread.start, start);
            assert_eq!(inbound.buffer[inbound.unread.clone()], read[used..]);
        }
    }

    #[test]
    fn a_long_payload_goes_straight_to_the_caller_where_that_has_room_for_a_step() {
        let sender = Sender::new(Encoder::server());
        let mut outbound = Outbound::new(sender, &Config::default(), Buffers::Kept);
        // RFC 6455 5.2: the headers of binary messages of 5000 and 999 bytes.
        for (header, cases) in [
            (
                [0x82, 126, 0x13, 0x88],
                [(999, None), (1000, Some(1000)), (9000, Some(5000))],
            ),
            (
                [0x82, 126, 0x03, 0xE7],
                [(999, None), (1000, None), (9000, None)],
            ),
        ] {
            let mut streamed = client(&header);
            streamed.begin_stream(&mut outbound).unwrap();
            let mut frame = client(&header);
            frame.read_header(&mut outbound).unwrap();
            for (room, most) in cases {
                assert_eq!(streamed.direct(room), most);
                assert_eq!(frame.direct_of_frame(room), most);
            }
        }
    }

    #[test]
    fn bytes_that_are_discarded_are_read_in_steps_of_the_read_buffer() {
        assert_eq!(client(&[]).room_to_forget().len(), 1000);
    }
}
