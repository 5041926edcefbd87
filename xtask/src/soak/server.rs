//! A server under load, and what it held whenever it had no client.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::judge;
use super::measure::Handles;
use super::target::Target;
use crate::certificate::Certificate;
use crate::idle_memory::resident;
use crate::server::Program;

/// A server, what it had at the start, and its memory at each quiet point.
pub(super) struct UnderLoad {
    target: Arc<Target>,
    at_start: Handles,
    /// In KiB.
    memory: Vec<i32>,
}

impl UnderLoad {
    /// Starts a server, which takes TLS connections alone if there is a certificate.
    pub(super) fn start(
        program: &Program,
        engine: &str,
        certificate: Option<&Certificate>,
    ) -> Result<Self> {
        let target = Target::start(program, engine, certificate)?;
        Ok(Self {
            at_start: Handles::at_rest(target.id())?,
            target: Arc::new(target),
            memory: Vec::new(),
        })
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Waits until the server has come back to what it had at the start. All clients must have left.
    pub(super) fn wait_until_quiet(&self) -> Result<()> {
        let waited = self.at_start.wait_for_return(self.target.id());
        waited.with_context(|| self.target.to_string())
    }

    /// Waits as [`wait_until_quiet`](Self::wait_until_quiet) does, and takes down the server's memory.
    pub(super) fn measure(&mut self) -> Result<()> {
        self.wait_until_quiet()?;
        let bytes = resident(self.target.id())?;
        self.memory.push(i32::try_from(bytes >> 10)?);
        Ok(())
    }

    /// Ends the server, judges what it held, and describes that.
    pub(super) fn end(self) -> Result<String> {
        let growth = judge::growth(&self.memory).with_context(|| self.target.to_string())?;
        let memory = self.memory();
        let target = Arc::into_inner(self.target).context("a client has not left")?;
        target.stop()?;
        Ok(format!("{memory} ({:+.1})", mebibytes(growth)))
    }

    /// Describes the memory at the last quiet point.
    pub(super) fn memory(&self) -> String {
        let last = self.memory.last().copied().unwrap_or_default();
        format!("{} {:.1} MiB", self.target, mebibytes(last))
    }
}

fn mebibytes(kib: i32) -> f64 {
    f64::from(kib) / 1024.0
}
