//! Every connection of the server, from the moment it was taken until it is gone.

use std::collections::{BTreeMap, HashMap};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use framewire::Duplicate as _;
use framewire::blocking::WriteHalf;
use framewire::frame::CloseCode;

use super::Stream;
use super::socket::SharedSocket;

/// How many connections may be before their handshake's end. One more ends the oldest of them, so
/// that those who send half a request and wait keep nobody out.
const MAX_HANDSHAKES: usize = 128;

/// The connections of one server, and how many may be open.
#[derive(Debug)]
pub(crate) struct Connections {
    max_open: usize,
    state: Mutex<State>,
    /// Notified when one is gone.
    gone: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    /// By age: ids only grow.
    handshakes: BTreeMap<u64, SharedSocket>,
    /// `None` while the answer to the handshake is being sent.
    open: HashMap<u64, Option<WriteHalf<Stream>>>,
    ending: bool,
}

impl Connections {
    pub(crate) fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self {
            max_open,
            state: Mutex::default(),
            gone: Condvar::new(),
        })
    }

    /// Takes a connection in, unless the server is ending.
    pub(crate) fn begin(self: &Arc<Self>, socket: SharedSocket) -> Option<Connection> {
        let mut state = self.state();
        if state.ending {
            return None;
        }
        if state.handshakes.len() == MAX_HANDSHAKES {
            state.end_oldest_handshake();
        }
        let id = state.next_id;
        state.next_id += 1;
        state.handshakes.insert(id, socket);
        Some(Connection {
            id,
            connections: Arc::clone(self),
        })
    }

    /// Ends the handshake that has taken the longest, if there is one.
    pub(crate) fn end_oldest_handshake(&self) {
        self.state().end_oldest_handshake();
    }

    /// Closes every connection with 1001 and gives the peers this long to answer.
    pub(crate) fn end(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut state = self.state();
        state.ending = true;
        while !state.handshakes.is_empty() {
            state.end_oldest_handshake();
        }
        for writer in state.open.values_mut().filter_map(Option::take) {
            // One that does not read would hold up all the others.
            let _ = thread::Builder::new().spawn(move || going_away(&writer));
        }
        while !state.open.is_empty() {
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

impl State {
    fn end_oldest_handshake(&mut self) {
        if let Some((_, socket)) = self.handshakes.pop_first() {
            // Its thread wakes up to the end of the stream. A socket that is gone already is well.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// One connection's place among the others, left when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    connections: Arc<Connections>,
}

impl Connection {
    /// Takes one of the places for open connections, if one is free.
    pub(crate) fn reserve(&self) -> bool {
        let mut state = self.connections.state();
        if state.open.len() == self.connections.max_open {
            return false;
        }
        state.handshakes.remove(&self.id);
        state.open.insert(self.id, None);
        true
    }

    /// Hands over what the server closes the connection with when it ends.
    pub(crate) fn opened(&self, writer: WriteHalf<Stream>) {
        let mut state = self.connections.state();
        if state.ending {
            drop(state);
            going_away(&writer);
        } else {
            state.open.insert(self.id, Some(writer));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.handshakes.remove(&self.id);
        state.open.remove(&self.id);
        self.connections.gone.notify_all();
    }
}

fn going_away(writer: &WriteHalf<Stream>) {
    // A connection that cannot be written to is gone, or is when the program is.
    let _ = writer.close(CloseCode::GOING_AWAY, "server is shutting down");
}
