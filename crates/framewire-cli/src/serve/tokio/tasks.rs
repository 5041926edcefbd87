//! What the tasks of the engine share, and how each learns that the server is ending.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::serve::request::NoRequest;
use crate::serve::server::{GRACE, Server};
use crate::serve::slots::{Slot, Slots};

/// The state that all tasks share.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) server: Server,
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
    pub(super) fn new(server: Server) -> Self {
        Self {
            slots: Mutex::new(Slots::new(server.max_connections)),
            server,
            is_ending: AtomicBool::new(false),
            waiting: Mutex::default(),
            gone: Notify::new(),
        }
    }

    /// Closes every connection with 1001 and gives the peers some time to answer.
    pub(super) async fn end(&self) {
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

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Returns why a handshake has lost its slot.
    pub(super) fn displacement(&self) -> NoRequest {
        if self.is_ending() {
            return NoRequest::Ending;
        }
        NoRequest::Displaced
    }

    pub(super) fn slots(&self) -> MutexGuard<'_, Slots<oneshot::Sender<()>>> {
        lock(&self.slots)
    }
}

/// The slot of one connection. Dropping it leaves the slot.
#[derive(Debug)]
pub(super) struct SlotGuard {
    slot: Slot,
    /// The key of its task in `Tasks::waiting`.
    waiting: Option<usize>,
    pub(super) engine: Arc<Tasks>,
}

impl SlotGuard {
    pub(super) fn new(slot: Slot, engine: Arc<Tasks>) -> Self {
        Self {
            slot,
            waiting: None,
            engine,
        }
    }

    /// Takes a slot for an open connection, if one is free.
    pub(super) fn open(&mut self) -> bool {
        self.engine.slots().open(&mut self.slot)
    }

    /// Is ready if the server is ending. Otherwise registers the task to be woken when it is; it must be the
    /// same task in all calls.
    pub(super) fn poll_ending(&mut self, cx: &Context<'_>) -> Poll<()> {
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
