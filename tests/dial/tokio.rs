//! The cases over the tokio front end, and what only that has.

use support::shell::tokio as shell;

mod establish;
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
