//! What the tasks of one thread of the load share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::{Notify, Semaphore, watch};

use super::phase::{Clock, Event, Live, Phase};
use crate::bench::busy::Busy;
use crate::bench::content::Content;
use crate::bench::plan::Plan;
use crate::bench::record::Record;
use crate::bench::target::{Agreed, Target};
use crate::bench::trouble::Kind;

/// What a thread shall do.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) thread: usize,
    pub(super) plan: Arc<Plan>,
    pub(super) target: Arc<Target>,
    pub(super) content: Arc<Content>,
    pub(super) clock: Clock,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) events: Sender<Event>,
    pub(super) live: Arc<Live>,
}

/// What a thread has measured.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) record: Record,
    pub(super) agreed: Option<Agreed>,
    /// When the last connection sent no more.
    pub(super) ended: u64,
    /// The number of the message of the schedule that would have come next.
    pub(super) next: u64,
    pub(super) busy: Option<Busy>,
}

/// What the tasks of a thread share.
pub(super) struct Crew {
    pub(super) plan: Arc<Plan>,
    pub(super) target: Arc<Target>,
    pub(super) clock: Clock,
    pub(super) live: Arc<Live>,
    pub(super) content: Arc<Content>,
    pub(super) record: RefCell<Record>,
    /// Bounds how many connections are being opened at a time.
    pub(super) opening: Semaphore,
    /// The number of the message of the schedule that comes next.
    pub(super) next: Cell<u64>,
    agreed: RefCell<Option<Agreed>>,
    /// How many connections have not been tried yet.
    untried: Cell<usize>,
    events: Sender<Event>,
    /// How many connections still send, or may.
    sending: Cell<usize>,
    ended: Cell<u64>,
    end: Notify,
}

impl Crew {
    /// Creates what the tasks of a thread with so many connections share.
    pub(super) fn new(orders: &Orders, connections: usize) -> Result<Self, String> {
        Ok(Self {
            plan: Arc::clone(&orders.plan),
            target: Arc::clone(&orders.target),
            clock: orders.clock,
            live: Arc::clone(&orders.live),
            content: Arc::clone(&orders.content),
            record: RefCell::new(Record::new(&orders.plan)?),
            opening: Semaphore::new(AT_A_TIME),
            next: Cell::new(0),
            agreed: RefCell::default(),
            untried: Cell::new(connections),
            events: orders.events.clone(),
            sending: Cell::new(connections),
            ended: Cell::new(0),
            end: Notify::new(),
        })
    }

    /// Notes that a connection was tried, and what was agreed on if it is open.
    pub(super) fn tried(&self, agreed: Option<Agreed>) {
        self.live.try_one(agreed.is_some());
        if self.agreed.borrow().is_none() {
            self.agreed.replace(agreed);
        }
        self.untried.set(self.untried.get() - 1);
        if self.untried.get() == 0 {
            // It fails only if the leading thread has ended.
            let _ = self.events.send(Event::Ready);
        }
    }

    pub(super) fn trouble(&self, kind: Kind, text: impl fmt::Display) {
        self.live.trouble();
        self.record.borrow_mut().troubles.add(kind, text);
    }

    /// Notes that a connection sends no more.
    pub(super) fn leave(&self) {
        self.ended.set(self.clock.now());
        self.sending.set(self.sending.get() - 1);
        if self.sending.get() == 0 {
            self.end.notify_one();
        }
    }

    /// Waits until no connection sends any more.
    pub(super) async fn end(&self) {
        self.end.notified().await;
    }

    /// Takes what was measured.
    pub(super) fn outcome(&self, busy: Option<Busy>) -> Result<Outcome, String> {
        let nothing = Record::new(&self.plan)?;
        Ok(Outcome {
            record: self.record.replace(nothing),
            agreed: self.agreed.take(),
            ended: self.ended.get(),
            next: self.next.get(),
            busy,
        })
    }
}

/// How many connections of a thread are being opened at a time.
const AT_A_TIME: usize = 32;
