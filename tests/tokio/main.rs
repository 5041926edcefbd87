//! The tokio front end: wake-ups, cancellation at every await, tasks, faults, ends.

mod cancel_deflate;
mod cancel_reads;
mod cancel_writes;
mod echo;
mod ends;
mod faults;
mod hammer;
mod resting_buffer;
mod split_cancel;
mod stream_and_sink;
mod timers;
