//! Releases messages when they are due.

use super::connection::Lane;
use super::crew::Orders;
use super::phase::Phase;
use super::timer::Timer;
use crate::bench::plan::{Schedule, Window};

/// Releases the messages of a thread when they are due, until the end. What is due on a connection that is closed goes
/// to the next one that is open.
pub(super) async fn release(orders: &Orders, rate: f64, window: &Window, lanes: &[Lane]) {
    let schedule = Schedule::new(&orders.plan, orders.thread, rate);
    let mut timer = Timer::new();
    let mut number = 0;
    loop {
        let (lane, after) = schedule.due(number);
        let due = window.start.saturating_add(after);
        // The user has had enough, or the time is over.
        if due >= window.to || *orders.phase.borrow() == Phase::Ended {
            return;
        }
        let now = orders.clock.now();
        if due > now {
            timer.sleep(due - now).await;
            continue;
        }
        let (before, from) = lanes.split_at(lane);
        if let Some(lane) = from.iter().chain(before).find(|lane| lane.is_open()) {
            lane.release(due);
        }
        number += 1;
        if number % BURST == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// How many messages are released before the connections have their turn.
const BURST: u64 = 64;
