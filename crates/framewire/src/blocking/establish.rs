//! The functions that turn a stream into a connection, with the opening handshake.

use super::{Config, WebSocket};
use crate::Socket;
use crate::error::Error;
use crate::handshake::{Acceptor, Connector, Established, Parts};
use crate::upgrade::Stream;

/// Accepts a WebSocket connection, with the defaults of [`Acceptor`] and [`Config`]: reads the request, answers it,
/// and takes over the stream. A page of another origin is refused.
///
/// Blocks for 10 seconds at most. The stream's time-outs are restored at the end. Sets `TCP_NODELAY`.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), after the refusal was sent.
pub fn accept<S: Socket>(stream: S) -> Result<WebSocket<S>, Error> {
    accept_with(stream, &Acceptor::new(), Config::default())
}

/// Accepts a WebSocket connection, as [`accept`] does. To inspect the request first, use [`Acceptor::receive`] and
/// [`WebSocket::from_established`].
///
/// Blocks for the time that the acceptor's limits allow, 10 seconds by default. Sets `TCP_NODELAY`, unless
/// [`Acceptor::nodelay`] says otherwise.
///
/// # Errors
/// As [`accept`], and [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
pub fn accept_with<S: Socket>(
    stream: S,
    acceptor: &Acceptor,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    WebSocket::from_established(acceptor.accept(stream)?, config)
}

/// Connects to a `ws` or `wss` URI, with the defaults of [`Connector`] and [`Config`].
///
/// Blocks for 10 seconds at most, for names, addresses, TLS and the handshake together. The exceptions are
/// listed at [`Dialer`](crate::upgrade::Dialer). Leaves no time-out on the stream.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), which holds what failed, or the server's refusal.
///
/// # Examples
/// ```no_run
/// let mut websocket = framewire::connect("ws://127.0.0.1:9001/")?;
/// websocket.write("hello")?;
/// # Ok::<(), framewire::Error>(())
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<Stream>, Error> {
    connect_with(uri, &Connector::new(), Config::default())
}

/// Connects to a `ws` or `wss` URI.
///
/// Blocks for the time that the connector's limits allow, as [`Connector::connect`] does.
///
/// # Errors
/// As [`connect`], and [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
pub fn connect_with(
    uri: &str,
    connector: &Connector,
    config: Config,
) -> Result<WebSocket<Stream>, Error> {
    config.check()?;
    WebSocket::from_established(connector.connect(uri)?, config)
}

/// Does a client's handshake for `uri` (`ws://host:port/path`) over a stream that the program has connected to
/// the server, with the defaults of [`Connector`] and [`Config`]. [`connect`] makes the stream too.
///
/// Blocks for 10 seconds at most. The stream's time-outs are restored at the end. Sets `TCP_NODELAY`.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), which holds the server's refusal.
pub fn connect_stream<S: Socket>(stream: S, uri: &str) -> Result<WebSocket<S>, Error> {
    connect_stream_with(stream, uri, &Connector::new(), Config::default())
}

/// Does a client's handshake over a stream, as [`connect_stream`] does.
///
/// Blocks for the time that the connector's limits allow, 10 seconds by default. Sets `TCP_NODELAY`, unless
/// [`Connector::nodelay`] says otherwise.
///
/// # Errors
/// As [`connect_stream`], and [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
pub fn connect_stream_with<S: Socket>(
    stream: S,
    uri: &str,
    connector: &Connector,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    WebSocket::from_established(connector.connect_stream(stream, uri)?, config)
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
        websocket.reader.inbound.set_subprotocol(subprotocol);
        Ok(websocket)
    }
}
