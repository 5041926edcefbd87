//! The rooms of a node: one task for each that has clients here keeps the last messages, framed once for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::Subscriber;
use framewire::tokio::PreparedMessage;
use futures_util::StreamExt as _;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::history::{History, Stored};
use crate::protocol::{Said, ToClient};
use crate::ring::{BeforeRing, Place, Ring};

/// The rooms that have clients on this node.
#[derive(Debug)]
pub struct Rooms {
    history: History,
    /// Counts the connections to NATS: with each new one messages may have been missed.
    connections: watch::Receiver<u64>,
    capacity: usize,
    open: Mutex<HashMap<String, Weak<Room>>>,
}

/// A room that has clients on this node. Its task ends with the last of them.
#[derive(Debug)]
pub struct Room {
    name: String,
    rooms: Weak<Rooms>,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Empty and from 0 before the room has begun.
    ring: RwLock<Ring<PreparedMessage>>,
    /// The number of the last message in the ring. `None` until the room has begun.
    last: watch::Sender<Option<u64>>,
}

impl Rooms {
    /// Makes the rooms of a node, each of which keeps this many messages.
    #[must_use]
    pub fn new(history: History, connections: watch::Receiver<u64>, capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            history,
            connections,
            capacity,
            open: Mutex::default(),
        })
    }

    /// Returns a room, which begins with its first client.
    pub fn room(self: &Arc<Self>, name: &str) -> Arc<Room> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = open.get(name).and_then(Weak::upgrade) {
            return room;
        }
        let shared = Arc::new(Shared {
            ring: RwLock::new(Ring::new(0, self.capacity)),
            last: watch::Sender::new(None),
        });
        let follow = Follow {
            room: name.to_owned(),
            history: self.history.clone(),
            connections: self.connections.clone(),
            capacity: self.capacity,
            shared: Arc::clone(&shared),
            known: 0,
        };
        let room = Arc::new(Room {
            name: name.to_owned(),
            rooms: Arc::downgrade(self),
            shared,
            _task: AbortOnDropHandle::new(tokio::spawn(follow.run())),
        });
        open.insert(name.to_owned(), Arc::downgrade(&room));
        room
    }

    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }
}

impl Room {
    /// Returns what tells of each change: the number of the last message, `None` until the room has begun.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<u64>> {
        self.shared.last.subscribe()
    }

    /// Returns the number of the last message, `None` until the room has begun.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        *self.shared.last.borrow()
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
        let Some(rooms) = self.rooms.upgrade() else {
            return;
        };
        let mut open = rooms.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Another room of this name may have begun meanwhile.
        if open
            .get(&self.name)
            .is_some_and(|room| room.strong_count() == 0)
        {
            open.remove(&self.name);
        }
    }
}

/// What keeps the ring of one room.
struct Follow {
    room: String,
    history: History,
    connections: watch::Receiver<u64>,
    capacity: usize,
    shared: Arc<Shared>,
    /// A message that is stored, as one that came live has said.
    known: u64,
}

impl Follow {
    async fn run(mut self) {
        let mut wait = FIRST_RETRY;
        let mut live = loop {
            match self.begin().await {
                Ok(live) => break live,
                Err(error) => eprintln!("room {}: cannot begin: {error:#}", self.room),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LAST_RETRY);
        };
        loop {
            if let Err(error) = self.follow(&mut live).await {
                eprintln!("room {}: {error:#}", self.room);
                sleep(FIRST_RETRY).await;
            }
        }
    }

    /// Subscribes, then asks for the last message: what is stored after that one comes through the subscription.
    async fn begin(&self) -> Result<Subscriber> {
        let live = self.history.live(&self.room).await?;
        let last = self.history.last(&self.room).await?;
        *self.ring() = Ring::new(last, self.capacity);
        self.shared.last.send_replace(Some(last));
        Ok(live)
    }

    /// Takes over what is stored, until something fails.
    async fn follow(&mut self, live: &mut Subscriber) -> Result<()> {
        // Something may have failed before.
        self.catch_up().await?;
        let mut look = Instant::now() + SILENCE;
        loop {
            select! {
                message = live.next() => {
                    let message = message.context("the subscription has ended")?;
                    look = Instant::now() + SILENCE;
                    let Some((stored, previous)) = Stored::live(&message) else {
                        continue;
                    };
                    let place = self.ring().place(stored.sequence, previous);
                    match place {
                        Place::Next => self.push(&stored)?,
                        Place::Known => {}
                        Place::AfterGap => {
                            self.known = stored.sequence;
                            self.catch_up().await?;
                        }
                    }
                }
                changed = self.connections.changed() => {
                    changed.context("the node ends")?;
                    self.catch_up().await?;
                }
                // A message may be lost that no other follows.
                () = sleep_until(look) => {
                    self.catch_up().await?;
                    look = Instant::now() + SILENCE;
                }
            }
        }
    }

    /// Reads what is stored after the ring's last message.
    async fn catch_up(&self) -> Result<()> {
        let last = self.ring().last();
        // The answer may come from a replica that is behind.
        if last >= self.known && last >= self.history.last(&self.room).await? {
            return Ok(());
        }
        let mut replay = self.history.after(&self.room, last).await?;
        loop {
            let page = replay.page().await?;
            if page.is_empty() {
                let last = self.ring().last();
                ensure!(
                    last >= self.known,
                    "the history ends at {last}, before {}",
                    self.known
                );
                return Ok(());
            }
            for stored in &page {
                self.push(stored)?;
            }
        }
    }

    fn push(&self, stored: &Stored) -> Result<()> {
        let framed = PreparedMessage::new(said(stored)?)?;
        if self.ring().push(stored.sequence, framed) {
            self.shared.last.send_replace(Some(stored.sequence));
        }
        Ok(())
    }

    fn ring(&self) -> RwLockWriteGuard<'_, Ring<PreparedMessage>> {
        let ring = &self.shared.ring;
        ring.write().unwrap_or_else(PoisonError::into_inner)
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

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How long a room is silent before it is asked whether something was missed.
const SILENCE: Duration = Duration::from_secs(10);
