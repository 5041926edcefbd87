//! Buffers that a connection holds only while it needs them.

#[cfg(all(test, framewire_model))]
mod model;

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use crate::lock::{Mutex, lock};

/// The buffers of connections that own none while they are at rest.
///
/// A connection takes a buffer when bytes arrive or have to wait, and gives it back when they are used up. It gives
/// back the memory in which messages are assembled when it has to wait and holds no part of one. A pool retains unused
/// buffers, up to a number of each kind, and frees the others. It retains no memory of messages over 2 MiB, which
/// messages of up to 1 MiB never need. A clone is the same pool.
#[derive(Debug, Clone, Default)]
pub struct BufferPool {
    /// `None` is the pool of the current thread.
    shared: Option<Arc<Mutex<Idle>>>,
}

impl BufferPool {
    /// Returns the pool of whichever thread needs a buffer, which takes no lock. Each thread retains up to 16 read
    /// buffers, 16 write buffers and the memory of 16 messages (32 MiB). The default.
    #[must_use]
    pub const fn per_thread() -> Self {
        Self { shared: None }
    }

    /// Creates a pool that retains up to `kept` read buffers, `kept` write buffers and the memory of `kept` messages,
    /// at most 16 (32 MiB). With 0 every unused buffer is freed.
    #[must_use]
    pub fn keeping(kept: usize) -> Self {
        let idle = Idle::new(kept);
        Self {
            shared: Some(Arc::new(Mutex::new(idle))),
        }
    }

    fn with<R>(&self, job: impl FnOnce(&mut Idle) -> R) -> Option<R> {
        match &self.shared {
            Some(idle) => Some(job(&mut lock(idle))),
            // A thread that is ending has no pool any more.
            None => IDLE.try_with(|idle| job(&mut idle.borrow_mut())).ok(),
        }
    }
}

/// Where the buffers of a connection come from.
#[derive(Debug, Clone)]
pub(crate) enum Buffers {
    /// The connection owns its buffers for good.
    Kept,
    /// The connection takes buffers from a pool while it needs them.
    Pooled(BufferPool),
}

impl Buffers {
    pub(crate) fn are_pooled(&self) -> bool {
        matches!(self, Self::Pooled(_))
    }

    /// Returns a buffer to read into, of at least `len` initialised bytes.
    pub(crate) fn take_to_read(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.take(|idle| &mut idle.read);
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer
    }

    /// Takes back a read buffer that is not in use. Without a pool it stays where it is.
    pub(crate) fn give_read(&self, buffer: &mut Vec<u8>) {
        self.give(buffer, |idle| &mut idle.read);
    }

    /// Returns an empty write buffer.
    pub(crate) fn take_to_write(&self) -> Vec<u8> {
        self.take(|idle| &mut idle.write)
    }

    /// Takes back an empty write buffer. Without a pool it stays where it is.
    pub(crate) fn give_write(&self, buffer: &mut Vec<u8>) {
        self.give(buffer, |idle| &mut idle.write);
    }

    /// Returns unused memory for a message, initialised up to its length. Empty where there is none, or where the
    /// memory that was given back last is over `most` bytes.
    pub(crate) fn take_message(&self, most: u64) -> Vec<u8> {
        let Self::Pooled(pool) = self else {
            return Vec::new();
        };
        let fits = |memory: &mut Vec<u8>| memory.capacity() as u64 <= most;
        let taken = pool.with(|idle| idle.messages.pop_if(fits));
        taken.flatten().unwrap_or_default()
    }

    /// Takes back the memory of a message, and frees it where the pool does not retain it.
    pub(crate) fn give_message(&self, memory: Vec<u8>) {
        if let Self::Pooled(pool) = self
            && (1..=MOST_OF_MESSAGE).contains(&memory.capacity())
        {
            pool.with(|idle| {
                if idle.messages.len() < idle.kept.min(KEPT) {
                    idle.messages.push(memory);
                }
            });
        }
    }

    fn take(&self, kind: fn(&mut Idle) -> &mut Vec<Vec<u8>>) -> Vec<u8> {
        match self {
            Self::Kept => Vec::new(),
            Self::Pooled(pool) => pool
                .with(|idle| kind(idle).pop())
                .flatten()
                .unwrap_or_default(),
        }
    }

    fn give(&self, buffer: &mut Vec<u8>, kind: fn(&mut Idle) -> &mut Vec<Vec<u8>>) {
        if let Self::Pooled(pool) = self
            && buffer.capacity() > 0
        {
            let buffer = mem::take(buffer);
            pool.with(|idle| {
                let kept = idle.kept;
                let buffers = kind(idle);
                if buffers.len() < kept {
                    buffers.push(buffer);
                }
            });
        }
    }
}

#[derive(Debug)]
struct Idle {
    read: Vec<Vec<u8>>,
    write: Vec<Vec<u8>>,
    messages: Vec<Vec<u8>>,
    kept: usize,
}

impl Idle {
    const fn new(kept: usize) -> Self {
        Self {
            read: Vec::new(),
            write: Vec::new(),
            messages: Vec::new(),
            kept,
        }
    }
}

thread_local! {
    static IDLE: RefCell<Idle> = const { RefCell::new(Idle::new(KEPT)) };
}

/// How many unused buffers of each kind a thread retains, and how many memories of messages any pool.
const KEPT: usize = 16;
/// The largest memory of a message that is retained. It grows by doubling: for a message of 1 MiB, the default of
/// `Limits::message`, to twice that, and what may lie before a message (`MessageBuffer`).
const MOST_OF_MESSAGE: usize = (2 << 20) + 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_given_back_is_taken_again() {
        let buffers = Buffers::Pooled(BufferPool::keeping(1));
        let mut first = buffers.take_to_read(100);
        let mut second = buffers.take_to_read(100);
        let memory = first.as_ptr();
        buffers.give_read(&mut first);
        buffers.give_read(&mut second);
        assert_eq!((first.capacity(), second.capacity()), (0, 0));
        let again = buffers.take_to_read(50);
        assert_eq!(again.as_ptr(), memory);
        // The pool retained only the first.
        let Buffers::Pooled(pool) = &buffers else {
            unreachable!()
        };
        assert_eq!(pool.with(|idle| idle.read.len()), Some(0));
    }

    #[test]
    fn a_buffer_that_is_too_short_grows() {
        let buffers = Buffers::Pooled(BufferPool::per_thread());
        buffers.give_read(&mut vec![1; 10]);
        assert_eq!(buffers.take_to_read(20).len(), 20);
        assert_eq!(buffers.take_to_read(5).len(), 5);
    }

    #[test]
    fn the_memory_of_messages_is_kept_and_none_that_is_too_large() {
        for (kept, expected) in [(0, 0), (1, 1), (2, 2), (100, 3)] {
            let buffers = Buffers::Pooled(BufferPool::keeping(kept));
            for len in [MOST_OF_MESSAGE + 1, 0, MOST_OF_MESSAGE, 100, 50] {
                buffers.give_message(vec![0; len]);
            }
            let taken = (0..3).map(|_| buffers.take_message(u64::MAX));
            assert_eq!(taken.filter(|memory| !memory.is_empty()).count(), expected);
        }
    }

    #[test]
    fn memory_of_a_message_goes_to_those_alone_that_could_have_come_to_it() {
        let buffers = Buffers::Pooled(BufferPool::keeping(1));
        buffers.give_message(vec![0; 100]);
        assert_eq!(buffers.take_message(99).capacity(), 0);
        assert_eq!(buffers.take_message(100).len(), 100);
    }

    #[test]
    fn buffers_that_are_kept_stay_where_they_are() {
        let mut buffer = vec![0; 10];
        Buffers::Kept.give_read(&mut buffer);
        assert_eq!(buffer.len(), 10);
    }
}
