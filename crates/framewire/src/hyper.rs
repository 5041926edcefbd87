//! WebSocket connections of [hyper](https://docs.rs/hyper/1)'s servers, over HTTP/1.1 and HTTP/2.
//!
//! A service that is asked for a WebSocket calls [`upgrade`], returns the response, and awaits
//! [`OnUpgrade`] in a task of its own: hyper gives up the stream only after the response is sent. This also
//! works for a framework on hyper that passes on an [`http::Request`] with its extensions. For axum
//! there is an extractor, with the feature `axum`.
//!
//! ```no_run
//! use framewire::hyper::{WebSocket, refusal, upgrade_with};
//! use framewire::{Config, Error, handshake::Acceptor};
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use hyper::{Request, Response, server::conn::http1, service::service_fn};
//! use hyper_util::rt::TokioIo;
//! use std::convert::Infallible;
//!
//! async fn respond(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let acceptor = Acceptor::new();
//!     Ok(match upgrade_with(&mut request, &acceptor, Config::default()) {
//!         Ok((response, on_upgrade)) => {
//!             tokio::spawn(async move { echo(on_upgrade.await?).await });
//!             response
//!         }
//!         // 400, 403, 426, …, and why, in a line of text.
//!         Err(error) => refusal(&error),
//!     })
//! }
//!
//! async fn echo(mut websocket: WebSocket) -> Result<(), Error> {
//!     while let Some((message, writer)) = websocket.next_message_and_writer().await? {
//!         writer.feed(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//!     // Small messages leave at once: the socket is out of reach later.
//!     stream.set_nodelay(true)?;
//!     let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond));
//!     // Without this the stream never leaves hyper.
//!     connection.with_upgrades().await?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! # What to set on hyper
//!
//! * `TCP_NODELAY`, by the code that accepts the connection. Without it a message that follows another waits
//!   until the peer acknowledges the first, which may take 40 ms.
//! * hyper writes the header names of HTTP/1.1 in lower case, and case does not matter. For a client
//!   that compares them by the letter, call `title_case_headers(true)` on the `http1::Builder`.
//! * HTTP/1.1: `with_upgrades()` on the connection, or `serve_connection_with_upgrades` of hyper-util's
//!   `auto::Builder`. Without it, [`OnUpgrade`] fails.
//! * HTTP/2: `enable_connect_protocol()` on the `http2::Builder`, and the feature `http2` of this
//!   crate. Without the first, hyper refuses such streams itself (RFC 8441 3). Without the second, they
//!   are answered 505. A stream ends with the connection's task, so drive that to its end.
//!
//! # A client
//!
//! A client needs nothing of this module. What hyper's client makes of a
//! [`Connector::request`](crate::handshake::Connector::request), or over HTTP/2 an
//! [`extended_connect_request`](crate::handshake::Connector::extended_connect_request), is checked by the
//! functions of [`handshake`](crate::handshake) for that. `hyper::upgrade::on` the response then gives the stream for
//! [`WebSocket::client`](crate::tokio::WebSocket::client).
//!
//! # What it costs
//!
//! hyper boxes the stream and allocates to hand it over, once for each connection; over HTTP/2 it
//! copies and allocates for each write. Bytes that came with the request's head are not lost.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::hyper::upgrade::{OnUpgrade as Upgrade, Upgraded};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::handshake::{Acceptor, HandshakeError};
use crate::protocol::{Agreement, Role};
use crate::upgrade::{UpgradeError, UpgradeErrorKind};
use crate::{Config, Error};

/// A connection over the stream of a hyper server: the whole connection of HTTP/1.1, or one stream of HTTP/2.
pub type WebSocket = crate::tokio::WebSocket<TokioIo<Upgraded>>;

/// Accepts a WebSocket connection with the defaults of [`Acceptor`] and [`Config`]: from pages of the same
/// origin, and from clients that are no browsers. See [`upgrade_with`].
///
/// # Errors
/// As [`upgrade_with`].
pub fn upgrade<R, B: Default>(
    request: &mut Request<R>,
) -> Result<(Response<B>, OnUpgrade), HandshakeError> {
    upgrade_with(request, &Acceptor::new(), Config::default())
}

/// Accepts a WebSocket connection. Returns the response to return from the service (101, or 200 over HTTP/2),
/// and the future of the connection.
///
/// The response has an empty body, of the type that the service's responses have. The acceptor's limits are
/// ignored, since hyper has its own. Takes hyper's upgrade out of the request's extensions. Does no I/O.
///
/// # Errors
/// * Those of [`Acceptor::respond`], or of [`Acceptor::respond_extended_connect`] for HTTP/2. The client is at
///   fault, and [`refusal`] makes the response.
/// * [`InvalidArgument`](crate::handshake::HandshakeErrorKind::InvalidArgument) if the request does not come from
///   hyper, if its upgrade was taken out before, or if a size of the `config` is 0. The program is at fault. The
///   request is then unchanged.
pub fn upgrade_with<R, B: Default>(
    request: &mut Request<R>,
    acceptor: &Acceptor,
    config: Config,
) -> Result<(Response<B>, OnUpgrade), HandshakeError> {
    let response = respond(acceptor, request)?;
    let on_upgrade = on_upgrade(request.extensions_mut(), &response, config)?;
    Ok((response.map(|()| B::default()), on_upgrade))
}

/// Returns the response to a request that [`upgrade`] refuses: the
/// [`response`](HandshakeError::response) of the error, with its line of text as a body, of the type that the
/// service's responses have. It is a 500 if the program is at fault.
#[must_use]
pub fn refusal<B: From<Vec<u8>>>(error: &HandshakeError) -> Response<B> {
    let response = error.response().cloned().unwrap_or_else(|| {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    response.map(B::from)
}

/// Answers a request, by the HTTP version that it came with.
pub(crate) fn respond<R>(
    acceptor: &Acceptor,
    request: &Request<R>,
) -> Result<Response<()>, HandshakeError> {
    #[cfg(feature = "http2")]
    if request.version() > http::Version::HTTP_11 {
        let protocol = request.extensions().get::<::hyper::ext::Protocol>();
        let protocol = protocol.map_or("", ::hyper::ext::Protocol::as_str);
        return acceptor.respond_extended_connect(request, protocol);
    }
    acceptor.respond(request)
}

/// The error of a request that carries no upgrade of hyper's.
pub(crate) fn no_upgrade() -> HandshakeError {
    let message = "request does not come from hyper, or its upgrade was taken before";
    HandshakeError::invalid(message)
}

/// Returns the future of the connection that a response establishes.
fn on_upgrade(
    extensions: &mut http::Extensions,
    response: &Response<()>,
    config: Config,
) -> Result<OnUpgrade, HandshakeError> {
    config
        .check()
        .map_err(|error| HandshakeError::invalid(error.to_string()))?;
    let Some(inner) = extensions.remove::<Upgrade>() else {
        return Err(no_upgrade());
    };
    let subprotocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    Ok(OnUpgrade {
        inner,
        config,
        subprotocol: subprotocol
            .and_then(|name| name.to_str().ok())
            .map(Box::from),
        extension: response.extensions().get().cloned(),
    })
}

/// A future of the connection, which is ready once hyper has sent the response.
///
/// Await it in another task than the one that returns the response. Dropped, it closes the connection after the
/// response. A service that returns another response than the one that came with it must drop it: hyper may
/// hand over the stream all the same, once it has sent the response.
///
/// # Errors
/// [`ErrorKind::Handshake`](crate::ErrorKind::Handshake), with hyper's own error as the cause:
/// * [`Write`](UpgradeErrorKind::Write) if the connection ended before the response was sent.
/// * [`InvalidArgument`](crate::handshake::HandshakeErrorKind::InvalidArgument) if hyper was not
///   [told](self#what-to-set-on-hyper) of upgrades. The program is at fault.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct OnUpgrade {
    inner: Upgrade,
    config: Config,
    subprotocol: Option<Box<str>>,
    extension: Option<Arc<dyn Agreement>>,
}

impl OnUpgrade {
    /// Returns the subprotocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    fn establish(&self, stream: Upgraded) -> Result<WebSocket, Error> {
        let stream = TokioIo::new(stream);
        let mut websocket = WebSocket::with_leftover(stream, &[], Role::Server, self.config)?;
        if let Some(agreed) = &self.extension {
            websocket.set_extension(&**agreed);
        }
        websocket.set_subprotocol(self.subprotocol.clone());
        Ok(websocket)
    }
}

impl Future for OnUpgrade {
    type Output = Result<WebSocket, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let upgraded = ready!(Pin::new(&mut self.inner).poll(cx));
        Poll::Ready(match upgraded {
            Ok(stream) => self.establish(stream),
            Err(error) => Err(failed(error).into()),
        })
    }
}

fn failed(error: ::hyper::Error) -> HandshakeError {
    let error = if error.is_user() {
        let message = "hyper was not told to give the stream up";
        UpgradeError::new(UpgradeErrorKind::InvalidArgument, message).with_cause(error)
    } else {
        let message = "connection ended before the upgrade";
        UpgradeError::new(UpgradeErrorKind::Write, message).with_cause(io::Error::other(error))
    };
    error.into()
}
