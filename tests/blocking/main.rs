//! What only the blocking front end has: threads, time-outs, streams that do not block.

mod byte_stream;
mod driven_keep_alive;
mod keep_alive;
mod shutdown;
mod split;
mod writing;
