//! What every way to have a connection does alike, and what any peer can send.

mod any_input;
mod auto_traits;
mod byte_stream;
mod cancel;
mod changing_calls;
mod closed;
mod connection;
mod connection_calls;
mod error_causes;
mod errors;
mod extension_bits;
mod faults;
mod handlers;
mod hostile_floods;
mod hostile_frames;
mod hostile_slow_reader;
mod leftover;
mod limits;
mod reader_ends;
mod reading;
mod replies;
mod round_trip;
mod session;
mod streamed;
mod try_feed;
mod writing;
