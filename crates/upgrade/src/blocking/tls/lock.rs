//! Locks that stay usable after a thread has panicked while it held them: what they guard is consistent wherever a
//! panic can leave it.

use std::sync::{PoisonError, TryLockError};

// The tests of the module `model` run what threads share with loom.
#[cfg(all(test, framewire_model))]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(all(test, framewire_model)))]
pub(super) use std::sync::{Mutex, MutexGuard};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex, unless another thread holds it.
pub(super) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
