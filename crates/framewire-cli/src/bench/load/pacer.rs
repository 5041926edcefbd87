//! Releases messages when they are due.

use std::cell::Cell;

use super::connection::Lane;
use super::crew::Orders;
use super::phase::Phase;
use super::timer::Timer;
use crate::bench::plan::{Schedule, Window, nanos};

/// Releases the messages of a thread when they are due, until the end or until no connection is open. What is due on a
/// connection that is closed goes to the next one that is open. `next` is the number of the message that comes next,
/// and in the end [`NONE`].
pub(super) async fn release(
    orders: &Orders,
    rate: f64,
    window: &Window,
    lanes: &[Lane],
    next: &Cell<u64>,
) {
    let schedule = Schedule::new(&orders.plan, orders.thread, rate);
    let due_at = |number| {
        let (lane, after) = schedule.due(number);
        (lane, window.start.saturating_add(after))
    };
    // From then on connections send none of what is released.
    let too_late = window.to.saturating_add(nanos(orders.plan.answer_timeout));
    let (mut timer, mut number) = (Timer::new(), 0);
    loop {
        // All that is due by now: a bench that is overloaded leaves none out, but lets connections have their turn.
        let now = orders.clock.now();
        let (mut lane, mut due) = due_at(number);
        let at_a_time = if now < too_late {
            AT_A_TIME
        } else {
            TOO_LATE_AT_A_TIME
        };
        let last = number.saturating_add(at_a_time);
        while due <= now && due < window.to && number < last {
            let (before, from) = lanes.split_at(lane);
            let Some(open) = from.iter().chain(before).find(|lane| lane.is_open()) else {
                return;
            };
            open.release(due);
            number += 1;
            next.set(number);
            (lane, due) = due_at(number);
        }
        // The time is over, or the user has had enough.
        if due >= window.to || *orders.phase.borrow() == Phase::Ended {
            break;
        }
        let now = orders.clock.now();
        if due > now {
            timer.sleep(due - now).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
    next.set(NONE);
    lanes.iter().for_each(Lane::release_no_more);
}

/// In place of the number of the message that comes next, where none does.
pub(super) const NONE: u64 = u64::MAX;

/// How many messages are released before connections have their turn.
const AT_A_TIME: u64 = 1024;
const TOO_LATE_AT_A_TIME: u64 = 1 << 18;
