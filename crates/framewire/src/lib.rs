//! WebSocket transport: RFC 6455 as synchronous, state-free building blocks.
//!
//! A WebSocket connection is two state machines and a few buffers. This crate gives you those and
//! leaves scheduling, buffers and I/O to you: no thread, task or timer that you did not start,
//! nothing allocated per message, one system call per message or per burst of short ones, and memory that
//! stays bounded whatever the peer sends.
//!
//! # A server
//!
//! ```no_run
//! # #[cfg(feature = "handshake")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::net::TcpListener;
//!
//! let listener = TcpListener::bind("127.0.0.1:9001")?;
//! let (stream, _) = listener.accept()?;
//! let mut websocket = framewire::accept(stream)?;
//! while let Some((message, writer)) = websocket.next_message_and_writer()? {
//!     writer.feed(message)?; // Leaves with others in one write, before the next read that would block.
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "handshake"))]
//! # fn main() {}
//! ```
//!
//! # A client
//!
//! ```no_run
//! # #[cfg(feature = "handshake")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let mut websocket = framewire::connect("ws://127.0.0.1:9001/")?;
//! websocket.write("hello")?;
//! if let Some(message) = websocket.next_message()? {
//!     println!("{:?}", message.text());
//! }
//! websocket.shutdown(Duration::from_secs(1))?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "handshake"))]
//! # fn main() {}
//! ```
//!
//! # Where to go
//!
//! | for | look at |
//! |---|---|
//! | threads, or non-blocking streams | [`WebSocket`], and [`blocking`] for how it treats time-outs |
//! | tasks of tokio's | `tokio::WebSocket`, with the feature `tokio` |
//! | an event loop, or a front end of your own | [`connection::Connection`]; without its buffers [`protocol::Session`] |
//! | bare metal | [`protocol::Decoder`] and [`protocol::Encoder`]: no allocator, no `std` |
//! | the wire format alone | [`frame`] |
//! | the opening handshake | [`handshake`]; for other protocols than WebSocket, [`upgrade`] |
//! | TLS, proxies, redirects | [`upgrade::Dialer`] and [`handshake::Connector`], for [`connect_with`] |
//! | a server by hyper or axum, HTTP/2 too | `hyper` and `axum`, with the features of those names |
//! | a stream of your own | [`connect_stream`] and [`accept`], or [`WebSocket`] without a handshake |
//! | a tutorial, how-tos, explanations; what corresponds to calls of Go's libraries, tungstenite, axum's own | the book: the folder `docs` of this package and of the repository |
//!
//! # Features
//!
//! | feature | default | adds | depends on |
//! |---|---|---|---|
//! | none | | [`frame`], [`protocol::Decoder`], [`protocol::Encoder`]; `no_std` | nothing |
//! | `alloc` | | [`protocol::Session`]; `no_std` | nothing |
//! | `std` | with `handshake` | [`blocking`], [`deflate`] without an engine, masking keys from the operating system | `getrandom`, `framewire-upgrade` without features |
//! | `handshake` | yes | [`upgrade`], which is `framewire-upgrade`, and [`handshake`] | `http`, `httparse`, `sha1_smol`, `base64` |
//! | `deflate` | | `deflate::ZlibRs`, the engine of permessage-deflate | `zlib-rs` |
//! | `miniz_oxide` | | `deflate::Miniz`, another engine | `miniz_oxide`, `adler2` |
//! | `rustls` | | TLS: `wss`, `upgrade::TlsStream` | `rustls`, `rustls-native-certs` |
//! | `tokio` | | `tokio`: the same over `AsyncRead + AsyncWrite` | `tokio` (I/O traits, time) |
//! | `tokio-net` | | `tokio::connect` | tokio's `net` and `rt` |
//! | `tokio-rustls` | | TLS for it | `tokio-rustls` |
//! | `bytes` | | `OwnedMessage`: messages that own their payload | `bytes` |
//! | `futures` | | `bytes`, and `Stream` and `Sink` of owned messages, with `tokio` | `futures-core`, `futures-sink` |
//! | `hyper` | | `hyper`: connections of its servers, with `tokio` | `hyper`, `hyper-util`, through them tokio's `rt` and `sync` |
//! | `http2` | | `hyper`, and RFC 8441: the same over HTTP/2 | `h2`, through `hyper` |
//! | `axum` | | `hyper`, and `axum`: an extractor | `axum-core`, tokio's `rt` |
//! | `simdutf8` | yes | faster UTF-8 validation, with the same answers | `simdutf8` |
//! | `simd` | | masking with the widest vectors that an x86-64 processor has, too: long payloads in a third of the time; needs Rust 1.89 | `fearless_simd`, without dependencies |
//!
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(doctest)]
mod book;
#[cfg(feature = "std")]
pub mod connection;
#[cfg(feature = "std")]
mod deadline;
#[cfg(feature = "std")]
pub mod deflate;
#[cfg(feature = "std")]
mod drive;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod extension_list;
pub mod frame;
#[cfg(feature = "std")]
mod halves;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "std")]
mod lock;
#[cfg(feature = "bytes")]
mod owned_message;
#[cfg(feature = "std")]
mod pool;
pub mod protocol;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "std")]
pub use blocking::{
    BufferPool, CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, CloseReply,
    Config, Frame, KeepAliveEnd, PingReply, PreparedMessage, Shutdown, WebSocket,
};
#[cfg(feature = "handshake")]
pub use blocking::{
    accept, accept_with, connect, connect_stream, connect_stream_with, connect_with,
};
/// The crate whose `Bytes` is the payload of an [`OwnedMessage`].
///
/// # Examples
/// ```
/// use framewire::{OwnedMessage, bytes::Bytes};
///
/// let payload = Bytes::from_static(b"hello");
/// assert_eq!(OwnedMessage::from(payload.clone()), OwnedMessage::Binary(payload));
/// ```
#[cfg(feature = "bytes")]
pub use bytes;
#[cfg(feature = "std")]
pub use error::{Close, Closed, Error, ErrorKind, Side, TryFeedError};
pub use frame::{CloseCode, ControlPayload, Opcode, Rsv, Violation};
#[cfg(feature = "handshake")]
pub use framewire_upgrade as upgrade;
/// The version of rustls whose configurations the feature `rustls` takes.
#[cfg(feature = "rustls")]
pub use framewire_upgrade::rustls;
#[cfg(feature = "std")]
pub use framewire_upgrade::{Duplicate, Fault, Socket, Timeouts, Untimed};
/// The crate whose types are in the signatures of the handshake.
#[cfg(feature = "handshake")]
pub use http;
#[cfg(feature = "bytes")]
pub use owned_message::{NotUtf8, OwnedMessage, Text};
#[cfg(feature = "alloc")]
pub use protocol::Message;
pub use protocol::{
    Limits, MessageKind, Outgoing, READ_LIMIT_LARGE, READ_LIMIT_SMALL, READ_LIMIT_STANDARD, Role,
    SendError, ToOutgoing,
};

/// Compiles the examples of the README with the tests.
#[cfg(all(doctest, feature = "tokio-net"))]
#[doc = include_str!("../README.md")]
struct Readme;
