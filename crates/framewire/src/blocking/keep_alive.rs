//! Whether the peer is still there.

use std::time::Duration;

use super::{KeepAliveEnd, WriteHalf};
use crate::Duplicate;

impl<S: Duplicate> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one, and blocks the calling thread until there
    /// is a reason to stop. The reading half has to be read from meanwhile, since it is what sees
    /// the Pongs.
    ///
    /// A Ping carries a number in eight bytes; a Pong answers it and those before it (RFC 6455
    /// 5.5.3). A thread that is in the middle of a write sends the Ping when it is done, and the
    /// Pong is due `pong_deadline` after that. A stream that takes nothing holds the Ping for as
    /// long as its write time-out: give it one. A Ping that finds no room in time goes when there is
    /// some.
    ///
    /// One at a time: a second call stops the first. To let go of a peer that is gone, see
    /// [`abort`](Self::abort).
    #[must_use = "it says whether the peer is still there"]
    pub fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAliveEnd {
        let writer = self.shared().writer();
        let heartbeat = &writer.heartbeat;
        let mut pulse = match heartbeat.begin(interval, pong_deadline) {
            Ok(pulse) => pulse,
            Err(end) => return end,
        };
        loop {
            if let Some(end) = heartbeat.wait(&pulse) {
                return end;
            }
            let number = heartbeat.next_number(&mut pulse);
            if let Err(error) = writer.queue_ping(number) {
                heartbeat.fail(error);
            }
        }
    }

    /// Ends the [`keep_alive`](Self::keep_alive) that another thread is in, and any later one.
    pub fn stop_keep_alive(&self) {
        self.shared().writer().heartbeat.stop();
    }
}
