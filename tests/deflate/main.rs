//! permessage-deflate: engines, contexts, pools, hostile input, faults.

mod check;
mod connections;
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
mod ways;
