//! The rooms of a node: those that have clients here, who share what a task keeps of each.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use anyhow::Result;
use framewire::tokio::PreparedMessage;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::follow::Follow;
use crate::history::{History, Stored};
use crate::protocol::{Said, ToClient};
use crate::ring::{BeforeRing, Ring};

/// The rooms that have clients on this node.
#[derive(Debug)]
pub struct Rooms<H> {
    history: H,
    /// Counts the connections to NATS: with each new one messages may have been missed.
    connections: watch::Receiver<u64>,
    capacity: usize,
    open: Open,
}

type Open = Arc<Mutex<HashMap<String, Weak<Room>>>>;

/// A room that has clients on this node. Its task ends with the last of them.
#[derive(Debug)]
pub struct Room {
    name: String,
    open: Open,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

/// How far a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It reads what there is. Clients wait for it.
    Beginning,
    /// This is the number of the last message in the ring.
    At(u64),
    /// NATS no longer has what the ring has. Clients are to begin anew, in a room that does.
    Over,
}

/// What a room's task tells its clients.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Empty and from 0 before the room has begun.
    pub(crate) ring: RwLock<Ring<PreparedMessage>>,
    /// Set once the room has begun.
    pub(crate) era: OnceLock<String>,
    pub(crate) state: watch::Sender<State>,
}

impl<H: History> Rooms<H> {
    /// Makes the rooms of a node, each of which keeps this many messages.
    #[must_use]
    pub fn new(history: H, connections: watch::Receiver<u64>, capacity: usize) -> Self {
        Self {
            history,
            connections,
            capacity,
            open: Open::default(),
        }
    }

    /// Returns a room, which begins with its first client.
    pub fn room(&self, name: &str) -> Arc<Room> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(name).and_then(Weak::upgrade);
        if let Some(room) = &found
            && room.state() != State::Over
        {
            return Arc::clone(room);
        }
        let shared = Arc::new(Shared {
            ring: RwLock::new(Ring::new(0, self.capacity)),
            era: OnceLock::new(),
            state: watch::Sender::new(State::Beginning),
        });
        let follow = Follow {
            room: name.to_owned(),
            history: self.history.clone(),
            connections: self.connections.clone(),
            capacity: self.capacity,
            shared: Arc::clone(&shared),
        };
        let room = Arc::new(Room {
            name: name.to_owned(),
            open: Arc::clone(&self.open),
            shared,
            _task: AbortOnDropHandle::new(tokio::spawn(follow.run())),
        });
        open.insert(name.to_owned(), Arc::downgrade(&room));
        // Before the one that is over, which takes the lock when it is dropped.
        drop(open);
        room
    }

    #[must_use]
    pub fn history(&self) -> &H {
        &self.history
    }
}

impl Room {
    /// Returns what tells of each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    #[must_use]
    pub fn state(&self) -> State {
        *self.shared.state.borrow()
    }

    /// Returns the era of the room's numbers, once it has begun.
    #[must_use]
    pub fn era(&self) -> &str {
        self.shared.era.get().map_or("", String::as_str)
    }

    /// Returns up to `most` messages that follow the cursor, framed.
    ///
    /// # Errors
    /// They are in the history alone.
    pub fn after(
        &self,
        cursor: u64,
        most: usize,
    ) -> Result<Vec<(u64, PreparedMessage)>, BeforeRing> {
        let ring = &self.shared.ring;
        ring.read()
            .unwrap_or_else(PoisonError::into_inner)
            .after(cursor, most)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Another room of this name may have begun meanwhile.
        if open
            .get(&self.name)
            .is_some_and(|room| room.strong_count() == 0)
        {
            open.remove(&self.name);
        }
    }
}

/// NATS no longer has what clients have, or has something else under its numbers.
#[derive(Debug)]
pub(crate) struct IsOver;

impl fmt::Display for IsOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NATS has lost what it had stored: the room begins anew")
    }
}

/// Returns a message as clients get it.
pub fn said(stored: &Stored) -> Result<String> {
    Ok(serde_json::to_string(&ToClient::Said(Said {
        seq: stored.sequence,
        from: stored.from.as_str().into(),
        number: stored.number,
        text: stored.text.as_str().into(),
    }))?)
}
