//! One thread of the load, with its share of the connections.

use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep_until;

use super::connection::{self, Lane};
use super::crew::{Crew, Orders, Outcome};
use super::pacer;
use super::phase::{Event, begun};
use crate::bench::busy::{Busy, Usage};
use crate::bench::plan::{Pace, Window};

/// Runs one thread until all of its connections are closed.
pub(super) fn work(orders: &Orders) -> Result<Outcome, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot wait for connections: {error}"))?;
    let outcome = LocalSet::new().block_on(&runtime, employ(orders));
    // It fails only if the leading thread has ended.
    let _ = orders.events.send(Event::Done);
    outcome
}

async fn employ(orders: &Orders) -> Result<Outcome, String> {
    let share = orders.plan.share(orders.thread);
    let crew = Rc::new(Crew::new(orders, share)?);
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
    crew.outcome(busy)
}

/// Releases messages when they are due, if that is the plan, until no connection sends any more. Returns how busy the
/// thread was while it was measured.
async fn attend(orders: &Orders, crew: &Crew, lanes: &[Lane]) -> Option<Busy> {
    let mut phase = orders.phase.clone();
    let window = begun(&mut phase).await?;
    let pace = async {
        if let Pace::Open(rate) = orders.plan.pace {
            pacer::release(orders, rate, &window, lanes, &crew.next).await;
        }
        pending::<()>().await;
    };
    tokio::select! {
        busy = watch_usage(crew, &window) => busy,
        () = pace => None,
    }
}

/// Waits until no connection sends any more. Returns how busy the thread was from the end of the warm-up until then, or
/// until the time is over: while it waits for the last answers it has less to do.
async fn watch_usage(crew: &Crew, window: &Window) -> Option<Busy> {
    let mut end = pin!(crew.end());
    tokio::select! {
        () = sleep_until(crew.clock.instant(window.from)) => {}
        () = &mut end => return None,
    }
    let (before, from) = (Usage::of_this_thread(), crew.clock.now());
    let has_ended = tokio::select! {
        () = sleep_until(crew.clock.instant(window.to)) => false,
        () = &mut end => true,
    };
    let time = Duration::from_nanos(crew.clock.now() - from);
    let after = Usage::of_this_thread();
    if !has_ended {
        end.await;
    }
    after?.since(before?, time)
}
