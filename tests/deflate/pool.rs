//! Contexts: what engines are asked for, and how connections and threads share a pool of them.

use std::io::Write;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::ways::end;
use framewire::Opcode;
use framewire::blocking::PreparedMessage;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, EngineError, Flush, Negotiated,
    Progress, ZlibRs,
};
use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};
use support::compression::HELLO;
use support::connection::Kind;
use support::deflate::{Receiving, parameters, sender, sent};
use support::frames::{FIN, RSV1, TEXT, frame};
use support::peer::ScriptedPeer;
use support::{each, json, pattern};

/// zlib-rs, watched.
#[derive(Debug, Clone, Default)]
struct Watched {
    compressors: Arc<Watch>,
    decompressors: Arc<Watch>,
}

/// Contexts of one kind.
#[derive(Debug, Default)]
struct Watch {
    /// The window bits of those that were asked for.
    asked: Mutex<Vec<u8>>,
    /// How many there are, and were at most.
    count: AtomicUsize,
    most: AtomicUsize,
    /// How often to panic instead of making or resetting one.
    makes_to_fail: AtomicUsize,
    resets_to_fail: AtomicUsize,
}

struct Context<T> {
    inner: T,
    watch: Arc<Watch>,
}

impl Engine for Watched {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        let new = || ZlibRs.compressor(level, window_bits, memory_level);
        Box::new(self.compressors.make(window_bits, new))
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        let new = || ZlibRs.decompressor(window_bits);
        Box::new(self.decompressors.make(window_bits, new))
    }
}

impl Watch {
    fn make<T>(self: &Arc<Self>, window_bits: u8, new: impl FnOnce() -> T) -> Context<T> {
        self.asked.lock().unwrap().push(window_bits);
        fail_while_left(&self.makes_to_fail);
        let count = 1 + self.count.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(count, Ordering::SeqCst);
        Context {
            inner: new(),
            watch: Arc::clone(self),
        }
    }
}

fn fail_while_left(left: &AtomicUsize) {
    let next = |left: usize| left.checked_sub(1);
    let was_left = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    assert!(was_left.is_err(), "the engine fails");
}

impl Compressor for Context<Box<dyn Compressor>> {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        self.inner.compress(input, output, flush)
    }

    fn reset(&mut self) {
        fail_while_left(&self.watch.resets_to_fail);
        self.inner.reset();
    }
}

impl Decompressor for Context<Box<dyn Decompressor>> {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        self.inner.decompress(input, output)
    }

    fn reset(&mut self) {
        fail_while_left(&self.watch.resets_to_fail);
        self.inner.reset();
    }
}

impl<T> Drop for Context<T> {
    fn drop(&mut self) {
        self.watch.count.fetch_sub(1, Ordering::SeqCst);
    }
}

fn deflate(engine: &Watched, pool_size: usize) -> Deflate {
    Deflate::with_engine(DeflateConfig::default(), engine.clone(), pool_size).unwrap()
}

fn client(negotiated: &Negotiated) -> Receiving {
    Receiving::new(Role::Client, negotiated, Limits::default())
}

/// How many of ten connections can be inside a message that they send compressed.
fn compressors(negotiated: &Negotiated) -> usize {
    let mut servers = [(); 10].map(|()| {
        let peer = ScriptedPeer::default();
        let server = end(Kind::Blocking, Role::Server, &peer, 64, negotiated);
        (peer, server)
    });
    for (_, server) in &mut servers {
        let mut message = server.message_writer(Opcode::Text).unwrap();
        message.write_all(b"Hello").unwrap();
    }
    let is_compressed = servers.map(|(peer, mut server)| {
        server.resume_message_writer().unwrap().finish().unwrap();
        peer.written()[0] & RSV1 != 0
    });
    is_compressed.into_iter().filter(|is| *is).count()
}

/// How many of ten connections can be inside a compressed message that they receive.
fn decompressors(negotiated: &Negotiated) -> usize {
    let begun = frame(Role::Server, RSV1 | TEXT, &[0xf2, 0x48]);
    let mut clients = [(); 10].map(|()| client(negotiated));
    let received = clients.each_mut().map(|client| client.receive(&begun));
    received.into_iter().flatten().count()
}

#[test]
fn an_engine_is_asked_for_no_window_that_is_none() {
    for (window_bits, expected) in each([(0, 9), (8, 9), (9, 9), (15, 15), (16, 15), (255, 15)]) {
        for takeover in [true, false] {
            let engine = Watched::default();
            let negotiated = deflate(&engine, 4).negotiated(parameters(takeover, window_bits));
            let hello = sent(&mut sender(&negotiated), b"Hello");
            assert_eq!(client(&negotiated).receive(&hello).unwrap(), [b"Hello"]);
            assert_eq!(*engine.compressors.asked.lock().unwrap(), [expected]);
            // A pool's decompressors serve every connection.
            let expected = if takeover { expected } else { 15 };
            assert_eq!(*engine.decompressors.asked.lock().unwrap(), [expected]);
        }
    }
}

/// Older zlib has a window of 9 bits where 8 were agreed on.
#[test]
fn what_fits_into_9_bits_is_read_where_8_were_agreed_on() {
    let message = pattern(400).repeat(2);
    let mut compressed = [0; 2000];
    // Of 9 bits zlib's compressor uses only a half.
    let progress = ZlibRs
        .compressor(6, 10, 8)
        .compress(&message, &mut compressed, Flush::Sync);
    let compressed = &compressed[..progress.unwrap().produced - 4];
    assert!(compressed.len() < 500, "it refers back by 400 bytes");
    let mut decompressor = ZlibRs.decompressor(8);
    let mut inflated = Vec::new();
    // References into the output of the same call are always taken.
    for piece in compressed.chunks(8) {
        let mut output = [0; 16];
        let mut rest = piece;
        loop {
            let progress = decompressor.decompress(rest, &mut output).unwrap();
            inflated.extend_from_slice(&output[..progress.produced]);
            rest = &rest[progress.consumed..];
            if progress.produced < output.len() {
                break;
            }
        }
    }
    assert!(inflated == message);
}

#[test]
fn an_engine_that_panics_takes_no_place_in_the_pool() {
    let hello = frame(Role::Server, FIN | RSV1 | TEXT, &HELLO);
    for (makes, resets) in [(2, 0), (0, 2)] {
        let engine = Watched::default();
        for watch in [&engine.compressors, &engine.decompressors] {
            watch.makes_to_fail.store(makes, Ordering::SeqCst);
            watch.resets_to_fail.store(resets, Ordering::SeqCst);
        }
        let negotiated = deflate(&engine, 2).negotiated(parameters(false, 15));
        for _ in 0..2 {
            assert!(catch_unwind(|| sent(&mut sender(&negotiated), b"Hello")).is_err());
            assert!(catch_unwind(|| client(&negotiated).receive(&hello)).is_err());
        }
        assert_eq!(compressors(&negotiated), 2);
        assert_eq!(decompressors(&negotiated), 2);
    }
}

/// Each waits for the other to be made.
#[test]
fn contexts_are_made_at_once() {
    #[derive(Debug, Default)]
    struct Meeting(AtomicUsize);

    impl Engine for Meeting {
        fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let deadline = Instant::now() + Duration::from_secs(10);
            while self.0.load(Ordering::SeqCst) < 2 {
                assert!(Instant::now() < deadline, "one waits for the other's lock");
                thread::yield_now();
            }
            ZlibRs.compressor(level, window_bits, memory_level)
        }

        fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
            ZlibRs.decompressor(window_bits)
        }
    }

    let deflate = Deflate::with_engine(DeflateConfig::default(), Meeting::default(), 2).unwrap();
    let negotiated = deflate.negotiated(parameters(false, 15));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| sent(&mut sender(&negotiated), b"Hello"));
        }
    });
}

#[test]
fn in_a_full_pool_the_context_that_was_free_the_longest_makes_place() {
    let engine = Watched::default();
    let deflate = deflate(&engine, 3);
    for window_bits in each([15, 14, 13, 9, 10, 9, 10, 13, 9, 10, 13, 15]) {
        let negotiated = deflate.negotiated(parameters(false, window_bits));
        sent(&mut sender(&negotiated), b"Hello");
    }
    let asked = engine.compressors.asked.lock().unwrap();
    assert_eq!(*asked, [15, 14, 13, 9, 10, 15]);
    assert_eq!(engine.compressors.most.load(Ordering::SeqCst), 3);
}

#[test]
fn many_threads_share_a_small_pool() {
    let engine = Watched::default();
    let deflate = deflate(&engine, 3);
    let message = json(3_000);
    thread::scope(|scope| {
        for window_bits in 9..=15 {
            let (deflate, message) = (&deflate, &message);
            scope.spawn(move || {
                let negotiated = deflate.negotiated(parameters(false, window_bits));
                for _ in 0..50 {
                    exchange(&negotiated, message);
                }
            });
        }
    });
    let negotiated = deflate.negotiated(parameters(false, 12));
    assert_eq!(compressors(&negotiated), 3);
    assert_eq!(decompressors(&negotiated), 3);
    assert!(engine.compressors.most.load(Ordering::SeqCst) <= 3);
    assert!(engine.decompressors.most.load(Ordering::SeqCst) <= 3);
}

/// Two messages from one connection to another, compressed or not, each in two pieces; where there
/// is no decompressor, the connection is given up.
fn exchange(negotiated: &Negotiated, message: &[u8]) {
    let mut server = sender(negotiated);
    let mut client = client(negotiated);
    for _ in 0..2 {
        let bytes = sent(&mut server, message);
        let (beginning, rest) = bytes.split_at(bytes.len() / 2);
        let received = client.receive(beginning).and_then(|none| {
            assert!(none.is_empty());
            thread::yield_now();
            client.receive(rest)
        });
        match received {
            Ok(messages) => assert!(messages == [message]),
            Err(violation) => {
                assert_eq!(violation, Violation::NoDecompressor);
                return;
            }
        }
    }
}

#[test]
fn many_threads_share_a_prepared_message() {
    // Not all that compress it at once find a compressor.
    let deflate = deflate(&Watched::default(), 3);
    let message = json(50_000);
    let prepared = PreparedMessage::new((Opcode::Text, &message)).unwrap();
    thread::scope(|scope| {
        for window_bits in (9..=15).chain(9..=15) {
            let (deflate, message, prepared) = (&deflate, &message, prepared.clone());
            scope.spawn(move || {
                let negotiated = deflate.negotiated(parameters(false, window_bits));
                for _ in 0..20 {
                    let peer = ScriptedPeer::default();
                    let mut server = end(Kind::Blocking, Role::Server, &peer, 4096, &negotiated);
                    server.write_prepared(&prepared).unwrap();
                    let written = peer.written();
                    let takeover = deflate.negotiated(parameters(true, window_bits));
                    let mut client = client(&takeover);
                    assert!(client.receive(&written).unwrap() == [&message[..]]);
                }
            });
        }
    });
    for window_bits in 9..=15 {
        let negotiated = deflate.negotiated(parameters(false, window_bits));
        assert_eq!(compressors(&negotiated), 3);
    }
}
