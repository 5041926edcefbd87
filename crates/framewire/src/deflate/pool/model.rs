//! Model tests of contexts that threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use super::Deflate;
use crate::deflate::{
    Compressor, Decompressor, DeflateConfig, Engine, EngineError, Flush, Progress,
};

/// An engine that counts its contexts, and fails where there are more than one at a time.
#[derive(Debug, Default, Clone)]
struct One(Arc<AtomicUsize>);

struct Context(Arc<AtomicUsize>);

impl One {
    fn context(&self) -> Context {
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "two contexts");
        Context(Arc::clone(&self.0))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Engine for One {
    fn compressor(&self, _level: u8, _window_bits: u8, _memory_level: u8) -> Box<dyn Compressor> {
        Box::new(self.context())
    }

    fn decompressor(&self, _window_bits: u8) -> Box<dyn Decompressor> {
        Box::new(self.context())
    }
}

impl Compressor for Context {
    fn compress(&mut self, _: &[u8], _: &mut [u8], _: Flush) -> Result<Progress, EngineError> {
        Err(EngineError)
    }

    fn reset(&mut self) {}
}

impl Decompressor for Context {
    fn decompress(&mut self, _: &[u8], _: &mut [u8]) -> Result<Progress, EngineError> {
        Err(EngineError)
    }

    fn reset(&mut self) {}
}

fn pool_of_one() -> (Deflate, One) {
    let engine = One::default();
    let deflate = Deflate::with_engine(DeflateConfig::default(), engine.clone(), 1);
    (deflate.expect("the defaults are in range"), engine)
}

#[test]
fn of_several_windows_no_more_contexts_are_made_than_the_pool_has_room_for() {
    loom::model(|| {
        let (deflate, engine) = pool_of_one();
        let threads: Vec<_> = [9, 15]
            .map(|window_bits| {
                let deflate = deflate.clone();
                thread::spawn(move || {
                    if let Some(context) = deflate.take_compressor(window_bits) {
                        deflate.give_compressor(window_bits, context);
                    }
                })
            })
            .into();
        for thread in threads {
            thread.join().expect("no panic");
        }
        // What was given back serves the next, in the one slot.
        assert!(deflate.take_compressor(9).is_some());
        assert!(engine.0.load(Ordering::SeqCst) <= 1);
    });
}

#[test]
fn a_context_goes_to_one_of_the_threads_that_take_it() {
    loom::model(|| {
        let (deflate, _engine) = pool_of_one();
        let other = deflate.clone();
        let taking = thread::spawn(move || other.take_decompressor());
        let taken = deflate.take_decompressor();
        let other = taking.join().expect("no panic");
        assert_ne!(taken.is_some(), other.is_some());
        deflate.give_decompressor(taken.or(other).expect("one has it"));
        assert!(deflate.take_decompressor().is_some());
    });
}
