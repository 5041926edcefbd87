//! WebSocket connections of [axum](https://docs.rs/axum/0.8)'s applications, over HTTP/1.1 and HTTP/2.
//!
//! [`WebSocketUpgrade`] is an extractor like axum's own, for a connection of this crate: nothing
//! allocated for each message, bounded memory, compression, and pages of other origins refused unless
//! the program allows them.
//!
//! ```no_run
//! use axum::{Router, response::Response, routing::any, serve::ListenerExt as _};
//! use framewire::axum::{WebSocket, WebSocketUpgrade};
//!
//! async fn handler(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.protocols(["chat.v2", "chat.v1"]).on_upgrade(echo)
//! }
//!
//! async fn echo(mut websocket: WebSocket) {
//!     // `None` after a Close frame. An error is the end as well.
//!     while let Ok(Some((message, writer))) = websocket.next_message_and_writer().await {
//!         if writer.feed(message).await.is_err() {
//!             break;
//!         }
//!     }
//! }
//!
//! # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
//! // `any` rather than `get`: over HTTP/2 the method is CONNECT.
//! let app: Router = Router::new().route("/ws", any(handler));
//! // Small messages leave at once: the socket is out of reach later.
//! let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
//! axum::serve(listener, app).await
//! # }
//! ```
//!
//! The program must set `TCP_NODELAY`, as above, since axum does not. Without it a message that follows
//! another waits until the peer acknowledges the first, which may take 40 ms.
//!
//! # Coming from axum's own
//!
//! | axum's | here |
//! |---|---|
//! | `protocols`, `requested_protocols`, `selected_protocol`, `set_selected_protocol` | the same; names are `&str` |
//! | `max_message_size`, `max_frame_size`, `read_buffer_size` | the same; [`Config`] has the defaults: messages of 1 MiB |
//! | `write_buffer_size`, `max_write_buffer_size` | `write_buffer_size`: over that size feeding a message awaits the stream, so one bound is enough |
//! | `accept_unmasked_frames` | nothing: a server must close such a connection (RFC 6455 5.1) |
//! | `on_upgrade` | the same |
//! | `on_failed_upgrade` | the same, and also called if the acceptor refuses |
//! | a check of the origin, by the handler | [`acceptor`](WebSocketUpgrade::acceptor): same origin unless set. Compression and headers too |
//!
//! HTTP/2 needs the feature `http2` of this crate and of axum; `axum::serve` then does the rest.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use ::hyper::upgrade::OnUpgrade;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;

use crate::handshake::{Acceptor, HandshakeError, offered_subprotocols};
use crate::hyper::{refusal, respond, upgrade_with};
use crate::{Config, Error};

pub use crate::hyper::WebSocket;

/// An extractor for requests that ask for a WebSocket connection.
///
/// Extracting it checks that the request is valid. [`on_upgrade`](Self::on_upgrade) checks whether the program
/// accepts it, and agrees on the rest. A handler that does not call it may answer as it likes, and there is no
/// connection.
///
/// Copies the head of the request, which other extractors may need too. Route it with `axum::routing::any`: the
/// method is `GET` over HTTP/1.1 and `CONNECT` over HTTP/2.
#[must_use = "without `on_upgrade` there is no connection"]
pub struct WebSocketUpgrade {
    request: Request<()>,
    acceptor: Result<Acceptor, HandshakeError>,
    config: Config,
    on_failed: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    /// Sets which requests to accept and what to agree on: origins, subprotocols, compression, headers of the
    /// response. The default is same origin and nothing else. Replaces [`protocols`](Self::protocols) set
    /// before. The acceptor's limits are ignored, since axum has its own.
    pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
        self.acceptor = Ok(acceptor);
        self
    }

    /// Sets the subprotocols that the handler speaks, most preferred first. Replaces earlier ones.
    ///
    /// The first that the client offers is agreed on, or none if it offers none of them. If a name is not a
    /// token or comes twice, [`on_upgrade`](Self::on_upgrade) answers 500.
    pub fn protocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.acceptor = self
            .acceptor
            .and_then(|acceptor| acceptor.subprotocols(names));
        self
    }

    /// Returns the subprotocols that the client offers, most preferred first.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &str> {
        offered_subprotocols(self.request.headers())
    }

    /// Returns the subprotocol that will be agreed on.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&str> {
        let acceptor = self.acceptor.as_ref().ok()?;
        acceptor.choose_subprotocol(self.request.headers())
    }

    /// Agrees on a subprotocol that the handler chooses, or on none.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::handshake::HandshakeErrorKind::InvalidArgument) if the client does not offer it (RFC
    /// 6455 4.2.2). Nothing is changed then.
    pub fn set_selected_protocol(&mut self, name: Option<&str>) -> Result<(), HandshakeError> {
        if let Some(name) = name
            && !self.requested_protocols().any(|offered| offered == name)
        {
            let message = format!("subprotocol {name:?} was not offered");
            return Err(HandshakeError::invalid(message));
        }
        if let Ok(acceptor) = &mut self.acceptor {
            *acceptor = std::mem::take(acceptor).subprotocols(name)?;
        }
        Ok(())
    }

    /// Sets all sizes and bounds of the connection. Replaces those set before.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the most bytes in one message, 1 MiB by default:
    /// [`Limits::message`](crate::protocol::Limits::message).
    pub fn max_message_size(mut self, max: u64) -> Self {
        self.config.limits.message = max;
        self
    }

    /// Sets the most bytes in one frame, without a bound by default:
    /// [`Limits::frame`](crate::protocol::Limits::frame).
    pub fn max_frame_size(mut self, max: u64) -> Self {
        self.config.limits.frame = max;
        self
    }

    /// Sets how many bytes are read at a time: [`Config::read_buffer`]. With 0,
    /// [`on_upgrade`](Self::on_upgrade) answers 500.
    pub fn read_buffer_size(mut self, size: usize) -> Self {
        self.config.read_buffer = size;
        self
    }

    /// Sets how many bytes may wait to be written before feeding more awaits the stream:
    /// [`Config::write_buffer`]. With 0, [`on_upgrade`](Self::on_upgrade) answers 500.
    pub fn write_buffer_size(mut self, size: usize) -> Self {
        self.config.write_buffer = size;
        self
    }

    /// Calls `callback` with the error if there is no connection after all: the acceptor refused the request,
    /// or the client was gone before the response. Without it the error is ignored. Boxed once.
    pub fn on_failed_upgrade(mut self, callback: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed = Some(Box::new(callback));
        self
    }

    /// Accepts the connection, or refuses it as the [`acceptor`](Self::acceptor) says. Returns the response
    /// that the handler must return, and calls `callback` with the connection once that is sent.
    ///
    /// This is the only function of this crate that starts a task, since the connection can only go on after
    /// the handler has returned. It starts it with `tokio::spawn`. Nothing here waits for the task or ends it.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let Self {
            mut request,
            acceptor,
            config,
            on_failed,
        } = self;
        let fail = move |error: Error| {
            if let Some(on_failed) = on_failed {
                on_failed(error);
            }
        };
        let answer = acceptor.and_then(|acceptor| upgrade_with(&mut request, &acceptor, config));
        match answer {
            Ok((response, on_upgrade)) => {
                ::tokio::spawn(async move {
                    match on_upgrade.await {
                        Ok(websocket) => callback(websocket).await,
                        Err(error) => fail(error),
                    }
                });
                response
            }
            Err(error) => {
                let response = refusal(&error);
                fail(error.into());
                response
            }
        }
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", &self.request)
            .field("acceptor", &self.acceptor)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&parts.method);
        request.uri_mut().clone_from(&parts.uri);
        *request.version_mut() = parts.version;
        request.headers_mut().clone_from(&parts.headers);
        #[cfg(feature = "http2")]
        if let Some(protocol) = parts.extensions.get::<::hyper::ext::Protocol>() {
            request.extensions_mut().insert(protocol.clone());
        }
        // Which origins the program accepts is not known yet.
        respond(&Acceptor::new().allow_any_origin(), &request)?;
        let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return Err(crate::hyper::no_upgrade().into());
        };
        request.extensions_mut().insert(upgrade);
        Ok(Self {
            request,
            acceptor: Ok(Acceptor::new()),
            config: Config::default(),
            on_failed: None,
        })
    }
}

/// Why a request does not ask for a WebSocket connection as it should.
///
/// As a response it has the status that [`Acceptor::respond`] documents, or over HTTP/2
/// [`Acceptor::respond_extended_connect`], and a line of text. If the request does not come from a WebSocket
/// client at all, such as a browser that opens the address as a page, the [`kind`](HandshakeError::kind) is
/// [`Upgrade`](crate::handshake::HandshakeErrorKind::Upgrade).
#[derive(Debug)]
pub struct WebSocketUpgradeRejection(HandshakeError);

impl WebSocketUpgradeRejection {
    /// Returns what is wrong with the request.
    #[must_use]
    pub fn error(&self) -> &HandshakeError {
        &self.0
    }
}

impl From<HandshakeError> for WebSocketUpgradeRejection {
    fn from(error: HandshakeError) -> Self {
        Self(error)
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        refusal(&self.0)
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for WebSocketUpgradeRejection {}
