//! What only the tokio front end has: tasks and whom they wake, calls of several that are dropped, timers, ends.

mod byte_stream;
mod clock_jump;
mod echo;
mod ends;
mod hammer;
mod keep_alive;
mod shared_pool;
mod sink_of_a_half;
mod split;
mod split_cancel;
mod split_end;
mod stream_and_sink;
mod timers;
