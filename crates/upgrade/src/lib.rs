//! HTTP/1.1 Upgrade for any protocol, both ends (RFC 9110 7.8, RFC 9112).
//!
//! An HTTP/1.1 connection becomes a connection of another protocol when a client asks for it in
//! a `GET` request and the server answers 101. This crate reads and writes the two heads, checks
//! them, and hands the stream back together with the bytes that came after the head. It knows
//! nothing of the protocol that follows.
//!
//! # A server, in two steps
//!
//! [`receive`] reads a request. The program examines it, and then either accepts or answers with a response of its
//! own.
//!
//! ```no_run
//! use framewire_upgrade::{Limits, receive};
//! use http::{HeaderMap, Response};
//! use std::net::TcpListener;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let (stream, _) = listener.accept()?;
//! let pending = receive(stream, &Limits::default())?;
//! if pending.request().uri().path() == "/echo" {
//!     let upgraded = pending.accept(&["echo/1"], HeaderMap::new())?;
//!     let echo_stream = upgraded.into_rewind();
//! # drop(echo_stream);
//! } else {
//!     pending.refuse(&Response::builder().status(404).body("no such thing\n")?)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A client
//!
//! [`request`] asks over a stream that is already connected. A [`Dialer`] connects to the host of the request's URI
//! first: names and addresses, proxies, and TLS with the feature `rustls`.
//!
//! ```no_run
//! use framewire_upgrade::{Dialer, Limits, UpgradeError};
//! use http::{Request, Response};
//!
//! let request = Request::get("http://echo.example/").header("upgrade", "echo/1").body(())?;
//! let accept_any = |_: &Response<()>| Ok::<_, UpgradeError>(());
//! let upgraded = Dialer::new().dial_and_request(request, &Limits::default(), accept_any)?;
//! # drop(upgraded);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Over tokio
//!
//! With the feature `tokio`, the module of that name has the same calls as futures.
//!
//! # Without I/O
//!
//! An event loop feeds what has arrived to a [`RequestDecoder`] (a client: [`ResponseDecoder`]), asks [`respond`] for
//! the answer and writes what [`encode_response`] returns. Nothing in that path reads, writes or uses a clock; the
//! event loop then keeps the time limit.
//!
//! # What a peer can cost
//!
//! Memory for one head is bounded by [`Limits::head_bytes`], its parsed form by the same and [`Limits::headers`], time
//! by [`Limits::time`]. Every byte of a head is examined once while it arrives and once more when the head is
//! complete, however it is cut.
//!
//! # Features
//!
//! | feature | default | adds | depends on |
//! |---|---|---|---|
//! | none | | [`Socket`], [`Duplicate`] and [`Untimed`]: what blocking calls need from a stream | nothing |
//! | `http` | yes | all that is above | `http`, `httparse`, `base64` |
//! | `rustls` | | TLS: `https`, `TlsStream` | `rustls`, `rustls-native-certs` |
//! | `tokio` | | with `http`: `tokio`, over `AsyncRead + AsyncWrite` | `tokio` (I/O traits, time) |
//! | `tokio-net` | | `tokio::dial` | tokio's `net` and `rt` |
//! | `tokio-rustls` | | TLS for it | `tokio-rustls` |
//!
//! Without `http` this crate has no dependency. It then holds what a protocol needs whose connections come from
//! somewhere else: the trait `Socket` and its errors, which are the same with and without an upgrade.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "http")]
mod blocking;
mod cause;
#[cfg(feature = "http")]
mod dial;
#[cfg(feature = "http")]
mod error;
#[cfg(feature = "http")]
mod exchange;
mod fault;
#[cfg(feature = "http")]
mod head;
#[cfg(feature = "http")]
pub mod layer;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod recorder;
mod socket;
#[cfg(feature = "http")]
mod syntax;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(all(feature = "http", feature = "tokio"))]
pub mod tokio;

pub use cause::write_with_causes;
pub use fault::Fault;
pub use socket::{Duplicate, Socket, Timeouts, Untimed};
#[cfg(feature = "rustls")]
pub use {blocking::TlsStream, rustls};
#[cfg(feature = "http")]
pub use {
    blocking::{Stream, receive, request},
    dial::{Dialer, Proxies, Proxy},
    error::{UpgradeError, UpgradeErrorKind},
    exchange::{PendingUpgrade, Rewind, Upgraded},
    head::{
        IncompleteBody, Limits, RequestDecoder, ResponseDecoder, check_extended_connect_response,
        check_response, encode_request, encode_response, respond, respond_extended_connect,
    },
};
