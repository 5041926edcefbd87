//! What the conformance tests share: frames whose bytes can be checked by eye, a scripted peer, an
//! oracle written from the text of RFC 6455, and every front end behind one trait.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "all of it is part of tests, and a test panics where it fails"
)]

pub mod arbitrary;
pub mod connection;
pub mod event;
pub mod frames;
pub mod front_end;
pub mod oracle;
pub mod peer;
pub mod rfc3629;
pub mod wait;
