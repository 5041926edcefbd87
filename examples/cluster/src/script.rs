//! NATS as tests have it: it stores and passes on what a test says, and any question can go wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::history::{Heard, History, Live, Replay, Stored};
use crate::protocol::Entry;

#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    era: u64,
    sequence: u64,
    /// The messages, each with its room.
    stored: Vec<(String, Stored)>,
    listeners: Vec<(String, mpsc::UnboundedSender<Heard>)>,
    asked: Vec<Question>,
    /// What happens at questions, by how many were asked before.
    acts: HashMap<usize, Act>,
    is_away: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Era,
    Live,
    Last,
    After,
    Page,
    Publish,
}

/// What happens when a question is asked, before the answer.
pub(crate) enum Act {
    Fail,
    Late(Duration),
    /// A page is answered by a replica that is behind.
    Behind,
    Do(Box<dyn FnOnce(&Script) + Send>),
}

impl Script {
    /// Has something happen at a question, counted from the next one.
    pub(crate) fn at(&self, index: usize, act: Act) {
        let mut inner = self.lock();
        let index = inner.asked.len() + index;
        inner.acts.insert(index, act);
    }

    /// Stores a message, and passes it on. Returns its number.
    pub(crate) fn say(&self, room: &str, text: &str) -> u64 {
        let previous = self.numbers(room).last().copied().unwrap_or(0);
        let sequence = self.store(room, text);
        self.pass_on(room, sequence, previous);
        sequence
    }

    /// Stores a message that does not come live. Returns its number.
    pub(crate) fn store(&self, room: &str, text: &str) -> u64 {
        let mut inner = self.lock();
        inner.sequence += 1;
        let stored = Stored {
            sequence: inner.sequence,
            from: "script".to_owned(),
            number: inner.sequence,
            text: text.to_owned(),
        };
        inner.stored.push((room.to_owned(), stored));
        inner.sequence
    }

    /// Passes on a message that is stored, as one that follows this one.
    pub(crate) fn pass_on(&self, room: &str, sequence: u64, previous: u64) {
        let inner = self.lock();
        let mut stored = inner.stored.iter().map(|(_, stored)| stored);
        let stored = stored.find(|stored| stored.sequence == sequence);
        let stored = stored.expect("stored").clone();
        let heard = Heard { stored, previous };
        for (_, listener) in inner.listeners.iter().filter(|(name, _)| name == room) {
            let _ = listener.send(heard.clone());
        }
    }

    /// Loses what is stored after this message: the numbers go on from there. Those of a stream that is made anew go on
    /// from 0, in another era.
    pub(crate) fn lose_after(&self, sequence: u64) {
        let mut inner = self.lock();
        inner
            .stored
            .retain(|(_, stored)| stored.sequence <= sequence);
        inner.sequence = sequence;
        inner.era += u64::from(sequence == 0);
    }

    pub(crate) fn go_away(&self) {
        self.lock().is_away = true;
    }

    /// Returns the numbers of a room's messages.
    pub(crate) fn numbers(&self, room: &str) -> Vec<u64> {
        let stored = self.of(room, 0);
        stored.iter().map(|stored| stored.sequence).collect()
    }

    /// Returns how often something was asked.
    pub(crate) fn asked(&self, question: Question) -> usize {
        let asked = &self.lock().asked;
        asked.iter().filter(|asked| **asked == question).count()
    }

    fn of(&self, room: &str, after: u64) -> Vec<Stored> {
        let inner = self.lock();
        let stored = inner.stored.iter();
        stored
            .filter(|(name, stored)| name == room && stored.sequence > after)
            .map(|(_, stored)| stored.clone())
            .collect()
    }

    /// Returns whether the answer is that of a replica that is behind.
    async fn ask(&self, question: Question) -> Result<bool> {
        let act = {
            let mut inner = self.lock();
            let index = inner.asked.len();
            inner.asked.push(question);
            inner.acts.remove(&index)
        };
        match act {
            None => {}
            Some(Act::Fail) => bail!("{question:?} fails"),
            Some(Act::Late(time)) => sleep(time).await,
            Some(Act::Behind) => return Ok(true),
            Some(Act::Do(act)) => act(self),
        }
        ensure!(self.is_connected(), "NATS is away");
        Ok(false)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl History for Script {
    type Replay = Pages;

    fn is_connected(&self) -> bool {
        !self.lock().is_away
    }

    async fn era(&self) -> Result<String> {
        self.ask(Question::Era).await?;
        Ok(self.lock().era.to_string())
    }

    async fn live(&self, room: &str) -> Result<Live> {
        self.ask(Question::Live).await?;
        let (sender, mut heard) = mpsc::unbounded_channel();
        self.lock().listeners.push((room.to_owned(), sender));
        Ok(poll_fn(move |context| heard.poll_recv(context)).boxed())
    }

    async fn last(&self, room: &str) -> Result<Option<Stored>> {
        self.ask(Question::Last).await?;
        Ok(self.of(room, 0).pop())
    }

    async fn after(&self, room: &str, sequence: u64) -> Result<Pages> {
        self.ask(Question::After).await?;
        Ok(Pages {
            script: self.clone(),
            room: room.to_owned(),
            cursor: sequence,
            pending: self.of(room, sequence).len() as u64,
        })
    }

    async fn publish(&self, entry: &Entry, _: u64, text: &str) -> Result<u64> {
        self.ask(Question::Publish).await?;
        Ok(self.say(&entry.room, text))
    }
}

/// What a room has after a message, two at a time.
pub(crate) struct Pages {
    script: Script,
    room: String,
    cursor: u64,
    pending: u64,
}

impl Replay for Pages {
    fn pending(&self) -> u64 {
        self.pending
    }

    async fn page(&mut self) -> Result<Vec<Stored>> {
        if self.pending == 0 || self.script.ask(Question::Page).await? {
            return Ok(Vec::new());
        }
        let mut page = self.script.of(&self.room, self.cursor);
        self.pending = page.len().saturating_sub(2) as u64;
        page.truncate(2);
        self.cursor = page.last().map_or(self.cursor, |last| last.sequence);
        Ok(page)
    }
}
