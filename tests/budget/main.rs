//! What a message and a connection cost: allocations, memory, system calls, work.

mod allocations;
mod deflate_allocations;
mod hostile_memory;
mod linear_work;
mod memory_held;
mod system_calls;
mod tokio_allocations;
mod tokio_system_calls;
