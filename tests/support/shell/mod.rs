//! The front ends by the same names, so that one case runs over both.

pub mod blocking;
pub mod tokio;
