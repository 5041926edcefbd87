//! One end's policy, and the contexts that its connections share.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::Arc;

use super::DeflateConfig;
use super::engine::{Compressor, Decompressor, Engine};
use super::negotiate::{InvalidConfig, MAX_WINDOW_BITS, MIN_COMPRESSOR_WINDOW_BITS};
use crate::lock::{Mutex, lock};

/// How one end compresses: what it agrees to, with what engine, and how many contexts its
/// connections may use at a time where they keep none of their own.
///
/// A clone is the same policy and the same pool. Shared between threads: taking a context and
/// giving it back hold a lock for a few instructions, in which the engine is not called.
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

/// Contexts of one kind, by window bits: those that are free, the one that came last at the end,
/// and how many places are taken in all.
struct Pool<T: ?Sized> {
    free: VecDeque<(u8, Box<T>)>,
    in_all: usize,
}

/// What a pool gives.
enum Taken<T: ?Sized> {
    Context(Box<T>),
    /// A place for a new context, and the context of another window that had it.
    Place(Option<Box<T>>),
}

/// A place whose context is being made or made ready, outside the lock. Where the engine panics it
/// is given up.
struct Place<'a, T: ?Sized>(&'a Mutex<Pool<T>>);

impl Deflate {
    /// A policy with the default engine, and a pool of 64 compressors and as many decompressors.
    ///
    /// # Errors
    /// A field of `config` that is out of its range.
    #[cfg(feature = "deflate")]
    pub fn new(config: DeflateConfig) -> Result<Self, InvalidConfig> {
        Self::with_engine(config, super::ZlibRs, 64)
    }

    /// A policy with an engine and a pool of that many compressors and as many decompressors.
    ///
    /// Where all compressors are in use, a message goes out uncompressed. Where all decompressors
    /// are, the connection that needs one more is closed with 1013: so the pool bounds what
    /// peers that send the beginnings of messages can make this end hold.
    ///
    /// A compressor serves connections with its own number of window bits alone. Where the pool is
    /// full and only others are free, the one that was free the longest is dropped and another made,
    /// which allocates: so a pool has best room for one of each number more than it needs at a time.
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

    /// The smallest window, in bits, that the engine compresses for.
    pub(super) fn least_bits(&self) -> u8 {
        if self.shared.engine.fits_window_of_8_bits() {
            8
        } else {
            MIN_COMPRESSOR_WINDOW_BITS
        }
    }

    /// What is offered and agreed to.
    #[must_use]
    pub fn config(&self) -> &DeflateConfig {
        &self.shared.config
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
        let pool = &self.shared.compressors;
        let new = || self.own_compressor(window_bits);
        take(pool, self.shared.pool_size, window_bits, new)
    }

    /// Takes a context back, in whatever state it is.
    pub(super) fn give_compressor(&self, window_bits: u8, mut context: Box<dyn Compressor>) {
        let place = Place(&self.shared.compressors);
        context.reset();
        place.fill(window_bits, context);
    }

    pub(super) fn take_decompressor(&self) -> Option<Box<dyn Decompressor>> {
        let pool = &self.shared.decompressors;
        // A context with the largest window serves every connection.
        let new = || self.own_decompressor(MAX_WINDOW_BITS);
        take(pool, self.shared.pool_size, MAX_WINDOW_BITS, new)
    }

    /// Takes a context back, in whatever state it is.
    pub(super) fn give_decompressor(&self, mut context: Box<dyn Decompressor>) {
        let place = Place(&self.shared.decompressors);
        context.reset();
        place.fill(MAX_WINDOW_BITS, context);
    }
}

/// A free context, or else a new one where one more may be. `None`: all are in use.
fn take<T: ?Sized>(
    pool: &Mutex<Pool<T>>,
    size: usize,
    window_bits: u8,
    new: impl FnOnce() -> Box<T>,
) -> Option<Box<T>> {
    let taken = lock(pool).take(size, window_bits)?;
    match taken {
        Taken::Context(context) => Some(context),
        Taken::Place(replaced) => {
            let place = Place(pool);
            // Before there is another, so that there are never more than the pool's size.
            drop(replaced);
            let context = new();
            mem::forget(place);
            Some(context)
        }
    }
}

impl<T: ?Sized> Pool<T> {
    fn take(&mut self, size: usize, window_bits: u8) -> Option<Taken<T>> {
        let fitting = self.free.iter().rposition(|(bits, _)| *bits == window_bits);
        if let Some(index) = fitting {
            let (_, context) = self.free.remove(index)?;
            return Some(Taken::Context(context));
        }
        if self.in_all < size {
            self.in_all += 1;
            // Room to come back to, so that giving back never allocates.
            self.free.reserve(self.in_all);
            return Some(Taken::Place(None));
        }
        let (_, replaced) = self.free.pop_front()?;
        Some(Taken::Place(Some(replaced)))
    }
}

impl<T: ?Sized> Place<'_, T> {
    /// Lets the next one have the context.
    fn fill(self, window_bits: u8, context: Box<T>) {
        lock(self.0).free.push_back((window_bits, context));
        mem::forget(self);
    }
}

impl<T: ?Sized> Drop for Place<'_, T> {
    fn drop(&mut self) {
        lock(self.0).in_all -= 1;
    }
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self {
            free: VecDeque::new(),
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
