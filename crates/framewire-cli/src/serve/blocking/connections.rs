//! Every connection of the server, from the moment it was taken until it is gone.

use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use framewire::Duplicate as _;
use framewire::blocking::WriteHalf;
use framewire::frame::CloseCode;
use slab::Slab;

use super::Stream;
use super::socket::SharedSocket;
use crate::serve::GOODBYE;
use crate::serve::places::{Place, Places};
use crate::serve::request::Lack;

/// The connections of one server, and how many may be open.
#[derive(Debug)]
pub(crate) struct Connections {
    state: Mutex<State>,
    /// Notified when one is gone.
    gone: Condvar,
}

#[derive(Debug)]
struct State {
    places: Places<SharedSocket>,
    /// Of the open ones, once the answer to the handshake is sent.
    writers: Slab<WriteHalf<Stream>>,
    ending: bool,
}

impl Connections {
    pub(crate) fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                places: Places::new(max_open),
                writers: Slab::new(),
                ending: false,
            }),
            gone: Condvar::new(),
        })
    }

    /// Takes a connection in, unless the server is ending.
    pub(crate) fn begin(self: &Arc<Self>, socket: SharedSocket) -> Option<Connection> {
        let mut state = self.state();
        if state.ending {
            return None;
        }
        let (place, oldest) = state.places.begin(socket);
        end_handshake(oldest);
        Some(Connection {
            place,
            writer: None,
            connections: Arc::clone(self),
        })
    }

    /// Ends the handshake that has taken the longest, if there is one.
    pub(crate) fn end_oldest_handshake(&self) {
        end_handshake(self.state().places.take_oldest_handshake());
    }

    /// Closes every connection with 1001 and gives the peers this long to answer.
    pub(crate) fn end(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut state = self.state();
        state.ending = true;
        while let Some(oldest) = state.places.take_oldest_handshake() {
            end_handshake(Some(oldest));
        }
        for (_, writer) in &state.writers {
            let writer = writer.clone();
            // One that does not read would hold up all the others.
            let _ = thread::Builder::new().spawn(move || going_away(&writer));
        }
        while !state.places.is_empty() {
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
        // Its thread wakes up to the end of the stream. A socket that is gone already is well.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// One connection's place among the others, left when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    place: Place,
    /// Which of the writers is its own.
    writer: Option<usize>,
    connections: Arc<Connections>,
}

impl Connection {
    /// Takes one of the places for open connections, if one is free.
    pub(crate) fn reserve(&mut self) -> bool {
        self.connections.state().places.open(&mut self.place)
    }

    /// Why the handshake was ended from here, if it was.
    pub(crate) fn displacement(&self) -> Option<Lack> {
        let state = self.connections.state();
        if !state.places.has_lost(&self.place) {
            return None;
        }
        Some(if state.ending {
            Lack::Ending
        } else {
            Lack::Displaced
        })
    }

    /// Hands over what the server closes the connection with when it ends.
    pub(crate) fn opened(&mut self, writer: WriteHalf<Stream>) {
        let mut state = self.connections.state();
        if state.ending {
            drop(state);
            going_away(&writer);
        } else {
            self.writer = Some(state.writers.insert(writer));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.places.leave(&self.place);
        if let Some(writer) = self.writer {
            state.writers.remove(writer);
        }
        self.connections.gone.notify_all();
    }
}

fn going_away(writer: &WriteHalf<Stream>) {
    // A connection that cannot be written to is gone, or is when the program is.
    let _ = writer.close(CloseCode::GOING_AWAY, GOODBYE);
}
