//! The cases over the blocking front end, and what only that has.

use support::shell::blocking as shell;

#[path = "cases/client.rs"]
mod client;
mod client_time_outs;
#[path = "cases/refusals.rs"]
mod refusals;
#[path = "cases/server.rs"]
mod server;
mod server_streams;
