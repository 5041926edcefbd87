//! One tunnel that is open: bytes in both directions, and how they end.
//!
//! Each direction reads again only when what it has read was taken. So neither end holds more than a few buffers of
//! fixed size, and a side that takes nothing stops the other.
//!
//! # How a direction ends
//! Between two ends that speak the subprotocol, an empty text message stands for the end of the TCP stream. The other
//! direction goes on until it ends in the same way. Then both ends close with 1000.
//!
//! With any other peer, the end of the TCP stream is a Close frame with 1000 (RFC 6455 5.5.1: no data may follow it).
//! What the peer sends before it answers is still carried, until no data come for the
//! close timeout. A Close frame of the
//! peer ends both directions.
//!
//! A tunnel that ends in any other way resets the TCP connection, as bytes may be missing.

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use framewire::tokio::{ReadHalf, Stream, WebSocket, WriteHalf};
use framewire::{CHUNK_SIZE_STREAMING, CloseCode, Config, Error, ErrorKind, Opcode, Outgoing};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::end::End;
use super::pulse::Pulse;
use super::stop::Stop;
use crate::serve::{GRACE, LINGER, reset_on_close};

/// Carries bytes between the two connections until both are ended.
pub(super) async fn carry(
    mut tcp: TcpStream,
    websocket: WebSocket<Stream>,
    patience: Patience,
    mut stop: Stop,
) -> Carried {
    set_options(&tcp, patience);
    let ends_apart = websocket.subprotocol() == Some(SUBPROTOCOL);
    let (mut reader, writer) = websocket.split();
    let pulse = Pulse::of(&mut reader);
    let tunnel = Tunnel {
        ends_apart,
        patience,
        pulse: Arc::clone(&pulse),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        all_sent: Notify::new(),
    };
    let (mut from_tcp, mut to_tcp) = tcp.split();
    let end = tokio::select! {
        end = tunnel.receive(&mut reader, &mut to_tcp) => end,
        end = tunnel.send(&mut from_tcp, writer.clone()) => end,
        end = silence(&pulse, writer.clone(), patience.ping_interval) => end,
        () = stop.wait() => End::Stopped,
    };
    finish(&end, tcp, reader, writer).await;
    Carried {
        sent: tunnel.sent.into_inner(),
        received: tunnel.received.into_inner(),
        end,
    }
}

/// For how long the two sides of a tunnel are waited for; `None` is for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) ping_interval: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    /// How long a peer that does not speak the subprotocol may send no data before it answers a Close frame.
    pub(super) close_timeout: Duration,
}

/// What came of a tunnel, for the log.
#[derive(Debug)]
pub(super) struct Carried {
    sent: u64,
    received: u64,
    end: End,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            received,
            end,
        } = self;
        write!(f, "{end}; {sent} bytes from tcp, {received} bytes to tcp")
    }
}

/// What the two directions of one tunnel share.
struct Tunnel {
    /// Whether the peer speaks the subprotocol.
    ends_apart: bool,
    patience: Patience,
    pulse: Arc<Pulse>,
    /// Bytes from TCP to the WebSocket connection.
    sent: AtomicU64,
    /// Bytes from the WebSocket connection to TCP.
    received: AtomicU64,
    /// Notified when the end of the TCP stream was told to a peer that speaks the subprotocol.
    all_sent: Notify,
}

impl Tunnel {
    /// Sends what comes from TCP. Returns only where the tunnel has ended.
    async fn send(&self, tcp: &mut tcp::ReadHalf<'_>, mut writer: WriteHalf<Stream>) -> End {
        let mut buf = vec![0; AT_ONCE];
        loop {
            let len = match tcp.read(&mut buf).await {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) => return End::Tcp(error),
            };
            self.sent.fetch_add(len as u64, Ordering::Relaxed);
            if let Err(end) = self.pass(&mut writer, Outgoing::binary(&buf[..len])).await {
                return end;
            }
        }
        drop(buf);
        if !self.ends_apart {
            if let Err(end) = self.tell_end(&mut writer).await {
                return end;
            }
            return self.unanswered().await;
        }
        if let Err(end) = self.pass(&mut writer, Outgoing::text("")).await {
            return end;
        }
        self.all_sent.notify_one();
        pending().await
    }

    /// Sends the Close frame that stands for the end of the TCP stream, unless the peer has just closed.
    async fn tell_end(&self, writer: &mut WriteHalf<Stream>) -> Result<(), End> {
        let closing = writer.close(CloseCode::NORMAL, "");
        let Some(limit) = self.patience.write_timeout else {
            return closing.await.or(Ok(()));
        };
        let closed = timeout(limit, closing).await;
        closed.map_or(Err(End::PeerStalled(limit)), |_| Ok(()))
    }

    /// Waits until no data have come for some time from a peer that was sent a Close frame.
    async fn unanswered(&self) -> End {
        let time = self.patience.close_timeout;
        loop {
            let before = self.received.load(Ordering::Relaxed);
            sleep(time).await;
            let has_come = self.received.load(Ordering::Relaxed) != before;
            if !has_come && !self.pulse.is_deaf() {
                return End::Unanswered(time);
            }
        }
    }

    /// Sends a message and waits until the stream has taken it.
    async fn pass(&self, writer: &mut WriteHalf<Stream>, message: Outgoing<'_>) -> Result<(), End> {
        let Some(limit) = self.patience.write_timeout else {
            return or_received(writer.write(message).await).await;
        };
        let Ok(fed) = timeout(limit, writer.feed(message)).await else {
            return Err(End::PeerStalled(limit));
        };
        or_received(fed).await?;
        let mut waiting = usize::MAX;
        loop {
            if let Ok(flushed) = timeout(limit, writer.flush()).await {
                return or_received(flushed).await;
            }
            if writer.buffered() >= waiting {
                return Err(End::PeerStalled(limit));
            }
            waiting = writer.buffered();
        }
    }

    /// Passes on to TCP what the peer sends. Returns only where the tunnel has ended.
    async fn receive(&self, reader: &mut ReadHalf<Stream>, tcp: &mut tcp::WriteHalf<'_>) -> End {
        match self.receive_all(reader, tcp).await {
            Ok(()) => End::Both,
            Err(end) => end,
        }
    }

    async fn receive_all(
        &self,
        reader: &mut ReadHalf<Stream>,
        tcp: &mut tcp::WriteHalf<'_>,
    ) -> Result<(), End> {
        let mut buf = vec![0; AT_ONCE];
        let mut has_ended = false;
        loop {
            // A read that is dropped has lost nothing.
            let begun = tokio::select! {
                biased;
                () = self.all_sent.notified(), if has_ended => return Ok(()),
                begun = reader.message_reader() => begun.map_err(End::WebSocket)?,
            };
            let Some(message) = begun else {
                break;
            };
            self.pulse.hear();
            if has_ended {
                return Err(End::TooMuch);
            }
            let is_text = message.opcode() == Opcode::Text;
            if is_text && !self.ends_apart {
                return Err(End::Text);
            }
            self.receive_message(message, is_text, tcp, &mut buf)
                .await?;
            if is_text {
                has_ended = true;
                end_stream(tcp).await;
            }
        }
        let closed = reader.closed();
        let closed = closed.ok_or_else(|| End::WebSocket(ErrorKind::ConnectionLost.into()))?;
        let end = End::Closed(closed);
        if end.is_clean() && !has_ended {
            end_stream(tcp).await;
        }
        Err(end)
    }

    /// Passes on the bytes of one message, as they come. A text has to be empty.
    async fn receive_message(
        &self,
        mut message: impl AsyncRead + Unpin,
        is_text: bool,
        tcp: &mut tcp::WriteHalf<'_>,
        buf: &mut [u8],
    ) -> Result<(), End> {
        loop {
            let len = message.read(buf).await.map_err(of_message)?;
            self.pulse.hear();
            match len {
                0 => return Ok(()),
                _ if is_text => return Err(End::Text),
                len => self.put(tcp, &buf[..len]).await?,
            }
        }
    }

    /// Writes to TCP, for as long as it takes something in time.
    async fn put(&self, tcp: &mut tcp::WriteHalf<'_>, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            let write = self.pulse.deaf(tcp.write(bytes));
            let written = match self.patience.write_timeout {
                Some(limit) => {
                    let written = timeout(limit, write).await;
                    written.map_err(|_| End::TcpStalled(limit))?
                }
                None => write.await,
            };
            let len = written.map_err(End::Tcp)?;
            self.received.fetch_add(len as u64, Ordering::Relaxed);
            bytes = &bytes[len..];
        }
        Ok(())
    }
}

/// Goes on after a write that worked. One that failed is left to the reading direction, which first passes on what the
/// peer has sent, and then knows how the connection ended.
async fn or_received(written: Result<(), Error>) -> Result<(), End> {
    match written {
        Ok(()) => Ok(()),
        Err(_) => pending().await,
    }
}

/// Returns the end of a connection whose message cannot be read on.
fn of_message(error: io::Error) -> End {
    End::WebSocket(error.downcast().unwrap_or_else(Error::from))
}

/// Tells TCP that nothing more comes.
async fn end_stream(tcp: &mut tcp::WriteHalf<'_>) {
    // It fails if the connection was reset, which the other direction finds out.
    let _ = tcp.shutdown().await;
}

/// Returns when the peer is not heard any more.
async fn silence(pulse: &Pulse, writer: WriteHalf<Stream>, interval: Option<Duration>) -> End {
    let Some(interval) = interval else {
        return pending().await;
    };
    pulse.until_silence(writer, interval).await;
    End::Silent(interval)
}

/// Ends both connections.
async fn finish(end: &End, tcp: TcpStream, reader: ReadHalf<Stream>, writer: WriteHalf<Stream>) {
    if !end.is_clean() {
        reset_on_close(&tcp);
        drop(tcp);
        close(end, reader, writer).await;
    } else if matches!(end, End::Closed(_)) {
        tokio::join!(drain(tcp), close(end, reader, writer));
    } else {
        drop(tcp);
        close(end, reader, writer).await;
    }
}

/// Ends the WebSocket connection, in good order if the peer takes part in it.
async fn close(end: &End, mut reader: ReadHalf<Stream>, mut writer: WriteHalf<Stream>) {
    let is_closed = match end {
        // What was sent to it before the Close frame may still be on its way.
        End::Unanswered(_) => return,
        End::Silent(_) | End::PeerStalled(_) => false,
        _ => {
            let shaken = timeout(GRACE, shake(end, &mut reader, &mut writer)).await;
            matches!(shaken, Ok(Ok(())))
        }
    };
    if !is_closed {
        // The system would go on holding what the peer does not take.
        reader.with_stream(|stream| reset_on_close(stream.get_ref()));
    }
}

/// Does the closing handshake.
async fn shake(
    end: &End,
    reader: &mut ReadHalf<Stream>,
    writer: &mut WriteHalf<Stream>,
) -> Result<(), Error> {
    if let Some((code, reason)) = end.farewell() {
        // It fails if the peer has just closed.
        let _ = writer.close(code, reason).await;
    }
    reader.shutdown(GRACE).await.map(drop)
}

/// Reads what still comes from TCP, so that it gets what was sent last: a socket that is closed with unread input
/// resets the connection.
async fn drain(mut tcp: TcpStream) {
    let drained = async {
        let mut input = vec![0; 4 << 10];
        while tcp.read(&mut input).await? > 0 {}
        io::Result::Ok(())
    };
    // One that goes on sending is cut off.
    let _ = timeout(LINGER, drained).await;
}

/// Small pieces leave at once, and a TCP peer that is gone is found out.
fn set_options(tcp: &TcpStream, patience: Patience) {
    // They fail if the socket is gone already.
    let _ = tcp.set_nodelay(true);
    if let Some(interval) = patience.ping_interval {
        let keepalive = TcpKeepalive::new().with_time(interval.max(Duration::from_secs(1)));
        let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
    }
}

/// The subprotocol with which each direction ends by itself.
pub(super) const SUBPROTOCOL: &str = "framewire.tunnel.1";
/// How the WebSocket connection of a tunnel is configured.
pub(super) const CONFIG: Config = Config::new().chunk_size(CHUNK_SIZE_STREAMING);
/// How many bytes are read with one call, of either side.
const AT_ONCE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    const ANSWER_TIME: Duration = Duration::from_secs(10);

    fn tunnel() -> Tunnel {
        Tunnel {
            ends_apart: false,
            patience: Patience {
                ping_interval: None,
                write_timeout: None,
                close_timeout: ANSWER_TIME,
            },
            pulse: Arc::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            all_sent: Notify::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_sends_data_may_answer_the_close_later() {
        let tunnel = tunnel();
        let mut waiting = pin!(tunnel.unanswered());
        for _ in 0..5 {
            assert!(timeout(ANSWER_TIME / 2, &mut waiting).await.is_err());
            tunnel.received.fetch_add(1, Ordering::Relaxed);
        }
        let end = timeout(ANSWER_TIME * 2, waiting).await;
        assert!(matches!(end, Ok(End::Unanswered(_))), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_not_read_from_is_not_blamed() {
        let tunnel = tunnel();
        let mut waiting = pin!(tunnel.unanswered());
        let deaf = tunnel.pulse.deaf(timeout(ANSWER_TIME * 5, &mut waiting));
        assert!(deaf.await.is_err());
        let end = timeout(ANSWER_TIME * 2, waiting).await;
        assert!(matches!(end, Ok(End::Unanswered(_))), "{end:?}");
    }
}
