//! The memory that a reader holds while it needs it, and when it gives that back.

use super::inbound::Inbound;
use crate::protocol::Owner;

impl Inbound {
    /// Takes a buffer to read into, unless there is one.
    pub(super) fn take_buffer(&mut self) {
        if self.buffer.len() < self.cold.read_buffer {
            self.buffer = self.cold.buffers.take_to_read(self.cold.read_buffer);
            if self.receiver.owner() == Owner::Whole {
                self.take_message_memory();
            }
        }
    }

    /// Takes unused memory of the pool for a message that may have to be assembled.
    pub(super) fn take_message_memory(&mut self) {
        if !self.message.has_memory() {
            // More than a message of this connection could need is not taken.
            let most = self.cold.limits.message.saturating_mul(2);
            self.message.lend(self.cold.buffers.take_message(most));
        }
    }

    /// Gives back memory that holds nothing while a read has to wait.
    pub(super) fn record_wait(&mut self) {
        if self.cold.buffers.are_pooled() {
            self.give_message_memory();
        } else {
            self.unused = self.unused.saturating_add(MAX_UNUSED / 2);
            self.record_use(false);
        }
    }

    /// Records whether an event used the memory of the assembled message, and gives that back after [`MAX_UNUSED`]
    /// events that did not.
    #[inline]
    pub(super) fn record_use(&mut self, used: bool) {
        if used {
            self.unused = 0;
        } else if self.message.has_memory() {
            self.unused = self.unused.saturating_add(1);
            if self.unused >= MAX_UNUSED {
                self.give_message_memory();
            }
        }
    }

    pub(super) fn give_message_memory(&mut self) {
        let memory = self.message.take_memory();
        self.cold.buffers.give_message(memory);
    }
}

/// How many messages in a row must not need the memory of the assembled message before a connection that owns its
/// buffers gives it back. A time-out counts for half of them.
const MAX_UNUSED: u8 = 128;

#[cfg(test)]
mod tests {
    use crate::connection::cold::Cold;

    #[test]
    fn the_cold_state_fits_beside_a_task_or_a_socket() {
        // Of the 128 bytes to which tokio aligns a task, glibc leaves so many.
        assert!(size_of::<Cold>() <= 104, "{}", size_of::<Cold>());
    }
}
