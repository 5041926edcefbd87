//! One end's policy, and the contexts that its connections share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::{Compressor, Decompressor, Engine};
use super::negotiate::{InvalidConfig, MAX_WINDOW_BITS};
use super::{DeflateConfig, Deflater, Inflater, Parameters, ZlibRs};
use crate::protocol::Role;

/// How one end compresses: what it agrees to, with what engine, and how many contexts its
/// connections may use at a time where they keep none of their own.
///
/// A clone is the same policy and the same pool. Shared between threads: taking a context and
/// giving it back hold a lock for a few instructions.
#[derive(Clone)]
pub struct Deflate {
    shared: Arc<Shared>,
}

struct Shared {
    config: DeflateConfig,
    engine: Box<dyn Engine>,
    pool_size: usize,
    compressors: Mutex<Pool<dyn Compressor>>,
    decompressors: Mutex<Pool<dyn Decompressor>>,
}

/// Contexts of one kind, by window bits: those that are free, and how many there are in all.
struct Pool<T: ?Sized> {
    free: Vec<(u8, Box<T>)>,
    in_all: usize,
}

/// What both ends agreed on, and how this one goes about it: what a connection needs.
#[derive(Debug, Clone)]
pub struct Negotiated {
    deflate: Deflate,
    parameters: Parameters,
}

impl Deflate {
    /// A policy with the default engine, and a pool of 64 compressors and as many decompressors.
    ///
    /// # Errors
    /// A field of `config` that is out of its range.
    pub fn new(config: DeflateConfig) -> Result<Self, InvalidConfig> {
        Self::with_engine(config, ZlibRs, 64)
    }

    /// A policy with an engine and a pool of that many compressors and as many decompressors.
    ///
    /// Where all compressors are in use, a message goes out uncompressed. Where all decompressors
    /// are, the connection that needs one more is closed with 1013: so the pool bounds what
    /// peers that send the beginnings of messages can make this end hold.
    ///
    /// # Errors
    /// A field of `config` that is out of its range.
    pub fn with_engine(
        config: DeflateConfig,
        engine: impl Engine + 'static,
        pool_size: usize,
    ) -> Result<Self, InvalidConfig> {
        config.check()?;
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                engine: Box::new(engine),
                pool_size,
                compressors: Mutex::default(),
                decompressors: Mutex::default(),
            }),
        })
    }

    /// What is offered and agreed to.
    #[must_use]
    pub fn config(&self) -> &DeflateConfig {
        &self.shared.config
    }

    /// Binds what was agreed on to this policy, where something else than
    /// [`accept`](Self::accept) or [`check`](Self::check) did so. Window bits under 9 count as 9,
    /// and those over 15 as 15.
    #[must_use]
    pub fn negotiated(&self, parameters: Parameters) -> Negotiated {
        Negotiated {
            deflate: self.clone(),
            parameters,
        }
    }

    /// A context that nobody else has and that the pool does not count.
    pub(super) fn own_compressor(&self, window_bits: u8) -> Box<dyn Compressor> {
        let config = self.config();
        let engine = &self.shared.engine;
        engine.compressor(config.level, window_bits, config.memory_level)
    }

    /// A context that nobody else has and that the pool does not count.
    pub(super) fn own_decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        self.shared.engine.decompressor(window_bits)
    }

    pub(super) fn take_compressor(&self, window_bits: u8) -> Option<Box<dyn Compressor>> {
        let new = || self.own_compressor(window_bits);
        lock(&self.shared.compressors).take(window_bits, self.shared.pool_size, new)
    }

    pub(super) fn give_compressor(&self, window_bits: u8, context: Box<dyn Compressor>) {
        lock(&self.shared.compressors)
            .free
            .push((window_bits, context));
    }

    pub(super) fn take_decompressor(&self) -> Option<Box<dyn Decompressor>> {
        // A context with the largest window serves every connection.
        let new = || self.own_decompressor(MAX_WINDOW_BITS);
        lock(&self.shared.decompressors).take(MAX_WINDOW_BITS, self.shared.pool_size, new)
    }

    pub(super) fn give_decompressor(&self, context: Box<dyn Decompressor>) {
        lock(&self.shared.decompressors)
            .free
            .push((MAX_WINDOW_BITS, context));
    }
}

impl Negotiated {
    /// What was agreed on.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What compresses the messages that this end sends.
    #[must_use]
    pub fn deflater(&self, role: Role) -> Deflater {
        let (takeover, window_bits) = self.parameters.of(role);
        Deflater::new(self.deflate.clone(), takeover, window_bits)
    }

    /// What decompresses the messages that this end receives.
    #[must_use]
    pub fn inflater(&self, role: Role) -> Inflater {
        let (takeover, window_bits) = self.parameters.of(match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        });
        Inflater::new(self.deflate.clone(), takeover, window_bits)
    }
}

impl<T: ?Sized> Pool<T> {
    /// A free context, or else a new one where one more may be. `None`: all are in use.
    fn take(
        &mut self,
        window_bits: u8,
        size: usize,
        new: impl FnOnce() -> Box<T>,
    ) -> Option<Box<T>> {
        let fitting = self.free.iter().rposition(|(bits, _)| *bits == window_bits);
        if let Some(index) = fitting {
            return Some(self.free.swap_remove(index).1);
        }
        if self.in_all < size {
            self.in_all += 1;
            // Room to come back to, so that giving back never allocates.
            self.free.reserve(self.in_all);
        } else {
            // One for another window makes place.
            self.free.pop()?;
        }
        Some(new())
    }
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self {
            free: Vec::new(),
            in_all: 0,
        }
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate")
            .field("config", &self.shared.config)
            .field("engine", &self.shared.engine)
            .field("pool_size", &self.shared.pool_size)
            .finish_non_exhaustive()
    }
}

/// What a panicked thread left is whole: a context is in the pool, or it is not.
fn lock<T: ?Sized>(pool: &Mutex<Pool<T>>) -> MutexGuard<'_, Pool<T>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}
