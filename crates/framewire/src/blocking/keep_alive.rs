//! The keep-alive: Pings at an interval, to find out whether the peer is still there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::Shared;
use super::timed::Timed;
use super::{KeepAliveEnd, WebSocket, WriteHalf};
use crate::drive::KeepAlivePlan;
use crate::error::Error;
use crate::halves::Call;
use crate::{Duplicate, Socket};

impl<S: Socket> WebSocket<S> {
    /// Sends a Ping each `interval` while the connection is read, the first after one interval. A read fails with
    /// [`ErrorKind::NoPong`](crate::ErrorKind::NoPong) if no Pong has answered a Ping `pong_deadline` after it was
    /// sent.
    ///
    /// Starts nothing: the Pings are sent, and their Pongs waited for, by the calls that read, while these block. A
    /// program that does not read sends none. If the stream takes nothing for `pong_deadline` while a Ping waits, or
    /// cannot be written to, that counts as a missing Pong. A Ping carries a number in eight bytes; a Pong answers that
    /// Ping and those before it (RFC 6455 5.5.3).
    ///
    /// Each read sets the stream's read time-out, to the time until something is due, or to what it was before where
    /// that is less: one more system call. The write of a Ping has `pong_deadline` as its time-out, and so do other
    /// writes while the stream takes none. A time-out that the program sets later has no effect. A stream that is not
    /// blocking must be read when a Ping is due.
    ///
    /// No Ping follows this end's Close frame: give the wait for the peer's a limit of its own, as
    /// [`shutdown`](Self::shutdown) does.
    ///
    /// Replaces an earlier setting. Ends with [`split`](Self::split): the halves have
    /// [`keep_alive`](WriteHalf::keep_alive).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an interval of 0.
    ///
    /// # Examples
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let mut websocket = framewire::connect("ws://127.0.0.1:9001/")?;
    /// websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    /// while let Some(message) = websocket.next_message()? {
    ///     println!("{:?}", message.text());
    /// }
    /// # Ok::<(), framewire::Error>(())
    /// ```
    pub fn set_keep_alive(
        &mut self,
        interval: Duration,
        pong_deadline: Duration,
    ) -> Result<(), Error> {
        let plan = KeepAlivePlan::begin(interval, pong_deadline, Instant::now())?;
        let whole = &mut self.reader.side.side;
        whole.stop_keep_alive();
        whole.keep_alive = Some(Box::new(Timed::new(plan, pong_deadline, &whole.stream)));
        Ok(())
    }

    /// Ends what [`set_keep_alive`](Self::set_keep_alive) began, and restores the stream's read time-out.
    pub fn stop_keep_alive(&mut self) {
        self.reader.side.side.stop_keep_alive();
    }
}

impl<S: Duplicate> WriteHalf<S> {
    /// Begins a keep-alive: Pings at an interval, to find out whether the peer is still there. It
    /// [runs](KeepAlive::run) on a thread of the caller's.
    ///
    /// A Ping carries a number in eight bytes. A Pong answers that Ping and those before it (RFC 6455 5.5.3).
    /// If another thread is in the middle of a write, that thread sends the Ping when it is done. The Pong is
    /// due `pong_deadline` after the Ping was sent.
    ///
    /// A stream that takes nothing blocks the Ping for as long as its write time-out: give it one. A Ping that
    /// finds no room in that time is sent when there is room.
    ///
    /// It ends with either end's Close frame: give the read that waits for the end of the connection a limit of its
    /// own.
    ///
    /// Only one keep-alive runs at a time: a second one ends the first. To end the connection to a peer that
    /// is gone, see [`abort`](Self::abort).
    ///
    /// # Examples
    /// ```no_run
    /// use framewire::KeepAliveEnd;
    /// use std::time::Duration;
    ///
    /// let (mut reading, writing) = framewire::connect("ws://127.0.0.1:9001/")?.split()?;
    /// let beat = writing.keep_alive(Duration::from_secs(30), Duration::from_secs(10));
    /// std::thread::spawn(move || match beat.run() {
    ///     KeepAliveEnd::NoPong | KeepAliveEnd::WriteFailed(_) => writing.abort(),
    ///     _ => Ok(()),
    /// });
    /// while let Some(message) = reading.next_message()? {
    ///     println!("{:?}", message.text());
    /// }
    /// # Ok::<(), framewire::Error>(())
    /// ```
    pub fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAlive<S> {
        let shared = Arc::clone(&self.side.shared);
        let call = shared.writer().heartbeat.begin(interval, pong_deadline);
        KeepAlive { shared, call }
    }

    /// Ends the keep-alive that another thread runs or will run. Another can be begun after it.
    pub fn stop_keep_alive(&self) {
        self.side.shared.writer().heartbeat.stop();
    }
}

/// A keep-alive of a split connection, which a thread of the caller's runs. Until it has ended, the halves cannot be
/// [reunited](super::ReadHalf::reunite).
#[derive(Debug)]
#[must_use = "it does nothing before it is run"]
pub struct KeepAlive<S> {
    shared: Arc<Shared<S>>,
    call: Result<Call, KeepAliveEnd>,
}

impl<S: Duplicate> KeepAlive<S> {
    /// Sends a Ping each interval, the first one interval after the keep-alive was begun, and blocks the calling thread
    /// until there is a reason to stop. The reading half must be read from meanwhile, since it receives the Pongs.
    #[must_use = "it says whether the peer is still there"]
    pub fn run(self) -> KeepAliveEnd {
        let mut call = match self.call {
            Ok(call) => call,
            Err(end) => return end,
        };
        let writer = self.shared.writer();
        loop {
            if let Some(end) = writer.heartbeat.wait(&call) {
                return end;
            }
            let number = writer.heartbeat.next_number(&mut call);
            if let Err(error) = writer.queue_ping(number) {
                writer.heartbeat.fail(error);
            }
        }
    }
}
