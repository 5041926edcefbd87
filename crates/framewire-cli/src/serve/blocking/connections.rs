//! All connections of the server, each from accepting it until it is gone.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use framewire::Duplicate as _;
use framewire::blocking::WriteHalf;
use framewire::frame::CloseCode;
use slab::Slab;

use super::socket::{SharedSocket, Stream};
use crate::serve::request::NoRequest;
use crate::serve::server::GOODBYE;
use crate::serve::slots::{Slot, Slots};

/// The connections of one server, and how many may be open.
#[derive(Debug)]
pub(crate) struct Connections {
    state: Mutex<State>,
    /// Notified when a connection is gone.
    gone: Condvar,
}

#[derive(Debug)]
struct State {
    slots: Slots<SharedSocket>,
    /// Of the open connections, once the answer to the handshake is sent.
    writers: Slab<WriteHalf<Stream>>,
    ending: bool,
}

impl Connections {
    pub(crate) fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                slots: Slots::new(max_open),
                writers: Slab::new(),
                ending: false,
            }),
            gone: Condvar::new(),
        })
    }

    /// Adds a connection, unless the server is ending.
    pub(crate) fn begin(self: &Arc<Self>, socket: SharedSocket) -> Option<Connection> {
        let mut state = self.state();
        if state.ending {
            return None;
        }
        let (slot, oldest) = state.slots.begin(socket);
        end_handshake(oldest);
        Some(Connection {
            slot,
            writer: None,
            connections: Arc::clone(self),
        })
    }

    /// Ends the oldest handshake, if there is one.
    pub(crate) fn end_oldest_handshake(&self) {
        end_handshake(self.state().slots.take_oldest_handshake());
    }

    /// Closes every connection with 1001 and gives the peers `grace` to answer.
    pub(crate) fn end(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut state = self.state();
        state.ending = true;
        while let Some(oldest) = state.slots.take_oldest_handshake() {
            end_handshake(Some(oldest));
        }
        for (_, writer) in &state.writers {
            let mut writer = writer.clone();
            // In a thread of its own, since a peer that does not read would hold up all the others.
            let _ = thread::Builder::new().spawn(move || going_away(&mut writer));
        }
        while !state.slots.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.gone.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_handshake(socket: Option<SharedSocket>) {
    if let Some(socket) = socket {
        // The connection's thread sees the end of the stream. It fails if the socket is gone already.
        let _ = socket.abort();
    }
}

/// The slot of one connection. Dropping it leaves the slot.
#[derive(Debug)]
pub(crate) struct Connection {
    slot: Slot,
    /// The key of its writer in `State::writers`.
    writer: Option<usize>,
    connections: Arc<Connections>,
}

impl Connection {
    /// Takes a slot for an open connection, if one is free.
    pub(crate) fn reserve(&mut self) -> bool {
        self.connections.state().slots.open(&mut self.slot)
    }

    /// Returns why the server ended the handshake, if it did.
    pub(crate) fn displacement(&self) -> Option<NoRequest> {
        let state = self.connections.state();
        if !state.slots.has_lost(&self.slot) {
            return None;
        }
        Some(if state.ending {
            NoRequest::Ending
        } else {
            NoRequest::Displaced
        })
    }

    /// Stores the writer, to close the connection when the server ends.
    pub(crate) fn opened(&mut self, mut writer: WriteHalf<Stream>) {
        let mut state = self.connections.state();
        if state.ending {
            drop(state);
            going_away(&mut writer);
        } else {
            self.writer = Some(state.writers.insert(writer));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.slots.leave(&self.slot);
        if let Some(writer) = self.writer {
            state.writers.remove(writer);
        }
        self.connections.gone.notify_all();
    }
}

fn going_away(writer: &mut WriteHalf<Stream>) {
    // It fails if the connection is gone, or will be when the program ends.
    let _ = writer.close(CloseCode::GOING_AWAY, GOODBYE);
}
