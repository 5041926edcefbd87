//! What the threads of a run share: its clock, its phase, and what they have done so far.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::bench::plan::{Window, nanos};

/// What tells the thread that leads a run that it shall go on.
#[derive(Debug)]
pub(crate) enum Event {
    /// A thread has tried to open all of its connections.
    Ready,
    /// A thread has ended.
    Done,
    /// The user wants it to end.
    Interrupted,
}

/// The clock of a run, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

/// What the connections shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connect, and wait.
    Connecting,
    /// Send messages.
    Running(Window),
    /// Send no more.
    Ended,
}

/// Waits until messages are to be sent; returns `None` where the run was ended before. Holds no lock afterwards, which
/// would keep the leading thread from changing the phase.
pub(super) async fn begun(phase: &mut watch::Receiver<Phase>) -> Option<Window> {
    let begun = phase.wait_for(|phase| *phase != Phase::Connecting).await;
    match begun.as_deref() {
        Ok(Phase::Running(window)) => Some(*window),
        _ => None,
    }
}

/// Waits until no message is to be sent any more.
pub(super) async fn ended(phase: &mut watch::Receiver<Phase>) {
    // It fails if the leading thread has ended, which is an end, too.
    let _ = phase.wait_for(|phase| *phase == Phase::Ended).await;
}

/// What a thread has done so far.
#[derive(Debug, Default)]
pub(super) struct Live {
    tried: AtomicU64,
    connected: AtomicU64,
    answers: AtomicU64,
    troubles: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> u64 {
        nanos(self.0.elapsed())
    }

    /// Returns the time as tokio's timer has it.
    pub(super) fn instant(&self, time: u64) -> tokio::time::Instant {
        (self.0 + Duration::from_nanos(time.min(FAR))).into()
    }
}

impl Live {
    pub(super) fn tried(&self) -> u64 {
        self.tried.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub(super) fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::Relaxed)
    }

    /// Notes that a connection was tried, and whether it is open.
    pub(super) fn try_one(&self, is_open: bool) {
        self.connected
            .fetch_add(u64::from(is_open), Ordering::Relaxed);
        self.tried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn trouble(&self) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
    }
}

/// 30 years, within the range of clocks.
const FAR: u64 = 1_000_000_000 * 86_400 * 365 * 30;
