//! What a message and a connection cost: allocations, memory, system calls, work.

mod allocations;
mod at_rest;
mod connection;
mod hostile;
mod memory_held;
mod messages;
mod session;
mod stalled_writes;
mod system_calls;
mod uses;
