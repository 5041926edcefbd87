//! The keep-alive: Pings at an interval, to find out whether the peer is still there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use super::timed::Timed;
use super::{WebSocket, WriteHalf};
use crate::deadline::after;
use crate::drive::{KeepAlivePlan, NextBeat};
use crate::error::Error;
use crate::halves::{Call, KeepAliveEnd};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Sends a Ping each `interval` while the connection is read, the first after one interval. A read fails with
    /// [`ErrorKind::NoPong`](crate::ErrorKind::NoPong) if no Pong has answered a Ping `pong_deadline` after it was
    /// sent.
    ///
    /// Starts nothing: the Pings are sent, and their Pongs waited for, by the calls that read, while these wait. A
    /// program that does not read sends none. If the stream takes nothing for `pong_deadline` while a Ping waits, or
    /// cannot be written to, that counts as a missing Pong. A Ping carries a number in eight bytes; a Pong answers
    /// that Ping and those before it (RFC 6455 5.5.3).
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
    /// # Panics
    /// A read that has to wait panics outside of a runtime with its timer enabled, as `tokio::time` does.
    ///
    /// # Memory
    /// Two allocations, and one for the list of the Pings that have no Pong yet, of 64 at most.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), framewire::Error> {
    /// use std::time::Duration;
    ///
    /// let mut websocket = framewire::tokio::accept(stream).await?;
    /// websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    /// while let Some((message, writer)) = websocket.next_message_and_writer().await? {
    ///     writer.feed(message).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_keep_alive(
        &mut self,
        interval: Duration,
        pong_deadline: Duration,
    ) -> Result<(), Error> {
        let plan = KeepAlivePlan::begin(interval, pong_deadline, Instant::now().into_std())?;
        self.reader.side.side.keep_alive = Some(Box::new(Timed::new(plan)));
        Ok(())
    }

    /// Ends what [`set_keep_alive`](Self::set_keep_alive) began.
    pub fn stop_keep_alive(&mut self) {
        self.reader.side.side.keep_alive = None;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one interval, until there is a reason to stop. Await it in
    /// `select!` or `join!` beside the code that reads, or spawn it: it owns what it needs. The reading half must be
    /// read from meanwhile, since it receives the Pongs.
    ///
    /// A Ping carries a number in eight bytes. A Pong answers that Ping and those before it (RFC 6455 5.5.3),
    /// and is due `pong_deadline` after the Ping was taken. A Ping waits while the stream is stalled or another
    /// task is in the middle of a frame. If the stream takes nothing at all for `pong_deadline` meanwhile, that
    /// counts as a missing Pong.
    ///
    /// It ends with either end's Close frame: give the read that waits for the end of the connection a limit of its
    /// own.
    ///
    /// Only one keep-alive runs at a time: a second call stops the first. To end the connection to a peer that
    /// is gone, see [`abort`](Self::abort). Until it is dropped, the halves cannot be
    /// [reunited](super::ReadHalf::reunite).
    ///
    /// # Panics
    /// Outside of a runtime with its timer enabled, as `tokio::time` does.
    ///
    /// # Cancel safety
    /// Cancelled, no Ping is sent any more, except one that already waits.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn run(websocket: framewire::tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), framewire::Error> {
    /// use framewire::KeepAliveEnd;
    /// use std::time::Duration;
    ///
    /// let (mut reading, writing) = websocket.split();
    /// let beat = writing.keep_alive(Duration::from_secs(30), Duration::from_secs(10));
    /// tokio::spawn(async move {
    ///     if let KeepAliveEnd::NoPong | KeepAliveEnd::WriteFailed(_) = beat.await {
    ///         writing.abort();
    ///     }
    /// });
    /// while let Some(message) = reading.next_message().await? {
    ///     println!("{:?}", message.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "a future does nothing before it is awaited, and says whether the peer is still there"]
    pub fn keep_alive(
        &self,
        interval: Duration,
        pong_deadline: Duration,
    ) -> impl Future<Output = KeepAliveEnd> + use<S> {
        let shared = Arc::clone(&self.side.shared);
        let call = shared.writer().heartbeat.begin(interval, pong_deadline);
        async move {
            match call {
                Ok(call) => run(&shared, call, pong_deadline).await,
                Err(end) => end,
            }
        }
    }

    /// Ends the [`keep_alive`](Self::keep_alive) that runs. Another can be begun after it.
    pub fn stop_keep_alive(&self) {
        self.side.shared.writer().heartbeat.stop();
    }
}

/// Runs a keep-alive to its end.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared<S>,
    mut call: Call,
    pong_deadline: Duration,
) -> KeepAliveEnd {
    let writer = shared.writer();
    let heartbeat = &writer.heartbeat;
    // When a Ping began to wait, and how many writes the stream had accepted by then.
    let mut waiting = None;
    let mut timer = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            match heartbeat.next(&call, cx.waker()) {
                NextBeat::End(end) => return Poll::Ready(end),
                NextBeat::Ping => {
                    let number = heartbeat.next_number(&mut call);
                    match writer.queue_ping(number) {
                        Ok(()) => waiting = None,
                        Err(error) if error.is_would_block() => {
                            waiting.get_or_insert((Instant::now(), shared.accepted_writes()));
                        }
                        Err(error) => heartbeat.fail(error),
                    }
                }
                NextBeat::Wait(mut until) => {
                    waiting = waiting.filter(|&(_, writes)| writes == shared.accepted_writes());
                    if let Some((since, _)) = waiting {
                        let deadline = after(since.into_std(), pong_deadline);
                        if Instant::now().into_std() >= deadline {
                            return Poll::Ready(KeepAliveEnd::NoPong);
                        }
                        until = until.min(deadline);
                    }
                    timer.as_mut().reset(Instant::from_std(until));
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await
}
