//! Two ends of a connection in memory that cuts and stalls as a test says. At both is an end of TLS of its
//! own, in a thread of its own: what they say is in no script.

use framewire::{Duplicate, Socket};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// How a pipe behaves, in both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    /// Bytes that one direction holds.
    pub(crate) capacity: usize,
    /// Bytes that one call moves at most; up to that, a number that looks random.
    pub(crate) at_most: usize,
    /// Of every so many calls, about one says `WouldBlock` without moving anything; 0 is none.
    pub(crate) stall_one_in: u64,
    /// How long a call takes before it looks.
    pub(crate) takes: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            capacity: 1 << 16,
            at_most: usize::MAX,
            stall_one_in: 0,
            takes: Duration::ZERO,
        }
    }
}

/// One handle of one end.
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    behaviour: Arc<Mutex<Behaviour>>,
    input: Arc<Channel>,
    output: Arc<Channel>,
    timeouts: Arc<Mutex<[Option<Duration>; 2]>>,
    random: Arc<Mutex<u64>>,
}

#[derive(Debug, Default)]
struct Channel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    ended: bool,
    /// Threads that wait for room.
    waiting: usize,
}

pub(crate) fn pipe(behaviour: Behaviour) -> (Pipe, Pipe) {
    let (there, back) = (Arc::<Channel>::default(), Arc::<Channel>::default());
    let end = |input: &Arc<Channel>, output: &Arc<Channel>, seed| Pipe {
        behaviour: Arc::new(Mutex::new(behaviour)),
        input: Arc::clone(input),
        output: Arc::clone(output),
        timeouts: Arc::default(),
        random: Arc::new(Mutex::new(seed)),
    };
    (end(&back, &there, 1), end(&there, &back, 2))
}

impl Pipe {
    /// Changes how this end behaves.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    pub(crate) fn read_timeout(&self) -> Option<Duration> {
        self.timeouts.lock().unwrap()[0]
    }

    pub(crate) fn write_timeout(&self) -> Option<Duration> {
        self.timeouts.lock().unwrap()[1]
    }

    /// Waits until a thread is inside a write that finds no room.
    pub(crate) fn wait_for_stuck_writer(&self) {
        let state = self.output.lock();
        let waited = self
            .output
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out());
    }

    /// How many bytes of this end the other has not read.
    pub(crate) fn not_read(&self) -> usize {
        self.output.lock().bytes.len()
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap()
    }

    fn stalls(&self) -> bool {
        let one_in = self.behaviour().stall_one_in;
        one_in > 0 && self.random().is_multiple_of(one_in)
    }

    /// What is tried is that calls of a slow stream use up a limit of time: it is time itself that has to pass.
    fn take_time(&self) {
        thread::sleep(self.behaviour().takes);
    }

    fn piece(&self, len: usize) -> usize {
        let most = self.behaviour().at_most.min(len);
        if most == len && self.behaviour().at_most == usize::MAX {
            return len;
        }
        1 + (self.random() as usize) % most.max(1)
    }

    /// Xorshift.
    fn random(&self) -> u64 {
        let mut state = self.random.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state >> 8
    }

    fn timeout(&self, index: usize) -> Duration {
        self.timeouts.lock().unwrap()[index].unwrap_or(PATIENCE)
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn wait(
        &self,
        time: Duration,
        condition: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'_, State>> {
        let end = Instant::now() + time;
        let mut state = self.lock();
        while condition(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::WouldBlock.into());
            }
            state.waiting += 1;
            self.changed.notify_all();
            state = self.changed.wait_timeout(state, left).unwrap().0;
            state.waiting -= 1;
        }
        Ok(state)
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.stalls() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.take_time();
        let empty = |state: &State| state.bytes.is_empty() && !state.ended;
        let mut state = self.input.wait(self.timeout(0), empty)?;
        let count = self.piece(buf.len());
        let count = state.bytes.read(&mut buf[..count])?;
        self.input.changed.notify_all();
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.stalls() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.take_time();
        let capacity = self.behaviour().capacity;
        let full = |state: &State| state.bytes.len() >= capacity && !state.ended;
        let mut state = self.output.wait(self.timeout(1), full)?;
        if state.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = self.piece(buf.len()).min(capacity - state.bytes.len());
        state.bytes.extend(&buf[..count]);
        self.output.changed.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Pipe {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        self.timeouts.lock().unwrap()[0] = timeout;
        Ok(())
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        self.timeouts.lock().unwrap()[1] = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.output.end();
        Ok(())
    }
}

impl Duplicate for Pipe {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn abort(&self) -> io::Result<()> {
        self.output.end();
        self.input.end();
        Ok(())
    }
}
