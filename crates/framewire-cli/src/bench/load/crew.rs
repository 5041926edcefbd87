//! One thread of the load, with its share of the connections.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep_until;

use super::connection::{self, Lane};
use super::pacer;
use super::phase::{Clock, Live, Phase, begun};
use super::{Event, Plan, Target, Window};
use crate::bench::busy::{Busy, Usage};
use crate::bench::content::Content;
use crate::bench::plan::Pace;
use crate::bench::record::Record;
use crate::bench::target::Agreed;
use crate::bench::trouble::Kind;

/// What a thread shall do.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) thread: usize,
    pub(super) plan: Arc<Plan>,
    pub(super) target: Arc<Target>,
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
    pub(super) busy: Option<Busy>,
}

/// Runs one thread until all of its connections are closed.
pub(super) fn work(orders: &Orders) -> Result<Outcome, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot wait for connections: {error}"))?;
    let outcome = LocalSet::new().block_on(&runtime, employ(orders));
    // It fails only if the leading thread has ended.
    let _ = orders.events.send(Event::Done);
    outcome
}

/// What the tasks of a thread share.
pub(super) struct Crew {
    pub(super) plan: Arc<Plan>,
    pub(super) target: Arc<Target>,
    pub(super) clock: Clock,
    pub(super) live: Arc<Live>,
    pub(super) content: Content,
    pub(super) record: RefCell<Record>,
    /// Bounds how many connections are being opened at a time.
    pub(super) opening: Semaphore,
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

    pub(super) fn trouble(&self, kind: Kind, text: impl std::fmt::Display) {
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
}

async fn employ(orders: &Orders) -> Result<Outcome, String> {
    let share = orders.plan.share(orders.thread);
    let crew = Rc::new(Crew {
        plan: Arc::clone(&orders.plan),
        target: Arc::clone(&orders.target),
        clock: orders.clock,
        live: Arc::clone(&orders.live),
        content: Content::new(orders.plan.size, orders.plan.binary),
        record: RefCell::new(Record::new(&orders.plan)?),
        opening: Semaphore::new(AT_A_TIME),
        agreed: RefCell::default(),
        untried: Cell::new(share),
        events: orders.events.clone(),
        sending: Cell::new(share),
        ended: Cell::new(0),
        end: Notify::new(),
    });
    let lanes: Rc<[Lane]> = (0..share).map(|_| Lane::default()).collect();
    let mut tasks = Vec::with_capacity(share);
    for number in 0..share {
        let (crew, lanes, phase) = (Rc::clone(&crew), Rc::clone(&lanes), orders.phase.clone());
        let seed = (orders.thread + number * orders.plan.threads) as u64;
        tasks.push(spawn_local(async move {
            connection::serve(&crew, &lanes[number], phase, seed).await;
        }));
    }
    let busy = attend(orders, &crew, &lanes).await;
    for task in tasks {
        task.await.map_err(|error| error.to_string())?;
    }
    let record = Record::new(&orders.plan)?;
    Ok(Outcome {
        record: crew.record.replace(record),
        agreed: crew.agreed.take(),
        ended: crew.ended.get(),
        busy,
    })
}

/// Releases messages when they are due, if that is the plan, until no connection sends any more, and returns how busy the
/// thread was while it was measured.
async fn attend(orders: &Orders, crew: &Crew, lanes: &[Lane]) -> Option<Busy> {
    let mut phase = orders.phase.clone();
    let window = begun(&mut phase).await?;
    let pace = async {
        if let Pace::Open(rate) = orders.plan.pace {
            pacer::release(orders, rate, &window, lanes).await;
        }
        pending::<()>().await;
    };
    tokio::select! {
        busy = watch_usage(crew, &window) => busy,
        () = pace => None,
    }
}

/// Returns how busy the thread was, from the end of the warm-up until no connection sends any more.
async fn watch_usage(crew: &Crew, window: &Window) -> Option<Busy> {
    let start = sleep_until(crew.clock.instant(window.from));
    tokio::select! {
        () = start => {}
        () = crew.end.notified() => return None,
    }
    let (before, from) = (Usage::of_this_thread(), crew.clock.now());
    crew.end.notified().await;
    let time = Duration::from_nanos(crew.clock.now() - from);
    Usage::of_this_thread()?.since(before?, time)
}

/// How many connections of a thread are being opened at a time.
const AT_A_TIME: usize = 32;
