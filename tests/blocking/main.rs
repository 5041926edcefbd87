//! The blocking front end: reading, writing, threads, ends.

mod byte_stream;
mod keep_alive;
mod shutdown;
mod split;
mod writing;
