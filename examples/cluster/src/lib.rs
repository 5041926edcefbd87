//! A chat with rooms over any number of nodes, on NATS. `README.md` says how it works and what it costs.

pub mod connection;
pub mod crowd;
mod follow;
pub mod history;
pub mod nats;
pub mod node;
pub mod protocol;
pub mod ring;
pub mod room;
#[cfg(test)]
mod script;
pub mod serve;
