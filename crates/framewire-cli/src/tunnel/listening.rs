//! What both ends do with a listener.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::log::Log;
use crate::serve::{PAUSE, is_of_one_connection};

/// Listens at `HOST:PORT`.
pub(super) async fn listen(address: &str) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Tells the user that connections are accepted, and where.
pub(super) fn announce(listener: &TcpListener, scheme: &str, tail: &str) -> Result<(), String> {
    let announced = listener.local_addr().and_then(|address| {
        let mut stdout = io::stdout();
        writeln!(stdout, "listening on {scheme}://{address}{tail}")?;
        stdout.flush()
    });
    announced.map_err(|error| format!("cannot print where to connect: {error}"))
}

/// Accepts a connection, however long it takes.
pub(super) async fn accept(listener: &TcpListener, log: Log) -> (TcpStream, SocketAddr) {
    let mut is_failing = false;
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        // It fails even if no connection waits, as when too many files are open.
        if !is_failing {
            is_failing = true;
            log.line(format_args!("cannot take connections: {error}"));
        }
        sleep(PAUSE).await;
    }
}
