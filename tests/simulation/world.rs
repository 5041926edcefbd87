//! What all parts of one simulation share: its random numbers, its tasks, its record, and what happened.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::end::GIVES_UP;
use crate::ledger::Ledger;
use crate::random::Random;

/// One of the two ends: 0 is the client, 1 the server.
pub type Side = usize;

pub struct World {
    random: RefCell<Random>,
    /// What each end sent, and how much of it has arrived.
    pub ledgers: [RefCell<Ledger>; 2],
    spawned: RefCell<Vec<Spawned>>,
    /// How many calls have moved bytes, or taken some.
    pub moves: Cell<usize>,
    /// Whether what happens is printed.
    is_told: bool,
    began: Instant,
    fingerprint: Cell<u64>,
}

/// A task that has yet to be polled.
pub struct Spawned {
    pub name: String,
    pub future: Pin<Box<dyn Future<Output = ()>>>,
}

impl World {
    pub fn new(random: Random, is_told: bool) -> Rc<Self> {
        Rc::new(Self {
            random: RefCell::new(random),
            ledgers: Default::default(),
            spawned: RefCell::default(),
            moves: Cell::default(),
            is_told,
            began: Instant::now(),
            fingerprint: Cell::default(),
        })
    }

    pub fn random<R>(&self, draw: impl FnOnce(&mut Random) -> R) -> R {
        draw(&mut self.random.borrow_mut())
    }

    /// Returns `true` once in so many times.
    pub fn once_in(&self, times: usize) -> bool {
        self.random(|random| random.once_in(times))
    }

    pub fn up_to(&self, most: usize) -> usize {
        self.random(|random| random.up_to(most))
    }

    /// Returns a time from 0 to `most` milliseconds, which is as fine as the timers are.
    pub fn milliseconds(&self, most: usize) -> Duration {
        Duration::from_millis(self.random(|random| random.below(most + 1)) as u64)
    }

    /// Records that an end did something, for which the other one has to wait.
    pub fn moved(&self) {
        self.moves.update(|moves| moves + 1);
    }

    /// Records that an end did this now, with so many bytes.
    pub fn record(&self, side: Side, what: &str, len: usize) {
        self.fold((self.began.elapsed(), side, what, len));
    }

    /// Has the fingerprint follow from this, too.
    pub fn fold(&self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.fingerprint.get(), what).hash(&mut hasher);
        self.fingerprint.set(hasher.finish());
    }

    /// Returns a number that follows from all that was recorded, the same each time.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.get()
    }

    /// Prints what happened, where that was asked for.
    pub fn tell(&self, side: Side, what: impl FnOnce() -> String) {
        if self.is_told {
            let (end, now) = (["client", "server"][side], self.began.elapsed().as_millis());
            println!("{now:>7} ms {end}: {}", what());
        }
    }

    pub fn spawn(&self, name: impl Into<String>, future: impl Future<Output = ()> + 'static) {
        let (name, future) = (name.into(), Box::pin(future));
        self.spawned.borrow_mut().push(Spawned { name, future });
    }

    pub fn take_spawned(&self) -> Vec<Spawned> {
        self.spawned.take()
    }
}

/// How long nothing has happened.
pub struct Stillness {
    world: Rc<World>,
    moves: usize,
    since: Instant,
}

impl Stillness {
    pub fn new(world: &Rc<World>) -> Self {
        Self {
            world: Rc::clone(world),
            moves: world.moves.get(),
            since: Instant::now(),
        }
    }

    /// Whether an end that waits for that gives up.
    pub fn is_long(&mut self) -> bool {
        let moves = self.world.moves.get();
        if moves != self.moves {
            (self.moves, self.since) = (moves, Instant::now());
        }
        self.since.elapsed() > GIVES_UP
    }
}
