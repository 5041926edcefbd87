//! The tokio front end: calls that are dropped and followed by others, tasks, ends.

mod byte_stream;
mod echo;
mod ends;
mod hammer;
mod split_cancel;
mod stream_and_sink;
mod timers;
