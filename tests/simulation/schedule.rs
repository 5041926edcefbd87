//! Tasks that are polled in an order that follows from the seed.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::unconstrained;
use tokio::time::timeout;

use crate::world::World;

struct Task {
    name: String,
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

struct Woken {
    is_woken: AtomicBool,
    schedule: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        let schedule = self.schedule.lock().expect("no panic while it is held");
        schedule.iter().for_each(Waker::wake_by_ref);
    }
}

/// Runs what `begin` spawns, and all that this spawns, to its end, in a time that passes only while all wait.
pub fn run(begin: impl FnOnce() -> Rc<World>) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets");
    runtime.block_on(async {
        let world = begin();
        let mut tasks = Vec::new();
        // The budget of tokio's tasks is of one poll, and here all tasks go on in one.
        let all = unconstrained(poll_fn(|cx| poll_all(&world, &mut tasks, cx)));
        let ended = timeout(LONGEST, all).await;
        let waiting: Vec<_> = tasks.iter().map(|task| &task.name).collect();
        assert!(ended.is_ok(), "these wait for ever: {waiting:?}");
    });
}

fn poll_all(world: &World, tasks: &mut Vec<Task>, cx: &Context<'_>) -> Poll<()> {
    let schedule = Arc::new(Mutex::new(Some(cx.waker().clone())));
    for task in tasks.iter_mut() {
        *task.woken.schedule.lock().expect("as above") = Some(cx.waker().clone());
    }
    for _ in 0..MOST_POLLS {
        for spawned in world.take_spawned() {
            let woken = Arc::new(Woken {
                is_woken: AtomicBool::new(true),
                schedule: Arc::clone(&schedule),
            });
            let (name, future) = (spawned.name, spawned.future);
            tasks.push(Task {
                name,
                future,
                woken,
            });
        }
        if tasks.is_empty() {
            return Poll::Ready(());
        }
        let is_woken = |task: &Task| task.woken.is_woken.load(Ordering::SeqCst);
        let mut ready: Vec<_> = (0..tasks.len()).filter(|&n| is_woken(&tasks[n])).collect();
        if ready.is_empty() {
            return Poll::Pending;
        }
        if world.once_in(SPURIOUS) {
            ready = (0..tasks.len()).collect();
        }
        let chosen = world.random(|random| random.pick(&ready));
        let task = &mut tasks[chosen];
        task.woken.is_woken.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&task.woken));
        if task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            tasks.swap_remove(chosen);
        }
    }
    let names: Vec<_> = tasks.iter().map(|task| &task.name).collect();
    panic!("these wake each other for ever: {names:?}");
}

/// How often a task is polled that nobody woke.
const SPURIOUS: usize = 40;
/// Without time passing.
const MOST_POLLS: usize = 1 << 16;
/// Far longer than the longest wait of any end.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
