//! The cases over the tokio front end, and what only that has.

use support::shell::tokio as shell;

#[path = "cases/client.rs"]
mod client;
mod futures;
#[path = "cases/refusals.rs"]
mod refusals;
#[path = "cases/server.rs"]
mod server;
