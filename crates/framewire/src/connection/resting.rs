//! The memory that a reader has while it needs it, and when it gives that back.

use super::inbound::Inbound;
use crate::protocol::Owner;

impl Inbound {
    /// Has a buffer to read into.
    pub(super) fn take_buffer(&mut self) {
        if self.buffer.len() < self.cold.read_buffer {
            self.buffer = self.cold.buffers.take_to_read(self.cold.read_buffer);
            if self.receiver.owner() == Owner::Whole {
                self.take_message_memory();
            }
        }
    }

    /// Has memory for a message that may have to be assembled, where some lies idle.
    pub(super) fn take_message_memory(&mut self) {
        if !self.message.has_memory() {
            // No more than a message of this connection could have taken.
            let most = self.cold.limits.message.saturating_mul(2);
            self.message.lend(self.cold.buffers.take_message(most));
        }
    }

    /// A read has to wait: memory that nothing is held in is not needed meanwhile.
    pub(super) fn record_wait(&mut self) {
        if self.cold.buffers.are_pooled() {
            self.give_message_memory();
        } else if self.is_at_rest() {
            self.unused = self.unused.saturating_add(REST / 2);
            self.record_use(false);
        }
    }

    /// Gives the memory of the assembled message back once it has not been of use for a while.
    #[inline]
    pub(super) fn record_use(&mut self, used: bool) {
        if used {
            self.unused = 0;
        } else if self.message.has_memory() {
            self.unused = self.unused.saturating_add(1);
            if self.unused >= REST {
                self.give_message_memory();
            }
        }
    }

    pub(super) fn give_message_memory(&mut self) {
        let memory = self.message.take_memory();
        self.cold.buffers.give_message(memory);
    }
}

/// After so many messages in a row that did not need the assembled message's memory, or two
/// time-outs, a connection that keeps its buffers gives it back.
const REST: u8 = 128;

#[cfg(test)]
mod tests {
    use crate::connection::inbound::Cold;

    #[test]
    fn the_cold_state_fits_beside_a_task_or_a_socket() {
        // What glibc leaves of the 128 bytes to which tokio aligns them.
        assert!(size_of::<Cold>() <= 104, "{}", size_of::<Cold>());
    }
}
