//! WebSocket connections of [axum](https://docs.rs/axum/0.8)'s applications, over HTTP/1.1 and HTTP/2.
//!
//! [`WebSocketUpgrade`] is an extractor as axum's own is, for a connection of this crate: nothing
//! allocated for each message, bounded memory, compression, and pages of other origins kept out unless
//! the program says otherwise.
//!
//! ```no_run
//! use axum::{Router, response::Response, routing::any, serve::ListenerExt as _};
//! use framewire::axum::{Socket, WebSocketUpgrade};
//!
//! async fn handler(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.protocols(["chat.v2", "chat.v1"]).on_upgrade(echo)
//! }
//!
//! async fn echo(mut websocket: Socket) {
//!     // An error is the end of the connection: `error.closed()` says whether it was a clean one.
//!     while let Ok((message, writer)) = websocket.next_message_and_writer().await {
//!         if writer.feed_message(message.opcode(), message.payload()).await.is_err() {
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
//! `TCP_NODELAY` is the program's to set, as above: axum does not, and without it a message that follows
//! another waits for the peer to acknowledge that one, which may take 40 ms.
//!
//! # Coming from axum's own
//!
//! | axum's | here |
//! |---|---|
//! | `protocols`, `requested_protocols`, `selected_protocol`, `set_selected_protocol` | the same; names are `&str` |
//! | `max_message_size`, `max_frame_size`, `read_buffer_size` | the same; [`Config`] has the defaults: messages of 1 MiB |
//! | `write_buffer_size`, `max_write_buffer_size` | `write_buffer_size`: over it feeding a message awaits the stream, so there is one bound |
//! | `accept_unmasked_frames` | nothing: a server must close such a connection (RFC 6455 5.1) |
//! | `on_upgrade` | the same |
//! | `on_failed_upgrade` | the same, and called where the acceptor refuses, too |
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

use crate::handshake::{self, Acceptor, offered_subprotocols};
use crate::hyper::{refusal, respond, upgrade_with};
use crate::{Config, Error};

pub use crate::hyper::Socket;

/// An extractor for requests that ask for a WebSocket connection.
///
/// What the request is by itself is checked when it is extracted; whether the program lets it in, and what
/// is agreed on, when the handler calls [`on_upgrade`](Self::on_upgrade). Without that call the handler
/// answers as it likes, and there is no connection.
///
/// Copies the head of the request, which other extractors may want too. To be routed with
/// `axum::routing::any`: the method is `GET` over HTTP/1.1 and `CONNECT` over HTTP/2.
#[must_use = "without `on_upgrade` there is no connection"]
pub struct WebSocketUpgrade {
    request: Request<()>,
    acceptor: Result<Acceptor, handshake::Error>,
    config: Config,
    on_failed: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    /// Whom to let in and what to agree on: origins, subprotocols, compression, headers of the
    /// response. Same origin and nothing else unless set. Replaces [`protocols`](Self::protocols) that
    /// were given before; the acceptor's limits are axum's to keep.
    pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
        self.acceptor = Ok(acceptor);
        self
    }

    /// The subprotocols that are spoken here, most preferred first: the first that the client offers
    /// is agreed on, and none where there is no such. Replaces earlier ones.
    ///
    /// Where a name is no token or comes twice, [`on_upgrade`](Self::on_upgrade) answers 500.
    pub fn protocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.acceptor = self
            .acceptor
            .and_then(|acceptor| acceptor.subprotocols(names));
        self
    }

    /// The subprotocols that the client offers, most preferred first.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &str> {
        offered_subprotocols(self.request.headers())
    }

    /// The subprotocol that is going to be agreed on.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&str> {
        let acceptor = self.acceptor.as_ref().ok()?;
        acceptor.choose_subprotocol(self.request.headers())
    }

    /// Agrees on a subprotocol by the handler's own choice, or on none.
    ///
    /// # Errors
    /// [`InvalidArgument`](handshake::ErrorKind::InvalidArgument) where the client does not offer it
    /// (RFC 6455 4.2.2). Nothing is changed then.
    pub fn set_selected_protocol(&mut self, name: Option<&str>) -> Result<(), handshake::Error> {
        if let Some(name) = name
            && !self.requested_protocols().any(|offered| offered == name)
        {
            let message = format!("subprotocol {name:?} was not offered");
            return Err(handshake::Error::invalid(message));
        }
        if let Ok(acceptor) = &mut self.acceptor {
            *acceptor = std::mem::take(acceptor).subprotocols(name)?;
        }
        Ok(())
    }

    /// All sizes and bounds of the connection; replaces those set before.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The most bytes in one message, 1 MiB unless set: [`Limits::message`](crate::protocol::Limits::message).
    pub fn max_message_size(mut self, max: u64) -> Self {
        self.config.limits.message = max;
        self
    }

    /// The most bytes in one frame, no bound unless set: [`Limits::frame`](crate::protocol::Limits::frame).
    pub fn max_frame_size(mut self, max: u64) -> Self {
        self.config.limits.frame = max;
        self
    }

    /// How many bytes are read at a time: [`Config::read_buffer`]. 0 has
    /// [`on_upgrade`](Self::on_upgrade) answer 500.
    pub fn read_buffer_size(mut self, size: usize) -> Self {
        self.config.read_buffer = size;
        self
    }

    /// How many bytes may wait to be written before feeding more awaits the stream:
    /// [`Config::write_buffer`]. 0 has [`on_upgrade`](Self::on_upgrade) answer 500.
    pub fn write_buffer_size(mut self, size: usize) -> Self {
        self.config.write_buffer = size;
        self
    }

    /// Has `callback` told why there is no connection after all: the acceptor refused the request, or
    /// the client was gone before the response. Ignored unless set. Boxed once.
    pub fn on_failed_upgrade(mut self, callback: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed = Some(Box::new(callback));
        self
    }

    /// Accepts the connection, or refuses it by the [`acceptor`](Self::acceptor): gives the response
    /// that the handler has to return, and runs `callback` with the connection once that is sent.
    ///
    /// This is the one place in this crate that starts a task: it can only go on after the handler has
    /// returned. It is tokio's to run, by `tokio::spawn`, and nothing here waits for it or ends it.
    ///
    /// # Panics
    /// As `tokio::spawn` does, outside of a tokio runtime.
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(Socket) -> F + Send + 'static,
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
        // Whom the program lets in is not known yet.
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

/// Why a request is none for a WebSocket connection.
///
/// As a response it has the status that [`Acceptor::respond`] documents, or over HTTP/2
/// [`Acceptor::respond_extended_connect`], and a line of text. A request that was not asked for by such a
/// client at all, a page that was opened in a browser for one, has the
/// [`kind`](handshake::Error::kind) of an [upgrade](handshake::ErrorKind::Upgrade).
#[derive(Debug)]
pub struct WebSocketUpgradeRejection(handshake::Error);

impl WebSocketUpgradeRejection {
    /// What is wrong with the request.
    #[must_use]
    pub fn error(&self) -> &handshake::Error {
        &self.0
    }
}

impl From<handshake::Error> for WebSocketUpgradeRejection {
    fn from(error: handshake::Error) -> Self {
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
