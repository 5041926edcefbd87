//! Tasks without a runtime: each is polled when it was woken, and a wake-up that is lost is seen.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::peer::ScriptedPeer;

/// Counts how often its task was woken.
#[derive(Debug, Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// Some tasks over one stream.
pub struct Tasks<'a> {
    stream: ScriptedPeer,
    all: Vec<Task<'a>>,
    /// Whether each is polled now and then although nobody woke it.
    pub spurious: bool,
}

struct Task<'a> {
    future: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    woken: Arc<Count>,
    waker: Waker,
}

impl Task<'_> {
    /// Says whether it is done.
    fn poll(&mut self) -> bool {
        let Some(future) = &mut self.future else {
            return true;
        };
        let mut cx = Context::from_waker(&self.waker);
        if future.as_mut().poll(&mut cx).is_ready() {
            self.future = None;
        }
        self.future.is_none()
    }
}

impl<'a> Tasks<'a> {
    pub fn new(stream: &ScriptedPeer) -> Self {
        Self {
            stream: stream.clone(),
            all: Vec::new(),
            spurious: false,
        }
    }

    /// Begins a task, which is not polled yet, and gives its number.
    pub fn begin(&mut self, future: impl Future<Output = ()> + 'a) -> usize {
        let woken = Arc::new(Count(AtomicUsize::new(1)));
        self.all.push(Task {
            future: Some(Box::pin(future)),
            waker: Waker::from(Arc::clone(&woken)),
            woken,
        });
        self.all.len() - 1
    }

    pub fn is_done(&self, task: usize) -> bool {
        self.all[task].future.is_none()
    }

    pub fn cancel(&mut self, task: usize) {
        self.all[task].future = None;
    }

    /// Polls one task, woken or not, and says whether it is done.
    pub fn poll(&mut self, task: usize) -> bool {
        self.all[task].woken.take();
        self.all[task].poll()
    }

    /// Polls those that are woken, for as long as any is, and does not have the stream wake any.
    pub fn poll_woken(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let mut any = false;
            for task in &mut self.all {
                if task.woken.take() > 0 && task.future.is_some() {
                    any = true;
                    task.poll();
                }
            }
            if !any {
                return;
            }
        }
        panic!("tasks wake each other for ever");
    }

    /// Lets all of them go on until nothing happens any more.
    pub fn run(&mut self) {
        for round in 0..MOST_ROUNDS {
            self.poll_woken();
            // A task that is polled has always something to wait for anew.
            if self.spurious && round < SPURIOUS_ROUNDS {
                self.all.iter_mut().for_each(|task| _ = task.poll());
            }
            if !self.stream.turn() && !self.is_any_woken() {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    fn is_any_woken(&self) -> bool {
        let mut all = self.all.iter();
        all.any(|task| task.future.is_some() && task.woken.0.load(Ordering::SeqCst) > 0)
    }
}

/// Runs a future to its end, which it must come to.
#[track_caller]
pub fn finish<T>(stream: &ScriptedPeer, future: impl Future<Output = T>) -> T {
    attempt(stream, usize::MAX, future).expect("a wake-up was lost")
}

/// Runs a future until it waits for the n-th time, n = 0, 1, 2 …, or waits and nothing comes.
pub fn attempt<T>(stream: &ScriptedPeer, n: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut waits = 0;
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
            return Some(result);
        }
        if waits == n {
            return None;
        }
        waits += 1;
        stream.turn();
        if woken.take() == 0 {
            return None;
        }
    }
}

/// Drops what waits for the n-th time, n = 1, 2 …, and says so with `None`.
pub async fn until_wait<T>(n: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut waits = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => {
            waits += 1;
            if waits == n {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}

const MOST_ROUNDS: usize = 1 << 20;
const SPURIOUS_ROUNDS: usize = 50;
