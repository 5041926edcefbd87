//! `check_engine` takes the engines there are, and tells what is wrong with broken ones; and what a
//! connection does with a broken one.

use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, EngineError, Flush, Progress, ZlibRs,
    check_engine,
};
use framewire::protocol::{Role, SendError};
use framewire::{ErrorKind, Opcode, WebSocket};
use std::io::Write as _;
use support::deflate::parameters;
use support::deflate::ways::{Wire, end};

use crate::engine_kinds::Kind;

#[test]
fn every_engine_keeps_to_the_rules() {
    for &kind in Kind::ALL {
        check_engine(&*kind.engine()).unwrap_or_else(|fault| panic!("{kind:?}: {fault}"));
    }
}

/// What is wrong with an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Leaves out what a flush ends with.
    NoTail,
    /// Puts out next to nothing.
    Nothing,
    /// Says that it put out more than there was room for.
    TooMuch,
    /// Says that it took more than it was given.
    TooGreedy,
    /// Loses a byte where the room runs out.
    Loses,
    /// Keeps its context where it is to forget it.
    NoReset,
    /// Goes back over the window that it was asked for.
    LargeWindow,
    /// Fits no window of 8 bits, and says that it does.
    FalseClaim,
    /// Fails.
    Fails,
    /// Its decompressor forgets nothing.
    NoResetInflating,
    /// Its decompressor leaves input.
    Leaves,
}

impl Engine for Broken {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        let window_bits = match self {
            Self::LargeWindow => 15,
            Self::FalseClaim => window_bits.max(10),
            _ => window_bits,
        };
        Box::new(Faulty {
            broken: *self,
            inner: ZlibRs.compressor(level, window_bits, memory_level),
        })
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        Box::new(Faulty {
            broken: *self,
            inner: ZlibRs.decompressor(window_bits),
        })
    }

    fn fits_window_of_8_bits(&self) -> bool {
        *self == Self::FalseClaim
    }
}

struct Faulty<T: ?Sized> {
    broken: Broken,
    inner: Box<T>,
}

impl Compressor for Faulty<dyn Compressor> {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        let mut progress = self.inner.compress(input, output, flush)?;
        let is_done = progress.produced < output.len();
        match self.broken {
            Broken::NoTail if flush == Flush::Sync && is_done => {
                progress.produced = progress.produced.saturating_sub(4);
            }
            Broken::Nothing if is_done => progress.produced = progress.produced.min(2),
            Broken::TooMuch => progress.produced = output.len() + 1,
            Broken::TooGreedy => progress.consumed = input.len() + 1,
            Broken::Loses if !is_done => output[0] ^= 1,
            Broken::Fails => return Err(EngineError),
            _ => {}
        }
        Ok(progress)
    }

    fn reset(&mut self) {
        if self.broken != Broken::NoReset {
            self.inner.reset();
        }
    }
}

impl Decompressor for Faulty<dyn Decompressor> {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        match (self.broken, input) {
            (Broken::Leaves, [_, second @ .., _]) if !second.is_empty() => {
                self.inner.decompress(&input[..1], output)
            }
            _ => self.inner.decompress(input, output),
        }
    }

    fn reset(&mut self) {
        if self.broken != Broken::NoResetInflating {
            self.inner.reset();
        }
    }
}

#[test]
fn an_engine_that_breaks_a_rule_is_told_which() {
    for (broken, rule) in [
        (Broken::NoTail, "00 00 FF FF"),
        (Broken::Nothing, "00 00 FF FF"),
        (Broken::TooMuch, "more than there is room for"),
        (Broken::TooGreedy, "more than it is given"),
        (Broken::Loses, "put"),
        (Broken::NoReset, "after a reset it refers"),
        (Broken::LargeWindow, "over the window"),
        (Broken::FalseClaim, "over the window"),
        (Broken::Fails, "it fails"),
        (Broken::NoResetInflating, "after a reset"),
        (Broken::Leaves, "leaves input"),
    ] {
        let fault = check_engine(&broken).expect_err(rule).to_string();
        assert!(fault.contains(rule), "{broken:?}: {fault}");
    }
}

type Send = fn(&mut WebSocket<Wire>) -> Result<(), framewire::Error>;

/// Nothing of a message goes out that a broken engine has made, and nothing panics.
#[test]
fn what_a_broken_engine_makes_is_not_sent() {
    use Broken::{Fails, NoTail, Nothing, TooGreedy, TooMuch};
    for broken in [NoTail, Nothing, TooMuch, TooGreedy, Fails] {
        let sends: [Send; 4] = [
            |websocket| websocket.write_message(Opcode::Binary, &[7; 300]),
            |websocket| websocket.feed_message(Opcode::Binary, &[7; 300]),
            |websocket| {
                let streamed = websocket.stream_message(Opcode::Binary, 64, &[7; 300][..]);
                streamed.map(drop)
            },
            |websocket| {
                let mut writer = websocket.message_writer(Opcode::Binary)?;
                writer
                    .write_all(&[7; 300])
                    .map_err(framewire::Error::from)?;
                writer.finish().map(drop)
            },
        ];
        for (which, send) in sends.into_iter().enumerate() {
            let config = DeflateConfig::default();
            let deflate = Deflate::with_engine(config, broken, 1).unwrap();
            let negotiated = deflate.negotiated(parameters(true, 15));
            let mut server = end(Role::Server, Wire::default(), 64, &negotiated);
            let error = send(&mut server).unwrap_err();
            let is_told = matches!(error.kind(), ErrorKind::Send(SendError::Compression));
            assert!(is_told || which == 3, "{broken:?}, {which}: {error:?}");
            server.flush().unwrap();
            assert!(server.stream().written.is_empty(), "{broken:?}, {which}");
        }
    }
}
