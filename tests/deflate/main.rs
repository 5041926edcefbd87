//! permessage-deflate: engines, contexts, pools, hostile input, faults.

mod blocking;
mod check;
mod contexts;
mod distances;
mod engine_kinds;
mod engines;
mod faults;
mod foreign;
mod hostile;
mod memory;
mod negotiation;
mod pool;
mod session;
