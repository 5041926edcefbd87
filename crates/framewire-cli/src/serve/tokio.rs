//! The engine with a task of tokio's for each connection.
//!
//! The handshake is a task of its own, which is gone when the connection is open: so one at rest
//! holds a small task, a socket and a session, and its buffers are those of the thread.

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

use super::places::{Place, Places};
use super::request::Lack;
use super::{GRACE, PAUSE, Server, is_of_one_connection, on_signal};

/// Serves until a signal comes, on so many threads.
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
        places: Mutex::new(Places::new(server.max_connections)),
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
    // The connections that are left have had their time.
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
        // Its descriptor and its memory may be what is missing.
        drop(engine.places().take_oldest_handshake());
        sleep(PAUSE).await;
    }
}

/// What the tasks have in common.
#[derive(Debug)]
struct Tasks {
    server: Server,
    /// A handshake ends when its sender is dropped.
    places: Mutex<Places<oneshot::Sender<()>>>,
    is_ending: AtomicBool,
    /// The tasks of open connections, to be woken when the server is ending. A `Notify` would cost each of
    /// them more.
    waiting: Mutex<Slab<Waker>>,
    /// Notified when a connection is gone.
    gone: Notify,
}

impl Tasks {
    /// Gives a new connection a task of its own.
    fn begin(this: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        if this.is_ending() {
            return;
        }
        let (sender, displaced) = oneshot::channel();
        let (place, oldest) = this.places().begin(sender);
        drop(oldest);
        let seat = Seat {
            place,
            waiting: None,
            engine: Arc::clone(this),
        };
        tokio::spawn(connection::begin(socket, peer, seat, displaced));
    }

    /// Closes every connection with 1001 and gives the peers a while to answer.
    async fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        while let Some(oldest) = self.places().take_oldest_handshake() {
            drop(oldest);
        }
        for (_, waker) in mem::take(&mut *lock(&self.waiting)) {
            waker.wake();
        }
        let all_gone = async {
            while !self.places().is_empty() {
                self.gone.notified().await;
            }
        };
        // Those that are left then are given up.
        let _ = timeout(GRACE, all_gone).await;
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Why a handshake has lost its place.
    fn displacement(&self) -> Lack {
        if self.is_ending() {
            return Lack::Ending;
        }
        Lack::Displaced
    }

    fn places(&self) -> MutexGuard<'_, Places<oneshot::Sender<()>>> {
        lock(&self.places)
    }
}

/// One connection's place among the others, left when this is dropped.
#[derive(Debug)]
struct Seat {
    place: Place,
    /// Of its task among those that wait.
    waiting: Option<usize>,
    engine: Arc<Tasks>,
}

impl Seat {
    /// Takes one of the places for open connections, if one is free.
    fn open(&mut self) -> bool {
        self.engine.places().open(&mut self.place)
    }

    /// Whether the server is ending. Else the task, which is always the same, is woken when it is.
    fn poll_ending(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.waiting.is_none() {
            let task = lock(&self.engine.waiting).insert(cx.waker().clone());
            self.waiting = Some(task);
        }
        // One that came too late to be woken sees this.
        if self.engine.is_ending() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.engine.places().leave(&self.place);
        if let Some(task) = self.waiting {
            lock(&self.engine.waiting).try_remove(task);
        }
        // What is told is kept until somebody listens.
        self.engine.gone.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
