//! The functions that turn a stream into a connection, with the opening handshake.

#[cfg(feature = "tokio-net")]
use super::Stream;
use super::{Config, WebSocket, handshake};
use crate::error::Error;
use crate::handshake::{Acceptor, Connector, Established, Parts};
use tokio::io::{AsyncRead, AsyncWrite};

/// Accepts a WebSocket connection, with the defaults of [`Acceptor`] and [`Config`]: reads the request, answers it,
/// and takes over the stream. A page of another origin is refused.
///
/// Waits for 10 seconds at most, and sets `TCP_NODELAY` as [`accept_with`] does.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), after the refusal was sent.
///
/// # Cancel safety
/// Cancelled, it drops the stream: see [`handshake`](handshake#cancel-safety).
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
) -> Result<WebSocket<S>, Error> {
    accept_with(stream, &Acceptor::new(), Config::default()).await
}

/// Accepts a WebSocket connection, as [`accept`] does. To inspect the request first, use [`handshake::receive`] and
/// [`WebSocket::from_established`].
///
/// Waits for the time that the acceptor's limits allow, 10 seconds by default. With the feature `tokio-net` it
/// sets `TCP_NODELAY` on tokio's own TCP streams, with TLS too: see [`Acceptor::nodelay`]. On a stream that
/// wraps one (a `BufStream`, a type of the program's) the program must set it.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), after the refusal was sent, and
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
///
/// # Cancel safety
/// Cancelled, it drops the stream: see [`handshake`](handshake#cancel-safety).
pub async fn accept_with<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    acceptor: &Acceptor,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    let established = handshake::accept(stream, acceptor).await?;
    WebSocket::from_established(established, config)
}

/// Connects to a `ws` or `wss` URI, with the defaults of [`Connector`] and [`Config`].
///
/// Waits for 10 seconds at most, for names, addresses, TLS and the handshake together.
/// [`dial`](super::upgrade::dial) tells how it connects.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), which holds what failed, or the server's refusal.
///
/// # Cancel safety
/// Cancelled, it closes the connection that it has made.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), framewire::Error> {
/// let mut websocket = framewire::tokio::connect("ws://127.0.0.1:9001/").await?;
/// websocket.write("hello").await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "tokio-net")]
pub async fn connect(uri: &str) -> Result<WebSocket<Stream>, Error> {
    connect_with(uri, &Connector::new(), Config::default()).await
}

/// Connects to a `ws` or `wss` URI.
///
/// Waits for the time that the connector's limits allow, as [`handshake::connect`] does.
///
/// # Errors
/// As [`connect`], and [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
///
/// # Cancel safety
/// As [`connect`].
#[cfg(feature = "tokio-net")]
pub async fn connect_with(
    uri: &str,
    connector: &Connector,
    config: Config,
) -> Result<WebSocket<Stream>, Error> {
    config.check()?;
    let established = handshake::connect(uri, connector).await?;
    WebSocket::from_established(established, config)
}

/// Does a client's handshake for `uri` (`ws://host:port/path`) over a stream that the program has connected to
/// the server, with the defaults of [`Connector`] and [`Config`].
///
/// Waits for 10 seconds at most, and sets `TCP_NODELAY` as [`connect_stream_with`] does.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), which holds the server's refusal.
///
/// # Cancel safety
/// Cancelled, it drops the stream: see [`handshake`](handshake#cancel-safety).
pub async fn connect_stream<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    uri: &str,
) -> Result<WebSocket<S>, Error> {
    connect_stream_with(stream, uri, &Connector::new(), Config::default()).await
}

/// Does a client's handshake over a stream, as [`connect_stream`] does.
///
/// Waits for the time that the connector's limits allow, 10 seconds by default. With the feature `tokio-net` it
/// sets `TCP_NODELAY` on tokio's own TCP streams, with TLS too: see [`Connector::nodelay`]. On a stream that
/// wraps one (a `BufStream`, a type of the program's) the program must set it.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), which holds the server's refusal, and
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
///
/// # Cancel safety
/// Cancelled, it drops the stream: see [`handshake`](handshake#cancel-safety).
pub async fn connect_stream_with<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    uri: &str,
    connector: &Connector,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    let established = handshake::connect_stream(stream, uri, connector).await?;
    WebSocket::from_established(established, config)
}

impl<S> WebSocket<S> {
    /// Creates a connection over a stream on which the handshake is done, with the bytes that came after it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn from_established(established: Established<S>, config: Config) -> Result<Self, Error> {
        let Parts {
            stream,
            leftover,
            role,
            extension,
            subprotocol,
            ..
        } = established.into_parts();
        let mut websocket = Self::with_leftover(stream, &leftover, role, config)?;
        if let Some(agreed) = extension {
            websocket.set_extension(&*agreed);
        }
        websocket.set_subprotocol(subprotocol);
        Ok(websocket)
    }
}
