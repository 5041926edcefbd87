//! One end's policy, and the contexts that its connections share.

#[cfg(all(test, framewire_model))]
mod model;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::Arc;

use super::DeflateConfig;
use super::engine::{Compressor, Decompressor, Engine};
use super::negotiate::{InvalidConfig, MAX_WINDOW_BITS, MIN_COMPRESSOR_WINDOW_BITS};
use crate::lock::{Mutex, lock};

/// How one end compresses: what it agrees to, with which engine, and how many contexts its connections may use at a
/// time where they have none of their own.
///
/// A clone is the same policy and the same pool. Threads can share it: taking a context and giving it back hold a lock
/// for a few instructions, and do not call the engine meanwhile.
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

/// The contexts of one kind, by window bits: those that are free, the one given back last at the end, and how many
/// slots are taken in all.
struct Pool<T: ?Sized> {
    free: VecDeque<(u8, Box<T>)>,
    total: usize,
}

/// What was taken from a pool.
enum Taken<T: ?Sized> {
    Context(Box<T>),
    /// A slot for a new context, and the context of another window that had it.
    Slot(Option<Box<T>>),
}

/// A slot whose context is being made or reset, outside the lock. Where the engine panics, dropping this gives up the
/// slot.
struct Slot<'a, T: ?Sized>(&'a Mutex<Pool<T>>);

impl Deflate {
    /// Creates a policy with the default engine, and a pool of 64 compressors and 64 decompressors.
    ///
    /// # Errors
    /// A field of `config` is out of its range.
    #[cfg(feature = "deflate")]
    pub fn new(config: DeflateConfig) -> Result<Self, InvalidConfig> {
        Self::with_engine(config, super::ZlibRs, POOL_SIZE)
    }

    /// Creates the default policy with another level: how hard to compress, 0 to 9.
    ///
    /// # Errors
    /// The level is over 9.
    ///
    /// # Examples
    /// Compression of level 6 over a stream on which both ends know of it, without a handshake:
    /// ```
    /// use framewire::deflate::{Deflate, Parameters};
    /// use framewire::{Config, WebSocket};
    ///
    /// # let stream = std::io::Cursor::new(Vec::<u8>::new());
    /// let mut websocket = WebSocket::server(stream, Config::default())?;
    /// websocket.set_extension(&Deflate::with_level(6)?.negotiated(Parameters::default()));
    /// # Ok::<(), framewire::Error>(())
    /// ```
    #[cfg(feature = "deflate")]
    pub fn with_level(level: u8) -> Result<Self, InvalidConfig> {
        Self::new(DeflateConfig::default().level(level))
    }

    /// Creates a policy with an engine, and a pool of `pool_size` compressors and as many decompressors.
    ///
    /// Where all compressors are in use, a message is sent uncompressed. Where all decompressors are, the connection
    /// that needs one more is closed with 1013. The pool thus bounds the memory that peers can claim by sending the
    /// beginnings of messages.
    ///
    /// A compressor serves only connections with its own number of window bits. Where the pool is full and only others
    /// are free, the one that was free the longest is dropped and another made, which allocates. A pool works best
    /// with room for one of each number more than it needs at a time.
    ///
    /// # Errors
    /// A field of `config` is out of its range.
    pub fn with_engine(
        config: DeflateConfig,
        engine: impl Engine + 'static,
        pool_size: usize,
    ) -> Result<Self, InvalidConfig> {
        config.check()?;
        Ok(Self::of(config, engine, pool_size))
    }

    /// Creates a policy whose fields are in their ranges.
    fn of(config: DeflateConfig, engine: impl Engine + 'static, pool_size: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                engine: Box::new(engine),
                pool_size,
                compressors: Mutex::default(),
                decompressors: Mutex::default(),
            }),
        }
    }

    /// Returns the smallest window, in bits, that the engine compresses for.
    pub(super) fn least_bits(&self) -> u8 {
        if self.shared.engine.fits_window_of_8_bits() {
            8
        } else {
            MIN_COMPRESSOR_WINDOW_BITS
        }
    }

    /// Returns what is offered and agreed to.
    #[must_use]
    pub fn config(&self) -> &DeflateConfig {
        &self.shared.config
    }

    /// Creates a context for one connection, which the pool does not count.
    pub(super) fn own_compressor(&self, window_bits: u8) -> Box<dyn Compressor> {
        let config = self.config();
        let engine = &self.shared.engine;
        engine.compressor(config.level, window_bits, config.memory_level)
    }

    /// Creates a context for one connection, which the pool does not count.
    pub(super) fn own_decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        self.shared.engine.decompressor(window_bits)
    }

    pub(super) fn take_compressor(&self, window_bits: u8) -> Option<Box<dyn Compressor>> {
        let pool = &self.shared.compressors;
        let new = || self.own_compressor(window_bits);
        take(pool, self.shared.pool_size, window_bits, new)
    }

    /// Takes a context back, in any state, and resets it.
    pub(super) fn give_compressor(&self, window_bits: u8, mut context: Box<dyn Compressor>) {
        let slot = Slot(&self.shared.compressors);
        context.reset();
        slot.fill(window_bits, context);
    }

    pub(super) fn take_decompressor(&self) -> Option<Box<dyn Decompressor>> {
        let pool = &self.shared.decompressors;
        // A context with the largest window serves every connection.
        let new = || self.own_decompressor(MAX_WINDOW_BITS);
        take(pool, self.shared.pool_size, MAX_WINDOW_BITS, new)
    }

    /// Takes a context back, in any state, and resets it.
    pub(super) fn give_decompressor(&self, mut context: Box<dyn Decompressor>) {
        let slot = Slot(&self.shared.decompressors);
        context.reset();
        slot.fill(MAX_WINDOW_BITS, context);
    }
}

/// Returns a free context, or a new one where the pool has a slot for it. `None` where all are in use.
fn take<T: ?Sized>(
    pool: &Mutex<Pool<T>>,
    size: usize,
    window_bits: u8,
    new: impl FnOnce() -> Box<T>,
) -> Option<Box<T>> {
    let taken = lock(pool).take(size, window_bits)?;
    match taken {
        Taken::Context(context) => Some(context),
        Taken::Slot(replaced) => {
            let slot = Slot(pool);
            // Before there is another, so that there are never more than the pool's size.
            drop(replaced);
            let context = new();
            mem::forget(slot);
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
        if self.total < size {
            self.total += 1;
            // Reserved now, so that giving back never allocates.
            self.free.reserve(self.total);
            return Some(Taken::Slot(None));
        }
        let (_, replaced) = self.free.pop_front()?;
        Some(Taken::Slot(Some(replaced)))
    }
}

impl<T: ?Sized> Slot<'_, T> {
    /// Makes a context free for the next connection.
    fn fill(self, window_bits: u8, context: Box<T>) {
        lock(self.0).free.push_back((window_bits, context));
        mem::forget(self);
    }
}

impl<T: ?Sized> Drop for Slot<'_, T> {
    fn drop(&mut self) {
        lock(self.0).total -= 1;
    }
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self {
            free: VecDeque::new(),
            total: 0,
        }
    }
}

/// The default configuration and engine, with a pool of 64 contexts of each kind.
#[cfg(feature = "deflate")]
impl Default for Deflate {
    fn default() -> Self {
        Self::of(DeflateConfig::default(), super::ZlibRs, POOL_SIZE)
    }
}

#[cfg(feature = "deflate")]
const POOL_SIZE: usize = 64;

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate")
            .field("config", &self.shared.config)
            .field("engine", &self.shared.engine)
            .field("pool_size", &self.shared.pool_size)
            .finish_non_exhaustive()
    }
}
