//! A front end for another runtime: WebSocket over the I/O traits of `futures-io`, run here by `async-io`.
//!
//! A front end moves bytes between its stream and a [`Connection`], and waits for the stream. The connection
//! does the rest: frames, limits, replies, closing, compression. Each call here can be dropped while it waits,
//! since all state is in the connection.
//!
//! `cargo run -p framewire --example futures_io -- 127.0.0.1:9001`

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{env, io};

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use framewire::connection::{BufferPool, Connection, Outbound};
use framewire::handshake::Acceptor;
use framewire::protocol::Message;
use framewire::upgrade::{self, RequestDecoder};
use framewire::{CloseCode, Config, Error};
use futures_lite::{AsyncRead, AsyncReadExt as _, AsyncWrite, future};

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    run(TcpListener::bind(address)?, Duration::from_secs(60))
}

/// Echoes, with one task for each connection, all on this thread. A peer that sends nothing for the idle time
/// gets a Close frame.
pub(crate) fn run(listener: TcpListener, idle: Duration) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let executor = LocalExecutor::new();
    future::block_on(executor.run(async {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    // Small messages leave at once.
                    let _ = socket.get_ref().set_nodelay(true);
                    executor.spawn(echo(socket, idle)).detach();
                }
                // Too many files are open, or the peer is gone already.
                Err(_) => drop(Timer::after(PAUSE).await),
            }
        }
    }))
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    idle: Duration,
) -> Result<(), Box<dyn StdError>> {
    let (acceptor, config) = (Acceptor::new(), Config::default());
    let accepted = WebSocket::accept(stream, &acceptor, &config);
    let time = upgrade::Limits::default().time;
    let mut websocket = in_time(time, accepted).await??;
    while let Ok(next) = in_time(idle, websocket.next_message()).await {
        let (message, outbound) = next?;
        outbound.feed(message)?;
    }
    // The read that was dropped has lost nothing.
    in_time(idle, websocket.close(CloseCode::GOING_AWAY, "idle")).await??;
    Ok(())
}

async fn in_time<T>(time: Duration, job: impl Future<Output = T>) -> Result<T, TimedOut> {
    let end = async {
        Timer::after(time).await;
        Err(TimedOut)
    };
    future::or(async { Ok(job.await) }, end).await
}

#[derive(Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer took too long")
    }
}

impl StdError for TimedOut {}

/// A WebSocket connection over a stream of `futures-io`.
pub(crate) struct WebSocket<S> {
    connection: Connection,
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads a request and answers it. The application bounds the time that this may take.
    pub(crate) async fn accept(
        mut stream: S,
        acceptor: &Acceptor,
        config: &Config,
    ) -> Result<Self, Box<dyn StdError>> {
        let mut decoder = RequestDecoder::new(&upgrade::Limits::default());
        let mut input = vec![0; 4 << 10];
        let pending = loop {
            let len = stream.read(&mut input).await?;
            if len == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(pending) = acceptor.decode(&mut decoder, &input[..len])? {
                break pending;
            }
        };
        let (answer, established) = pending.into_answer();
        let pool = BufferPool::per_thread();
        let mut connection = Connection::from_established(established?, config, &pool)?;
        connection.outbound().begin_with(&answer);
        let mut websocket = Self { connection, stream };
        websocket.flush().await?;
        Ok(websocket)
    }

    /// Returns the next message, lent, and the sending side to answer it. What was fed to that is written
    /// before anything more is read.
    #[expect(clippy::expect_used, reason = "the loop ends with a message")]
    pub(crate) async fn next_message(&mut self) -> Result<(Message<'_>, &mut Outbound), Error> {
        loop {
            match self.connection.has_message() {
                Ok(true) => break,
                Ok(false) => self.flush().await?,
                Err(end) => {
                    // The reply to the end goes out before the end is reported. If it cannot be sent, the end
                    // is the same.
                    let _ = self.flush().await;
                    return Err(end);
                }
            }
            self.fill().await?;
        }
        Ok(self.connection.message().expect("it has one"))
    }

    /// Sends a Close frame, and reads to the end of the connection.
    pub(crate) async fn close(mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.connection.outbound().close(code, reason)?;
        loop {
            if let Err(error) = self.next_message().await {
                return error.closed().map(|_| ()).ok_or(error);
            }
        }
    }

    /// Writes all that waits.
    async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while let Some(bytes) = self.connection.outbound().output()? {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
            self.connection.outbound().written(written)?;
        }
        Pin::new(&mut self.stream)
            .poll_flush(cx)
            .map_err(Error::from)
    }

    /// Reads once. While it waits, the connection gives back the memory that it does not need.
    async fn fill(&mut self) -> Result<(), Error> {
        let read = poll_fn(|cx| {
            let read = Pin::new(&mut self.stream).poll_read(cx, self.connection.room());
            if read.is_pending() {
                self.connection.rest();
            }
            read
        });
        let read = read.await;
        self.connection.filled(*read.as_ref().unwrap_or(&0));
        read.map(drop).map_err(Error::from)
    }
}

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
