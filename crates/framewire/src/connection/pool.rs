//! Buffers that connections have only while they need them.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use crate::lock::{Mutex, lock};

/// The buffers of connections that own none while they are at rest.
///
/// A connection takes one when bytes arrive or have to wait, and gives it back when they are used
/// up; the memory in which a message is assembled, when it has to wait and holds nothing of one.
/// A pool keeps those that nobody uses, up to a number of each kind, and frees the others. Of the
/// memory of messages it keeps none over 2 MiB, to which those of up to 1 MiB do not come. A clone
/// is the same pool.
#[derive(Debug, Clone, Default)]
pub struct BufferPool {
    /// `None` is that of the thread.
    shared: Option<Arc<Mutex<Idle>>>,
}

impl BufferPool {
    /// The pool of the thread that needs a buffer: no lock is taken. Keeps up to 16 read buffers,
    /// 16 write buffers and the memory of 2 messages (4 MiB) for each thread. The default.
    #[must_use]
    pub const fn per_thread() -> Self {
        Self { shared: None }
    }

    /// A pool of its own, which keeps up to `kept` read buffers, as many write buffers, and the
    /// memory of as many messages, but of 2 at most; with 0 all are freed that nobody uses.
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

/// Where a connection has its buffers from.
#[derive(Debug, Clone)]
pub(crate) enum Buffers {
    /// They are its own, and it keeps them.
    Kept,
    /// It has them while it needs them.
    Pooled(BufferPool),
}

impl Buffers {
    pub(crate) fn are_pooled(&self) -> bool {
        matches!(self, Self::Pooled(_))
    }

    /// A buffer to read into, with something in each of its bytes.
    pub(crate) fn take_to_read(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.take(|idle| &mut idle.read);
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer
    }

    /// Takes a read buffer that is not in use back, or leaves it where it is to be kept.
    pub(crate) fn give_read(&self, buffer: &mut Vec<u8>) {
        self.give(buffer, |idle| &mut idle.read);
    }

    /// An empty buffer for what is to be written.
    pub(crate) fn take_to_write(&self) -> Vec<u8> {
        self.take(|idle| &mut idle.write)
    }

    /// Takes an empty write buffer back, or leaves it where it is to be kept.
    pub(crate) fn give_write(&self, buffer: &mut Vec<u8>) {
        self.give(buffer, |idle| &mut idle.write);
    }

    /// Idle memory for a message, initialised as far as the vector is long; none where there is no
    /// other than of more than `most` bytes.
    pub(crate) fn take_message(&self, most: u64) -> Vec<u8> {
        let Self::Pooled(pool) = self else {
            return Vec::new();
        };
        let fits = |memory: &mut Vec<u8>| memory.capacity() as u64 <= most;
        let taken = pool.with(|idle| idle.messages.pop_if(fits));
        taken.flatten().unwrap_or_default()
    }

    /// Takes memory of a message back; it is freed where it is not kept.
    pub(crate) fn give_message(&self, memory: Vec<u8>) {
        if let Self::Pooled(pool) = self
            && (1..=MOST_OF_MESSAGE).contains(&memory.capacity())
        {
            pool.with(|idle| {
                if idle.messages.len() < idle.kept.min(KEPT_MESSAGES) {
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

/// How many buffers of each kind a thread keeps that nobody uses.
const KEPT: usize = 16;
/// The memory of how many messages is kept at most.
const KEPT_MESSAGES: usize = 2;
/// The largest memory of a message that is kept. It grows by doubling: one of 1 MiB, the default of
/// `Limits::message`, may have come to almost twice that.
const MOST_OF_MESSAGE: usize = 2 << 20;

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
        // The second was one too many.
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
    fn the_memory_of_two_messages_is_kept_and_none_that_is_too_large() {
        for (kept, expected) in [(0, 0), (1, 1), (2, 2), (100, 2)] {
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
