//! The keep-alive: Pings at an interval, to find out whether the peer is still there.

use std::time::Duration;

use super::{KeepAliveEnd, WriteHalf};
use crate::Duplicate;

impl<S: Duplicate> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one interval, and blocks the calling thread until there is
    /// a reason to stop. The reading half must be read from meanwhile, since it receives the Pongs.
    ///
    /// A Ping carries a number in eight bytes. A Pong answers that Ping and those before it (RFC 6455 5.5.3).
    /// If another thread is in the middle of a write, that thread sends the Ping when it is done. The Pong is
    /// due `pong_deadline` after the Ping was sent.
    ///
    /// A stream that takes nothing blocks the Ping for as long as its write time-out: give it one. A Ping that
    /// finds no room in that time is sent when there is room.
    ///
    /// Only one keep-alive runs at a time: a second call stops the first. To end the connection to a peer that
    /// is gone, see [`abort`](Self::abort).
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

    /// Ends the [`keep_alive`](Self::keep_alive) that another thread runs, and any later one.
    pub fn stop_keep_alive(&self) {
        self.shared().writer().heartbeat.stop();
    }
}
