//! Locks that stay usable after a thread has panicked while it held them.
//!
//! For state that is consistent at every point where a panic can occur.

use std::sync::{PoisonError, TryLockError};

// The tests of the modules `model` run what tasks and threads share with loom.
#[cfg(all(test, framewire_model))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(all(test, framewire_model)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

/// A value that only its exclusive owner uses: `Sync` even where the value is not. Its lock is never taken.
#[derive(Debug, Default)]
pub(crate) struct Exclusive<T>(std::sync::Mutex<T>);

impl<T> Exclusive<T> {
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lock, unless another thread holds it.
pub(crate) fn try_lock<T: ?Sized>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
