//! The load: threads with connections, told by one thread when to begin and when to end.

mod connection;
mod crew;
mod pacer;
mod phase;
mod thread;
mod timer;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub(crate) use self::phase::Event;

use self::crew::{Orders, Outcome};
use self::phase::{Clock, Live, Phase};
use super::busy::Busy;
use super::content::Content;
use super::plan::{Pace, Plan, Schedule, Window};
use super::progress::Progress;
use super::record::Record;
use super::target::{Agreed, Target};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) record: Record,
    /// How many connections were opened.
    pub(crate) connected: u64,
    /// `None` if there was no connection.
    pub(crate) agreed: Option<Agreed>,
    /// When it was measured.
    pub(crate) window: Window,
    /// How long it was measured.
    pub(crate) measured: Duration,
    /// What the threads did meanwhile, of which that is known.
    pub(crate) busy: Vec<Busy>,
    pub(crate) was_interrupted: bool,
}

/// Opens the connections, sends messages as the plan says, and closes the connections.
pub(crate) fn run(
    target: &Arc<Target>,
    plan: &Arc<Plan>,
    progress: &Progress,
    (events, happened): (Sender<Event>, Receiver<Event>),
) -> Result<Run, String> {
    let (phase, orders) = watch::channel(Phase::Connecting);
    let mut lead = Lead {
        clock: Clock::new(),
        crews: Vec::new(),
        phase,
        happened,
        ready: 0,
        done: 0,
        interrupted: None,
    };
    let content = Arc::new(Content::new(plan.size, plan.binary));
    for thread in 0..plan.threads {
        let live = Arc::new(Live::default());
        let orders = Orders {
            thread,
            plan: Arc::clone(plan),
            target: Arc::clone(target),
            content: Arc::clone(&content),
            clock: lead.clock,
            phase: orders.clone(),
            events: events.clone(),
            live: Arc::clone(&live),
        };
        let work = Builder::new().spawn(move || thread::work(&orders));
        let work = work.map_err(|error| format!("cannot start a thread: {error}"))?;
        lead.crews.push((live, work));
    }
    drop((events, orders));
    // A thread that could not begin has ended.
    let is_ready = |lead: &Lead| lead.ready + lead.ended() >= plan.threads;
    lead.wait(is_ready, |lead| {
        progress.connecting(lead.sum(Live::tried), plan.connections as u64);
    });
    if lead.sum(Live::connected) > 0 {
        sleep(SETTLING);
    }
    let window = Window::new(lead.clock.now(), plan);
    if lead.interrupted.is_some() || lead.sum(Live::connected) == 0 {
        lead.phase.send_replace(Phase::Ended);
    } else {
        lead.phase.send_replace(Phase::Running(window));
    }
    let is_done = |lead: &Lead| lead.done.max(lead.ended()) >= plan.threads;
    lead.wait(is_done, |lead| {
        let (now, answers) = (lead.clock.now(), lead.sum(Live::answers));
        progress.running(&window, now, answers, lead.sum(Live::troubles));
    });
    progress.end();
    lead.outcome(plan, &window)
}

type Work = JoinHandle<Result<Outcome, String>>;

/// The thread that leads a run.
struct Lead {
    clock: Clock,
    crews: Vec<(Arc<Live>, Work)>,
    phase: watch::Sender<Phase>,
    happened: Receiver<Event>,
    /// How many threads have tried to open all of their connections.
    ready: usize,
    /// How many threads have closed all of their connections.
    done: usize,
    /// When the user has had enough.
    interrupted: Option<u64>,
}

impl Lead {
    /// Takes what happens until it is enough, and calls `tell` once in a while.
    fn wait(&mut self, is_enough: impl Fn(&Self) -> bool, tell: impl Fn(&Self)) {
        let mut told = Instant::now();
        while !is_enough(self) {
            match self.happened.recv_timeout(BETWEEN) {
                Ok(Event::Ready) => self.ready += 1,
                Ok(Event::Done) => self.done += 1,
                Ok(Event::Interrupted) => {
                    self.interrupted = Some(self.clock.now());
                    self.phase.send_replace(Phase::Ended);
                }
                Err(_) => {}
            }
            if told.elapsed() >= BETWEEN {
                told = Instant::now();
                tell(self);
            }
        }
    }

    /// Returns how many threads have ended, as they should or not.
    fn ended(&self) -> usize {
        let crews = self.crews.iter();
        crews.filter(|(_, work)| work.is_finished()).count()
    }

    fn sum(&self, count: impl Fn(&Live) -> u64) -> u64 {
        self.crews.iter().map(|(live, _)| count(live)).sum()
    }

    fn outcome(self, plan: &Plan, window: &Window) -> Result<Run, String> {
        let connected = self.sum(Live::connected);
        let mut run = Run {
            record: Record::new(plan)?,
            connected,
            agreed: None,
            window: *window,
            measured: Duration::ZERO,
            busy: Vec::new(),
            was_interrupted: self.interrupted.is_some(),
        };
        let (mut ended, mut next) = (0, Vec::new());
        for (_, work) in self.crews {
            let outcome = work.join().map_err(|_| "a thread has failed")??;
            run.record.merge(outcome.record)?;
            run.agreed = run.agreed.or(outcome.agreed);
            run.busy.extend(outcome.busy);
            ended = ended.max(outcome.ended);
            next.push(outcome.next);
        }
        run.window.to = ended.clamp(window.from, window.to);
        if let Pace::Open(rate) = plan.pace {
            let end = self.interrupted.unwrap_or(u64::MAX).min(run.window.to);
            let due = window.from - window.start..end.saturating_sub(window.start);
            for (thread, next) in next.into_iter().enumerate() {
                let schedule = Schedule::new(plan, thread, rate);
                let unconnected = schedule.count(next, due.clone());
                run.record.counts.lack_connection(unconnected);
            }
        }
        run.measured = Duration::from_nanos(run.window.to - window.from);
        Ok(run)
    }
}

/// How long a server has to send what it sends unasked, such as a greeting, before the first message.
const SETTLING: Duration = Duration::from_millis(100);

/// How often progress is told.
const BETWEEN: Duration = Duration::from_millis(100);
