//! The opening handshake of RFC 6455 section 4 over tokio: [`crate::handshake`] with `async`.
//!
//! The policies are the same [`Acceptor`] and [`Connector`], with the same checks, answers and errors. The
//! functions here take a tokio stream. Each returns an [`Established`] stream, for a
//! [`WebSocket`](super::WebSocket) or for anything else. With the feature `tokio-net`, `connect` makes the
//! stream too.
//!
//! # Cancel safety
//! Every function here owns its stream, or makes it. Cancelled, it drops the stream, and the peer sees the
//! connection end. Bytes may have been read or sent by then; a handshake cannot be resumed. To bound the time,
//! [`Limits::time`](crate::upgrade::Limits::time) is enough. Its deadline uses tokio's timer, which the runtime
//! must have, unless it is [`Duration::MAX`](std::time::Duration::MAX).
//!
//! # Memory
//! What a call needs while it waits is in a box that is freed when the call is ready, so that it adds next to
//! nothing to the task that goes on with the connection. A handshake that waits for its request holds 1 KiB and
//! the part of the head that has arrived.
//!
//! # Examples
//! ```no_run
//! use framewire::handshake::Acceptor;
//! use framewire::http::Response;
//! use framewire::tokio::{Config, WebSocket, handshake};
//! # async fn serve(stream: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! let pending = handshake::receive(stream, &Acceptor::new()).await?;
//! if pending.is_websocket() {
//!     let established = pending.accept().await?;
//!     let websocket = WebSocket::from_established(established, Config::default())?;
//! # drop(websocket);
//! } else {
//!     pending.refuse(&Response::new("<!doctype html><title>Hello</title>")).await?;
//! }
//! # Ok(())
//! # }
//! ```

use crate::handshake::{self, Acceptor, Connector, Established, HandshakeError, not_dialled};
use crate::upgrade::layer::tokio::{self as over_tokio, TokioWire, after, by};
use crate::upgrade::layer::{Wire as _, nodelay_failed};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// Does a server's handshake over a stream that was just accepted: [`Acceptor::accept`] over tokio.
///
/// The same as [`receive`] followed by [`PendingHandshake::accept`], with the same waits and errors. When it fails
/// because the request is refused, the refusal has been sent. Cancelled, it drops the stream: see
/// [above](self#cancel-safety).
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    acceptor: &Acceptor,
) -> Result<Established<S>, HandshakeError> {
    set_nodelay(&stream, acceptor.sets_nodelay())?;
    let handshake = async move {
        let pending = acceptor.receive_on::<TokioWire<S>>(stream).await?;
        // In a box of its own, so that a handshake that waits for its request needs no memory for this.
        Box::pin(pending.accept_over::<TokioWire<S>>()).await
    };
    Box::pin(handshake).await
}

/// Reads a request, to inspect it and then accept or refuse it: [`Acceptor::receive`] over tokio.
///
/// Returns any sound HTTP/1.1 request, whether it asks for a WebSocket or not. Waits, answers requests that are
/// not sound, and fails as [`upgrade::receive`](super::upgrade::receive) does. Cancelled, it drops the stream:
/// see [above](self#cancel-safety).
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    acceptor: &Acceptor,
) -> Result<PendingHandshake<S>, HandshakeError> {
    set_nodelay(&stream, acceptor.sets_nodelay())?;
    let received = Box::pin(acceptor.receive_on::<TokioWire<S>>(stream)).await;
    Ok(PendingHandshake(received?))
}

/// Takes over from an HTTP server that has read a request and gives up its socket, as [`Acceptor::take_over`]
/// does. Does no I/O.
pub fn take_over<S, B>(
    stream: S,
    leftover: Vec<u8>,
    request: &Request<B>,
    acceptor: &Acceptor,
) -> PendingHandshake<S> {
    PendingHandshake(acceptor.take_over(stream, leftover, request))
}

/// Does a client's handshake over a stream that is connected to the host of `uri`: [`Connector::connect_stream`]
/// over tokio, with the same errors.
///
/// Waits for the connector's [`Limits::time`](crate::upgrade::Limits::time) at most. Cancelled, it drops the
/// stream: see [above](self#cancel-safety).
pub async fn connect_stream<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    uri: &str,
    connector: &Connector,
) -> Result<Established<S>, HandshakeError> {
    set_nodelay(&stream, connector.sets_nodelay())?;
    Box::pin(connector.connect_stream_on::<TokioWire<S>>(stream, uri)).await
}

/// Connects to the host of a `ws` or `wss` URI and does the handshake there: [`Connector::connect`] over tokio.
///
/// Waits for the connector's [`Limits::time`](crate::upgrade::Limits::time) at most, for names, addresses, proxies,
/// TLS, redirects and the handshake together. Fails as [`connect_stream`] and [`dial`](super::upgrade::dial) do, and
/// with [`HandshakeErrorKind::TooManyRedirects`](handshake::HandshakeErrorKind::TooManyRedirects). Cancelled, it stops
/// connecting and closes the stream that it has: see [above](self#cancel-safety).
#[cfg(feature = "tokio-net")]
pub async fn connect(
    uri: &str,
    connector: &Connector,
) -> Result<Established<super::Stream>, HandshakeError> {
    let deadline = after(connector.time());
    let dial = |uri: Uri| async move {
        let target = handshake::target(&uri)?;
        let stream = over_tokio::dial_by(connector.its_dialer(), &target, deadline).await?;
        set_nodelay(&stream, connector.sets_nodelay())?;
        Ok(TokioWire::new(stream, deadline))
    };
    Box::pin(connector.connect_by(uri, dial)).await
}

/// Does a client's handshake over streams that `dial` connects to the host of a `ws` or `wss` URI, redirects
/// included: [`Connector::connect_over`] over tokio.
///
/// The time of the limits includes that of `dial`, which is dropped when the time is over. Fails as [`connect_stream`]
/// does, with [`HandshakeErrorKind::TooManyRedirects`](handshake::HandshakeErrorKind::TooManyRedirects), and with
/// [`upgrade::UpgradeErrorKind::Dial`](crate::upgrade::UpgradeErrorKind::Dial) if `dial` fails. Cancelled, it drops the
/// stream that `dial` returned: see [above](self#cancel-safety).
///
/// # Examples
/// ```no_run
/// use framewire::handshake::Connector;
/// use framewire::tokio::handshake;
/// use std::io;
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new().follow_redirects(3);
/// let established = handshake::connect_over("ws://a.example/", &connector, |uri| async move {
///     println!("connecting to {uri}");
///     let (stream, _) = tokio::io::duplex(4096);
///     Ok(stream)
/// })
/// .await?;
/// # drop(established);
/// # Ok(())
/// # }
/// ```
pub async fn connect_over<S, F>(
    uri: &str,
    connector: &Connector,
    mut dial: impl FnMut(Uri) -> F,
) -> Result<Established<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = io::Result<S>>,
{
    let (deadline, nodelay) = (after(connector.time()), connector.sets_nodelay());
    let dial = |uri: Uri| {
        let dialled = by(deadline, dial(uri.clone()));
        async move {
            match dialled.await {
                Some(Ok(stream)) => {
                    set_nodelay(&stream, nodelay)?;
                    Ok(TokioWire::new(stream, deadline))
                }
                Some(Err(error)) => Err(not_dialled(&uri, error)),
                None => Err(deadline.error_for(&format!("connection for {uri}")).into()),
            }
        }
    };
    Box::pin(connector.connect_by(uri, dial)).await
}

fn set_nodelay<S: 'static>(stream: &S, nodelay: bool) -> Result<(), HandshakeError> {
    let set = over_tokio::set_nodelay(stream, nodelay);
    Ok(set.map_err(nodelay_failed)?)
}

/// A request that was read and awaits its answer: a [`handshake::PendingHandshake`] over tokio.
///
/// Holds the answer of the [`Acceptor`]'s policy: a 101 that can be changed, or a refusal that cannot. Dropping
/// it closes the connection without an answer. So does dropping a future that its methods return before that is
/// ready.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct PendingHandshake<S>(handshake::PendingHandshake<S>);

impl<S> PendingHandshake<S> {
    /// Agrees on a subprotocol that the program chooses, or on none.
    ///
    /// Fails with [`HandshakeErrorKind::InvalidArgument`](handshake::HandshakeErrorKind::InvalidArgument), and changes
    /// nothing, if the client does not offer it (RFC 6455 4.2.2).
    pub fn set_subprotocol(&mut self, name: Option<&str>) -> Result<(), HandshakeError> {
        self.0.set_subprotocol(name)
    }

    /// Adds a header to the 101.
    ///
    /// Fails with [`HandshakeErrorKind::InvalidArgument`](handshake::HandshakeErrorKind::InvalidArgument) for headers
    /// that [`Acceptor::header`] refuses.
    pub fn add_header(
        &mut self,
        name: impl TryInto<HeaderName, Error: Into<http::Error>>,
        value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
    ) -> Result<(), HandshakeError> {
        self.0.add_header(name, value)
    }

    /// Returns the request. The extensions it offers are its `sec-websocket-extensions` headers.
    pub fn request(&self) -> &Request<()> {
        self.0.request()
    }

    /// Returns whether the request names `websocket` in `Upgrade`.
    ///
    /// If so, it may still be refused: [`refusal`](Self::refusal) says whether and why. If not, it is no
    /// business of this library.
    pub fn is_websocket(&self) -> bool {
        self.0.is_websocket()
    }

    /// Returns why [`accept`](Self::accept) would refuse the request; `None` if it would accept it.
    pub fn refusal(&self) -> Option<&HandshakeError> {
        self.0.refusal()
    }

    /// Returns the subprotocols offered, in the client's order of preference.
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.0.offered_subprotocols()
    }

    /// Returns the subprotocol that [`accept`](Self::accept) would agree on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol()
    }

    /// Returns the stream, for what only it can tell: the peer's address or certificate.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PendingHandshake<S> {
    /// Answers 101, or sends the policy's refusal.
    ///
    /// Waits for the stream for at most [`Limits::time`](crate::upgrade::Limits::time). Fails with the error of
    /// [`refusal`](Self::refusal) after the refusal was sent. If the peer sent more than the head, that is read
    /// and dropped first, for at most half a second. Otherwise fails with
    /// [`Write`](crate::upgrade::UpgradeErrorKind::Write) or [`TimedOut`](crate::upgrade::UpgradeErrorKind::TimedOut).
    pub async fn accept(self) -> Result<Established<S>, HandshakeError> {
        Box::pin(self.0.accept_over::<TokioWire<S>>()).await
    }

    /// Answers with a response of the program's own, whatever the policy says: a 401, a redirect, or a page for
    /// a browser.
    ///
    /// Ends the stream in this direction and returns it, to be dropped. Waits and fails as
    /// [`PendingHandshake::refuse`](super::upgrade::PendingUpgrade::refuse) of `upgrade` does.
    pub async fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, HandshakeError> {
        Box::pin(self.0.refuse_over::<TokioWire<S>, B>(response)).await
    }
}
