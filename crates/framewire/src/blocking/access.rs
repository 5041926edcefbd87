//! Sending from a thread that owns the writing side or shares it with others.

use crate::drive::WriteSide;

/// A thread's access to the writing side, which it owns or shares with other threads.
pub trait Access {
    /// The writing side, with its stream.
    type Side: WriteSide;

    /// Calls `job` with the writing side, which no other thread uses meanwhile.
    fn with<R>(&mut self, job: impl FnOnce(&mut Self::Side) -> R) -> R;
}

impl<W: WriteSide> Access for &mut W {
    type Side = W;

    fn with<R>(&mut self, job: impl FnOnce(&mut W) -> R) -> R {
        job(self)
    }
}
