//! What a peer can do to us (DESIGN 6), and what it costs.

mod attack;
mod compressed;
mod frames;
mod heads;
mod instructions;
mod peak;
mod work;
