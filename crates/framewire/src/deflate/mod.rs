//! permessage-deflate: compression of messages (RFC 7692).
//!
//! A [`Deflate`] is one end's policy, with the engine that compresses and the pool that its contexts come from. Give
//! it to an [`Acceptor`](crate::handshake::Acceptor) or a [`Connector`](crate::handshake::Connector). Every connection
//! whose peer agrees then compresses its messages:
//!
//! ```no_run
//! # #[cfg(feature = "deflate")] fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use framewire::deflate::{Deflate, DeflateConfig};
//! use framewire::{Config, accept_with, handshake::Acceptor};
//!
//! let acceptor = Acceptor::new().deflate(Deflate::new(DeflateConfig::default())?);
//! # let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
//! let mut websocket = accept_with(stream, &acceptor, Config::default())?;
//! # Ok(()) }
//! # #[cfg(not(feature = "deflate"))] fn main() {}
//! ```
//!
//! # Engines
//! The feature `deflate` brings the default engine, `ZlibRs`. The feature `miniz_oxide` brings another, `Miniz`, which
//! is safe Rust alone; it is slower, and worse at windows below 15 bits. To plug in any other library, implement
//! [`Engine`]. `check_engine`, called in a test with the feature `deflate`, tells whether it keeps to the rules.
//! [`Deflate::with_engine`] takes any engine.
//!
//! # What is accepted from a peer
//! A block with BFINAL set ends the window: what follows refers to nothing before it, as where zlib starts over. A
//! message that breaks off inside a block is delivered as far as it goes. A compressed message of no bytes at all is
//! an empty message. Programs that use zlib do all three.
//!
//! # Memory
//! With context takeover, a connection holds a context for each direction, from its first compressed message to its
//! end. Without, it takes one from the pool for each message. With the default engine a decompressor holds 47 KiB, and
//! a compressor, in KiB:
//!
//! | window bits | memory level 8 | 5 | 1 |
//! |---|---|---|---|
//! | 15 | 372 | 274 | 261 |
//! | 12 | 260 | 162 | 149 |
//! | 9 | 246 | 148 | 135 |
//!
//! With `Miniz`, a decompressor always holds 43 KiB and a compressor 312 KiB.

mod agreement;
#[cfg(feature = "deflate")]
mod check;
mod deflater;
mod engine;
#[cfg(feature = "handshake")]
mod handshake;
mod inflater;
#[cfg(feature = "miniz_oxide")]
mod miniz;
mod negotiate;
mod pool;
#[cfg(feature = "deflate")]
mod zlib;

pub use agreement::Negotiated;
#[cfg(feature = "deflate")]
pub use check::{EngineFault, check_engine};
pub use engine::{Compressor, Decompressor, Engine, EngineError, Flush, Progress};
#[cfg(feature = "miniz_oxide")]
pub use miniz::Miniz;
pub use negotiate::{AnswerError, BEST_SPEED, DeflateConfig, InvalidConfig, Parameters};
pub use pool::Deflate;
#[cfg(feature = "deflate")]
pub use zlib::ZlibRs;
