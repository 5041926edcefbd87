//! Locks that a panicked thread does not take away from the others.
//!
//! For state that is whole at every point where a panic could leave it.

use std::sync::{PoisonError, TryLockError};

// What tasks and threads share is model-checked: see `tokio::model`.
#[cfg(all(test, framewire_model))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(all(test, framewire_model)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, unless another thread holds it.
pub(crate) fn try_lock<T: ?Sized>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
