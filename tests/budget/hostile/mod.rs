//! What a peer can do to us (DESIGN 6), and what it costs.
//!
//! An attack has a size. `peak` has the most memory that is held under one of many times that size, `work` the calls of
//! the stream and the allocations of twice the size, and `instructions` is what `cargo xtask linear` counts.
//! `SECURITY.md` says which tests hold what is promised.

mod attack;
mod compressed;
mod frames;
mod heads;
mod instructions;
mod peak;
mod work;
