//! The engine with a tokio task for each connection.
//!
//! The handshake is a task of its own, which is gone when the connection is open. So a connection at rest holds
//! a small task, a socket and a session, and its buffers are those of the thread.

mod connection;
mod socket;
mod stream;

use std::net::{self, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{io, mem};

use slab::Slab;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use super::request::NoRequest;
use super::server::{GRACE, PAUSE, Server, is_of_one_connection, on_signal};
use super::slots::{Slot, Slots};

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
    let engine = Arc::new(Tasks {
        slots: Mutex::new(Slots::new(server.max_connections)),
        server,
        is_ending: AtomicBool::new(false),
        waiting: Mutex::default(),
        gone: Notify::new(),
    });
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
                Tasks::begin(engine, socket, peer);
                continue;
            }
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        if !failing {
            failing = true;
            let server = &engine.server;
            server.log(format_args!("cannot take connections: {error}"));
        }
        // Ending the oldest handshake frees the descriptor and the memory that may be missing.
        drop(engine.slots().take_oldest_handshake());
        sleep(PAUSE).await;
    }
}

/// The state that all tasks share.
#[derive(Debug)]
struct Tasks {
    server: Server,
    /// Dropping the sender ends the handshake.
    slots: Mutex<Slots<oneshot::Sender<()>>>,
    is_ending: AtomicBool,
    /// The tasks of open connections, to be woken when the server is ending. A `Notify` would need more memory
    /// for each.
    waiting: Mutex<Slab<Waker>>,
    /// Notified when a connection is gone.
    gone: Notify,
}

impl Tasks {
    /// Starts a task for a new connection.
    fn begin(this: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        if this.is_ending() {
            return;
        }
        let (sender, displaced) = oneshot::channel();
        let (slot, oldest) = this.slots().begin(sender);
        drop(oldest);
        let slot_guard = SlotGuard {
            slot,
            waiting: None,
            engine: Arc::clone(this),
        };
        tokio::spawn(connection::begin(socket, peer, slot_guard, displaced));
    }

    /// Closes every connection with 1001 and gives the peers some time to answer.
    async fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        while let Some(oldest) = self.slots().take_oldest_handshake() {
            drop(oldest);
        }
        for (_, waker) in mem::take(&mut *lock(&self.waiting)) {
            waker.wake();
        }
        let all_gone = async {
            while !self.slots().is_empty() {
                self.gone.notified().await;
            }
        };
        // Connections that are left then are dropped.
        let _ = timeout(GRACE, all_gone).await;
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Returns why a handshake has lost its slot.
    fn displacement(&self) -> NoRequest {
        if self.is_ending() {
            return NoRequest::Ending;
        }
        NoRequest::Displaced
    }

    fn slots(&self) -> MutexGuard<'_, Slots<oneshot::Sender<()>>> {
        lock(&self.slots)
    }
}

/// The slot of one connection. Dropping it leaves the slot.
#[derive(Debug)]
struct SlotGuard {
    slot: Slot,
    /// The key of its task in `Tasks::waiting`.
    waiting: Option<usize>,
    engine: Arc<Tasks>,
}

impl SlotGuard {
    /// Takes a slot for an open connection, if one is free.
    fn open(&mut self) -> bool {
        self.engine.slots().open(&mut self.slot)
    }

    /// Is ready if the server is ending. Otherwise registers the task to be woken when it is; it must be the
    /// same task in all calls.
    fn poll_ending(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.waiting.is_none() {
            let task = lock(&self.engine.waiting).insert(cx.waker().clone());
            self.waiting = Some(task);
        }
        // If the server began to end before the task was registered, nothing wakes it.
        if self.engine.is_ending() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.engine.slots().leave(&self.slot);
        if let Some(task) = self.waiting {
            lock(&self.engine.waiting).try_remove(task);
        }
        // Stored until the ending server waits for it.
        self.engine.gone.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
