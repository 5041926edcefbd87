//! The cases over the blocking front end, and what only that has.

use support::shell::blocking as shell;

mod halves;
mod options;
#[path = "cases/proxy.rs"]
mod proxy;
#[path = "cases/redirect.rs"]
mod redirect;
mod secure;
#[path = "cases/tcp.rs"]
mod tcp;
#[path = "cases/tls.rs"]
mod tls;
mod tls_stream;
