//! The opening handshake, and HTTP/1.1 Upgrade beneath it, over scripted streams.

mod blocking;
mod conversions;
mod deflate;
mod extension;
mod head;
mod tokio;
mod without_io;
