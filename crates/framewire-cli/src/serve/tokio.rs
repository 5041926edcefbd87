//! The engine with a tokio task for each connection.
//!
//! The handshake is a task of its own, which is gone when the connection is open. So a connection at rest holds
//! a small task, a socket and a session, and its buffers are those of the thread.

mod connection;
mod socket;
mod stream;
mod tasks;

use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use self::tasks::{SlotGuard, Tasks};
use super::server::{PAUSE, Server, is_of_one_connection, on_signal};

/// Serves with `threads` threads until a signal comes.
pub(crate) fn run(
    server: Server,
    listener: net::TcpListener,
    threads: usize,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot wait for connections: {error}");
    let runtime = runtime(threads).map_err(failed)?;
    let signal = Arc::new(Notify::new());
    let signalled = Arc::clone(&signal);
    on_signal(move || signal.notify_one())?;
    listener.set_nonblocking(true).map_err(failed)?;
    socket::set_write_timeout(server.write_timeout);
    server.announce(&listener)?;
    let engine = Arc::new(Tasks::new(server));
    let result = runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let ended = async {
            signalled.notified().await;
            engine.end().await;
        };
        tokio::select! {
            () = accept_forever(&listener, &engine) => {}
            () = ended => {}
        }
        Ok(())
    });
    // The remaining connections have had their time.
    runtime.shutdown_background();
    result.map_err(failed)
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    let mut builder = if threads == 1 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads);
        builder
    };
    builder.enable_all().build()
}

async fn accept_forever(listener: &TcpListener, engine: &Arc<Tasks>) {
    let mut failing = false;
    loop {
        let error = match listener.accept().await {
            Ok((socket, peer)) => {
                failing = false;
                begin(engine, socket, peer);
                continue;
            }
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        // It fails even if no connection waits. Ending the oldest handshake frees the descriptor and the memory that
        // may be missing.
        if failing {
            drop(engine.slots().take_oldest_handshake());
        } else {
            failing = true;
            let server = &engine.server;
            server.log(format_args!("cannot take connections: {error}"));
        }
        sleep(PAUSE).await;
    }
}

/// Starts a task for a new connection.
fn begin(engine: &Arc<Tasks>, socket: TcpStream, peer: SocketAddr) {
    if engine.is_ending() {
        return;
    }
    let (sender, displaced) = oneshot::channel();
    let (slot, oldest) = engine.slots().begin(sender);
    drop(oldest);
    let slot_guard = SlotGuard::new(slot, Arc::clone(engine));
    tokio::spawn(connection::begin(socket, peer, slot_guard, displaced));
}
