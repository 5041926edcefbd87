//! The opening handshake of RFC 6455 section 4, on [`upgrade`](crate::upgrade).
//!
//! An [`Acceptor`] is a server's policy and a [`Connector`] a client's. Both are cheap to clone and serve any number
//! of connections. Their decisions are pure functions on the `http` crate's types ([`Acceptor::respond`],
//! [`Connector::request`], [`check_response`]), so that an HTTP server or an event loop can use the same rules. The
//! methods that take a stream only move bytes.
//!
//! Over HTTP/2 an extended CONNECT takes the place of the upgrade (RFC 8441):
//! [`Acceptor::respond_extended_connect`] and [`Connector::extended_connect_request`].
//!
//! # In one call
//!
//! ```no_run
//! use framewire::handshake::Acceptor;
//! use std::net::TcpListener;
//!
//! let acceptor = Acceptor::new().subprotocols(["chat.v2", "chat.v1"])?;
//! let listener = TcpListener::bind("127.0.0.1:9001")?;
//! for stream in listener.incoming() {
//!     match acceptor.accept(stream?) {
//!         Ok(established) => println!("speaking {:?}", established.subprotocol()),
//!         Err(error) => eprintln!("refused: {error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A client connects with [`Connector::connect`], or over a stream of its own with
//! [`Connector::connect_stream`]:
//!
//! ```no_run
//! use framewire::handshake::Connector;
//! use framewire::upgrade::{Dialer, Proxies};
//! use framewire::{Config, connect_with};
//!
//! let connector = Connector::new()
//!     .subprotocols(["chat.v2", "chat.v1"])?
//!     .dialer(Dialer::new().proxy(Proxies::from_env()?))
//!     .follow_redirects(3);
//! let websocket = connect_with("ws://chat.example/", &connector, Config::default())?;
//! # drop(websocket);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In two steps
//!
//! [`Acceptor::receive`] returns any request that is valid HTTP/1.1, an ordinary `GET /` included. The program
//! examines it and then accepts, or refuses with a response of its own: a 401, a redirect, or a page.
//!
//! ```no_run
//! use framewire::handshake::Acceptor;
//! use framewire::http::Response;
//! use framewire::{Config, WebSocket};
//! # use std::net::TcpStream;
//!
//! # fn serve(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let mut pending = Acceptor::new().receive(stream)?;
//! if pending.is_websocket() {
//!     pending.add_header("x-node", "eu-3")?;
//!     // With the stream, what came with the request's head, and the compression agreed on.
//!     let established = pending.accept()?;
//!     let websocket = WebSocket::from_established(established, Config::default())?;
//! # drop(websocket);
//! } else {
//!     let page = Response::builder().header("content-type", "text/html; charset=utf-8");
//!     pending.refuse(&page.body("<!doctype html><title>Hello</title>")?)?;
//! }
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod check;
mod connector;
mod error;
mod established;
mod extensions;
mod fields;
mod key;
mod origin;
mod pending;
mod redirect;
mod subprotocol;
mod uri;

pub use acceptor::Acceptor;
pub use check::{check_extended_connect_response, check_response};
pub use connector::Connector;
#[cfg(feature = "tokio")]
pub(crate) use connector::not_dialled;
pub use error::{HandshakeError, HandshakeErrorKind};
pub use established::{Established, Parts};
pub use extensions::Extension;
pub use key::{accept_key, generate_key};
pub use pending::{PendingHandshake, is_websocket};
pub use subprotocol::offered_subprotocols;
#[cfg(feature = "tokio-net")]
pub(crate) use uri::target;
