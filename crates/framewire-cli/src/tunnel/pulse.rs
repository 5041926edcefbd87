//! The heartbeat of one tunnel: Pings, and whether the other end is still heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use framewire::PingReply;
use framewire::tokio::{ReadHalf, Stream, WriteHalf};
use tokio::time::{sleep, timeout};

/// Whether anything has come from the other end.
///
/// Anything counts, not the Pong to each Ping alone. An end whose TCP side takes nothing reads nothing, so that a Ping
/// waits behind the data and is not answered. But that end goes on sending its own Pings, and these are heard. While
/// the TCP side of this end takes nothing, this end does not read, and what it does not hear means nothing.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    heard: AtomicBool,
    /// Whether this end reads nothing for now.
    deaf: AtomicBool,
}

impl Pulse {
    /// Creates the pulse of a connection, which counts Pings and Pongs. What else comes is [`hear`](Self::hear)d.
    pub(super) fn of(reader: &mut ReadHalf<Stream>) -> Arc<Self> {
        let pulse = Arc::new(Self::default());
        let pinged = Arc::clone(&pulse);
        reader.on_ping(move |_| {
            pinged.hear();
            PingReply::Pong
        });
        let answered = Arc::clone(&pulse);
        reader.on_pong(move |_| answered.hear());
        pulse
    }

    /// Records that something has come.
    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Waits for `future`, during which this end reads nothing.
    pub(super) async fn deaf<T>(&self, future: impl Future<Output = T>) -> T {
        self.deaf.store(true, Ordering::Relaxed);
        let result = future.await;
        // What has come meanwhile is still to be read.
        self.hear();
        self.deaf.store(false, Ordering::Relaxed);
        result
    }

    /// Returns whether this end reads nothing for now.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Sends a Ping each `interval`, the first after one, and returns once nothing was heard for two of them.
    pub(super) async fn until_silence(&self, mut writer: WriteHalf<Stream>, interval: Duration) {
        let mut missed = false;
        sleep(interval).await;
        loop {
            // It cannot be sent behind data that the other end does not take, nor while the connection is ending.
            let ping = timeout(interval, writer.ping(b""));
            let _ = tokio::join!(ping, sleep(interval));
            let is_silent = !self.heard.swap(false, Ordering::Relaxed) && !self.is_deaf();
            if is_silent && missed {
                return;
            }
            missed = is_silent;
        }
    }
}
