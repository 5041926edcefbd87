//! The peer of threads: reads that wait for what it says, and writes that a test sees before it does.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::state::State;
use super::{Ending, ScriptedPeer};
use crate::loopback::PATIENCE;

/// What is called before each write.
#[derive(Clone)]
pub struct Hook(Arc<BeforeWrite>);

type BeforeWrite = dyn Fn(&ScriptedPeer, &[u8]) -> io::Result<()> + Send + Sync;

impl ScriptedPeer {
    /// Has reads wait for what another thread says, as those of a blocking socket do.
    #[must_use]
    pub fn blocking(self) -> Self {
        self.state().is_blocking = true;
        self
    }

    /// Calls `hook` with the bytes of each blocking write before the peer takes any of them. The write fails
    /// where that does.
    #[must_use]
    pub fn before_writes(
        self,
        hook: impl Fn(&Self, &[u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.state().hook = Some(Hook(Arc::new(hook)));
        self
    }

    /// The state once there is something to read, if reads wait for that.
    pub(super) fn wait_to_read(&self) -> MutexGuard<'_, State> {
        let is_silent = |state: &mut State| {
            state.is_blocking && !state.has_more() && state.ending == Ending::Silence
        };
        let changed = &self.0.changed;
        let waited = changed.wait_timeout_while(self.state(), PATIENCE, is_silent);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn call_hook(&self, bufs: &[IoSlice<'_>]) -> io::Result<()> {
        let hook = self.state().hook.clone();
        match hook {
            Some(Hook(hook)) => {
                let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
                hook(self, &bytes)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
