//! HTTP/1.1 Upgrade for any protocol, both ends (RFC 9110 7.8, RFC 9112).
//!
//! An HTTP/1.1 connection becomes a connection of another protocol when a client asks for it in
//! a `GET` request and the server answers 101. This module reads and writes the two heads, checks
//! them, and hands the stream back together with the bytes that came after the head. It knows
//! nothing of the protocol that follows.
//!
//! # A server, in two steps
//!
//! [`receive`] reads a request, the program looks at it, and then either accepts or answers with a
//! response of its own.
//!
//! ```no_run
//! use framewire::upgrade::{self, Limits};
//! use http::{HeaderMap, Response};
//! use std::net::TcpListener;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let (stream, _) = listener.accept()?;
//! let pending = upgrade::receive(stream, &Limits::default())?;
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
//! [`request`] asks over a stream that is connected already; a [`Dialer`] connects to the host of the
//! request's URI first: names and addresses, proxies, and TLS with the feature `rustls`.
//!
//! ```no_run
//! use framewire::upgrade::{self, Dialer, Limits};
//! use http::Request;
//!
//! let request = Request::get("http://echo.example/").header("upgrade", "echo/1").body(())?;
//! let accept_any = |_: &http::Response<()>| Ok::<_, upgrade::Error>(());
//! let upgraded = Dialer::new().request(request, &Limits::default(), accept_any)?;
//! # drop(upgraded);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Without I/O
//!
//! An event loop feeds whatever arrived to a [`RequestDecoder`] (a client: [`ResponseDecoder`]),
//! asks [`respond`] for the answer and writes what [`encode_response`] gives. Nothing in that path
//! reads, writes or looks at a clock; the time limit is then the event loop's to keep.
//!
//! # What a peer can cost
//!
//! Memory for one head is bounded by [`Limits::head_bytes`], its parsed form by the same and
//! [`Limits::headers`], time by [`Limits::time`]. Every byte of a head is looked at once while it
//! arrives and once more when it is complete, however it is cut.

mod body;
mod client;
mod deadline;
mod dial;
mod encode;
mod error;
mod extended_connect;
mod head;
mod host;
mod limits;
mod list;
mod negotiate;
mod percent;
mod request;
mod response;
mod rewind;
mod server;
mod timed;
#[cfg(feature = "rustls")]
mod tls;
mod upgraded;
mod wire;

pub use client::request;
pub(crate) use client::request_over;
pub(crate) use deadline::Deadline;
pub(crate) use dial::Target;
#[cfg(feature = "tokio-rustls")]
pub(crate) use dial::check_alpn;
pub(crate) use dial::nodelay_failed;
pub use dial::{Dialer, Proxies, Proxy, Stream};
#[cfg(feature = "tokio-net")]
pub(crate) use dial::{Endpoint, Network, no_connection, not_resolved};
pub use encode::{encode_request, encode_response};
pub use error::{Error, ErrorKind};
pub(crate) use extended_connect::{check_extended_connect_response, respond_extended_connect};
pub(crate) use host::split_host;
pub use limits::Limits;
pub(crate) use list::{is_token, lists};
pub use negotiate::{check_response, respond};
pub(crate) use percent::encode as percent_encode;
pub use request::RequestDecoder;
pub(crate) use request::hide_credentials;
pub use response::ResponseDecoder;
pub use rewind::Rewind;
pub(crate) use server::receive_over;
pub use server::{Pending, receive};
pub(crate) use timed::Timed;
#[cfg(feature = "rustls")]
pub use tls::TlsStream;
#[cfg(feature = "tokio-rustls")]
pub(crate) use tls::{broken, refused, server_name, unusable};
pub use upgraded::Upgraded;
#[cfg(feature = "tokio-net")]
pub(crate) use wire::Peek;
pub(crate) use wire::{Wire, finish};
