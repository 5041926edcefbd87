//! From a stream to a connection: the handshake and what it leaves behind.

use super::{Config, WebSocket};
use crate::Socket;
use crate::error::Error;
use crate::handshake::{Acceptor, Connector, Established};
use crate::protocol::Role;

/// Accepts a WebSocket connection: reads the request, answers it, and takes over the stream.
///
/// Blocks for the time that the acceptor's limits allow, 10 seconds by default, and takes the
/// stream's time-outs away at the end. To look at the request first, use
/// [`Acceptor::receive`] and [`WebSocket::from_established`].
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), after the refusal was sent.
pub fn accept<S: Socket>(
    stream: S,
    acceptor: &Acceptor,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    WebSocket::from_established(acceptor.accept(stream)?, Role::Server, config)
}

/// Does a client's handshake for `uri` (`ws://host:port/path`) over a stream that is connected to
/// the server already.
///
/// Blocks for the time that the connector's limits allow, 10 seconds by default, and takes the
/// stream's time-outs away at the end.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake): the server's refusal is in it.
pub fn client<S: Socket>(
    stream: S,
    uri: &str,
    connector: &Connector,
    config: Config,
) -> Result<WebSocket<S>, Error> {
    config.check()?;
    WebSocket::from_established(connector.handshake(stream, uri)?, Role::Client, config)
}

impl<S> WebSocket<S> {
    /// Takes over a stream on which the handshake is done, with the bytes that came after it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a size is 0.
    pub fn from_established(
        established: Established<S>,
        role: Role,
        config: Config,
    ) -> Result<Self, Error> {
        #[cfg(feature = "deflate")]
        let deflate = established.deflate().cloned();
        let (stream, leftover) = established.into_parts();
        #[cfg_attr(not(feature = "deflate"), expect(unused_mut))]
        let mut websocket = Self::with_leftover(stream, &leftover, role, config)?;
        #[cfg(feature = "deflate")]
        if let Some(negotiated) = deflate {
            websocket.set_deflate(&negotiated);
        }
        Ok(websocket)
    }
}
