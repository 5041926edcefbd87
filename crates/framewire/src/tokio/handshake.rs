//! The opening handshake of RFC 6455 section 4 over tokio: [`crate::handshake`] with `async`.
//!
//! The policies are the same [`Acceptor`] and [`Connector`], and so are what they check, what is
//! answered and what fails; here are functions that take a stream of tokio's. Each ends in an
//! [`Established`] stream, for a [`WebSocket`](super::WebSocket) or for anything else. With the
//! feature `tokio-net`, `connect` makes the stream too.
//!
//! ```no_run
//! use framewire::handshake::Acceptor;
//! use framewire::protocol::Role;
//! use framewire::tokio::{Config, WebSocket, handshake};
//! use http::Response;
//! # async fn serve(stream: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! let pending = handshake::receive(stream, &Acceptor::new()).await?;
//! if pending.is_websocket() {
//!     let established = pending.accept().await?;
//!     let websocket = WebSocket::from_established(established, Role::Server, Config::default())?;
//! # drop(websocket);
//! } else {
//!     pending.refuse(&Response::new("<!doctype html><title>Hello</title>")).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Memory
//!
//! What a call needs while it waits is in a box that is freed when it is ready, so that it takes next
//! to nothing of the task which goes on with the connection. A handshake that waits for its request
//! holds 1 KiB and what has come of the head.
//!
//! # Cancellation
//!
//! Every call here owns its stream, or makes it. One that is dropped before it is ready drops the
//! stream with it, and the peer sees the connection end: bytes may have been read or sent by then,
//! and a handshake cannot be gone on with from the middle. To bound the time,
//! [`Limits::time`](crate::upgrade::Limits::time) is enough: its deadline is tokio's, so that a
//! runtime needs its timer, unless it is [`Duration::MAX`](std::time::Duration::MAX).

use crate::handshake::{self, Acceptor, Connector, Error, Established, not_dialled};
use crate::upgrade::layer::tokio::{self as over_tokio, TokioWire, after, by};
use crate::upgrade::layer::{Wire as _, nodelay_failed};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// Does a server's handshake over a stream that was just accepted: [`Acceptor::accept`] over tokio.
///
/// Is [`receive`] and [`Pending::accept`], and waits and fails as they do. A request that is refused
/// was answered when this gives its error. Dropped, it loses the stream: see
/// [above](self#cancellation).
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    acceptor: &Acceptor,
) -> Result<Established<S>, Error> {
    set_nodelay(&stream, acceptor.sets_nodelay())?;
    let handshake = async move {
        let pending = acceptor.receive_on::<TokioWire<S>>(stream).await?;
        // In a box of its own, so that one which waits for its request has no part in it.
        Box::pin(pending.accept_over::<TokioWire<S>>()).await
    };
    Box::pin(handshake).await
}

/// Reads a request, to be looked at and then accepted or refused: [`Acceptor::receive`] over tokio.
///
/// Gives any sound HTTP/1.1 request, whether it asks for a WebSocket or not. Waits, answers what is not
/// sound, and fails as [`upgrade::receive`](super::upgrade::receive) does. Dropped, it loses the
/// stream: see [above](self#cancellation).
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    acceptor: &Acceptor,
) -> Result<Pending<S>, Error> {
    set_nodelay(&stream, acceptor.sets_nodelay())?;
    let received = Box::pin(acceptor.receive_on::<TokioWire<S>>(stream)).await;
    Ok(Pending(received?))
}

/// Takes over from an HTTP server that has read a request and gives up its socket: as
/// [`Acceptor::take_over`]. Does no I/O.
pub fn take_over<S, B>(
    stream: S,
    leftover: Vec<u8>,
    request: &Request<B>,
    acceptor: &Acceptor,
) -> Pending<S> {
    Pending(acceptor.take_over(stream, leftover, request))
}

/// Does a client's handshake over a stream that is connected to the host of `uri`:
/// [`Connector::handshake`] over tokio, which says what fails.
///
/// Waits for the connector's [`Limits::time`](crate::upgrade::Limits::time) at most. Dropped, it loses the
/// stream: see [above](self#cancellation).
pub async fn client<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    uri: &str,
    connector: &Connector,
) -> Result<Established<S>, Error> {
    set_nodelay(&stream, connector.sets_nodelay())?;
    Box::pin(connector.handshake_on::<TokioWire<S>>(stream, uri)).await
}

/// Connects to the host of a `ws` or `wss` URI and does the handshake there: [`Connector::connect`]
/// over tokio.
///
/// Waits for the connector's [`Limits::time`](crate::upgrade::Limits::time) at most, for names, addresses,
/// proxies, TLS, redirects and the handshake together. Fails as [`client`] and
/// [`dial`](super::upgrade::dial) do, and with
/// [`ErrorKind::TooManyRedirects`](handshake::ErrorKind::TooManyRedirects). Dropped, it connects no
/// further and closes what it has: see [above](self#cancellation).
#[cfg(feature = "tokio-net")]
pub async fn connect(
    uri: &str,
    connector: &Connector,
) -> Result<Established<super::Stream>, Error> {
    let deadline = after(connector.time());
    let dial = |uri: Uri| async move {
        let target = handshake::target(&uri)?;
        let stream = over_tokio::dial_by(connector.its_dialer(), &target, deadline).await?;
        set_nodelay(&stream, connector.sets_nodelay())?;
        Ok(TokioWire::new(stream, deadline))
    };
    Box::pin(connector.connect_by(uri, dial)).await
}

/// As [`Connector::connect_over`], over tokio: over streams that `dial` connects to the host of a `ws`
/// or `wss` URI, redirects included.
///
/// The time of the limits is for `dial` too, which is dropped when it is over. Fails as
/// [`client`] does, with [`ErrorKind::TooManyRedirects`](handshake::ErrorKind::TooManyRedirects),
/// and with [`upgrade::ErrorKind::Dial`](crate::upgrade::ErrorKind::Dial) where `dial` does. Dropped, it drops what `dial` gave: see
/// [above](self#cancellation).
///
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
) -> Result<Established<S>, Error>
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

fn set_nodelay<S: 'static>(stream: &S, nodelay: bool) -> Result<(), Error> {
    let set = over_tokio::set_nodelay(stream, nodelay);
    Ok(set.map_err(nodelay_failed)?)
}

/// A request that was read and awaits its answer: a [`handshake::Pending`] over tokio.
///
/// Holds what the [`Acceptor`]'s policy says of it: a 101 that can be changed, or a refusal that
/// cannot. Dropping it closes the connection without an answer; so does dropping what its methods
/// return before it is ready.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct Pending<S>(handshake::Pending<S>);

impl<S> Pending<S> {
    /// Agrees on a subprotocol by the program's own choice, or on none.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](handshake::ErrorKind::InvalidArgument), and changes
    /// nothing, where the client does not offer it (RFC 6455 4.2.2).
    pub fn set_subprotocol(&mut self, name: Option<&str>) -> Result<(), Error> {
        self.0.set_subprotocol(name)
    }

    /// Adds a header to the 101.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](handshake::ErrorKind::InvalidArgument) for those that
    /// [`Acceptor::header`] refuses.
    pub fn add_header(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), Error> {
        self.0.add_header(name, value)
    }

    /// The request. Extensions it offers are its `sec-websocket-extensions` headers.
    pub fn request(&self) -> &Request<()> {
        self.0.request()
    }

    /// Whether the request names `websocket` in `Upgrade`.
    ///
    /// It may still be refused: [`refusal`](Self::refusal) says whether and why. A request that is
    /// none of this library's business is one for which this is false.
    pub fn is_websocket(&self) -> bool {
        self.0.is_websocket()
    }

    /// Why [`accept`](Self::accept) would refuse the request, if it would.
    pub fn refusal(&self) -> Option<&Error> {
        self.0.refusal()
    }

    /// The subprotocols offered, in the client's order of preference.
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.0.offered_subprotocols()
    }

    /// The subprotocol that [`accept`](Self::accept) would agree on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol()
    }

    /// The stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pending<S> {
    /// Answers 101, or the policy's refusal.
    ///
    /// Waits for the writing for at most [`Limits::time`](crate::upgrade::Limits::time). Fails with what
    /// [`refusal`](Self::refusal) gives, after sending it (and, where the peer sent more than the
    /// head, reading that away for at most half a second); else with
    /// [`Write`](crate::upgrade::ErrorKind::Write) or [`TimedOut`](crate::upgrade::ErrorKind::TimedOut).
    pub async fn accept(self) -> Result<Established<S>, Error> {
        Box::pin(self.0.accept_over::<TokioWire<S>>()).await
    }

    /// Answers with a response of the program's own, whatever the policy says: a 401, a redirect,
    /// or a page for a browser.
    ///
    /// Returns the stream, to be closed. Waits and fails as
    /// [`Pending::refuse`](super::upgrade::Pending::refuse) of `upgrade` does.
    pub async fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, Error> {
        Box::pin(self.0.refuse_over::<TokioWire<S>, B>(response)).await
    }
}
