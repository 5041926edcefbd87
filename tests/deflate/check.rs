//! `check_engine` takes the engines there are, and tells what is wrong with broken ones; and what a
//! connection does with a broken one.

use crate::ways::end;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, EngineError, Flush, Progress, ZlibRs,
    check_engine,
};
use framewire::protocol::{Role, SendError};
use framewire::{ErrorKind, Opcode};
use std::io::Write as _;
use support::connection::{self, Connection};
use support::deflate::parameters;
use support::each;
use support::peer::ScriptedPeer;

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
    /// Puts out nothing at all.
    Silent,
    /// Puts out nothing after its first flush.
    FallsSilent,
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
    /// Goes back over it by one byte.
    LargerByOne,
    /// Fits no window of 8 bits, and says that it does.
    FalseClaim,
    /// The same, but by 44 bytes alone.
    SmallFalseClaim,
    /// Fails.
    Fails,
    /// Its decompressor forgets nothing.
    NoResetInflating,
    /// Its decompressor leaves input.
    Leaves,
}

impl Engine for Broken {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        let window = match self {
            Self::LargerByOne => (1 << window_bits) + 1,
            Self::SmallFalseClaim => 300,
            _ => 0,
        };
        if window > 0 {
            return Box::new(Repeats::within(window));
        }
        let window_bits = match self {
            Self::LargeWindow => 15,
            Self::FalseClaim => window_bits.max(10),
            _ => window_bits,
        };
        Box::new(Faulty {
            broken: *self,
            has_flushed: false,
            inner: ZlibRs.compressor(level, window_bits, memory_level),
        })
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        Box::new(Faulty {
            broken: *self,
            has_flushed: false,
            inner: ZlibRs.decompressor(window_bits),
        })
    }

    fn fits_window_of_8_bits(&self) -> bool {
        matches!(self, Self::FalseClaim | Self::SmallFalseClaim)
    }
}

/// Puts out stored blocks, but for a message that it has seen that far back, and not at the very first
/// byte, where zlib does not look: that is one reference.
struct Repeats {
    window: usize,
    before: Vec<u8>,
    waits: Vec<u8>,
}

impl Repeats {
    fn within(window: usize) -> Self {
        Self {
            window,
            before: vec![],
            waits: vec![],
        }
    }

    fn compress_all(&mut self, message: &[u8]) {
        let mut before = self.before.windows(64);
        let found = before.position(|bytes| bytes == message);
        let distance = found.map_or(0, |place| self.before.len() - place);
        if found.is_some_and(|place| place > 0) && distance <= self.window {
            self.waits.extend(reference(64, distance));
        } else {
            for piece in message.chunks(60_000) {
                let len = u16::try_from(piece.len()).unwrap();
                self.waits.push(0);
                self.waits.extend(len.to_le_bytes());
                self.waits.extend((!len).to_le_bytes());
                self.waits.extend(piece);
            }
            self.waits.push(0);
        }
        self.before.extend(message);
        self.waits.extend([0, 0, 0xff, 0xff]);
    }
}

/// A block with fixed codes that repeats 64 bytes, the end of that block, and the first bits of a stored one
/// (RFC 1951 3.2.4 to 3.2.6).
fn reference(len: u16, distance: usize) -> Vec<u8> {
    assert_eq!(len, 64);
    let mut bits = Vec::new();
    let mut put = |value: usize, count: u32, is_code: bool| {
        for at in 0..count {
            let at = if is_code { count - 1 - at } else { at };
            bits.push(value >> at & 1 == 1);
        }
    };
    // Not the last block; fixed codes; lengths 59 to 66 by code 276, 64 being the fifth.
    put(0, 1, false);
    put(1, 2, false);
    put(276 - 256, 7, true);
    put(5, 3, false);
    // Distances from 5 on: two codes for each number of bits after them.
    let extra = (distance - 1).ilog2() - 1;
    let code = 2 * (extra + 1) + u32::from((distance - 1) >> extra & 1 == 1);
    put(code as usize, 5, true);
    put((distance - 1) & ((1 << extra) - 1), extra, false);
    put(0, 7, true);
    // The beginning of the empty stored block of a flush.
    put(0, 3, false);
    let bytes = bits.chunks(8);
    bytes
        .map(|bits| {
            (0..)
                .zip(bits)
                .fold(0, |byte, (at, &bit)| byte | u8::from(bit) << at)
        })
        .collect()
}

impl Compressor for Repeats {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        if !input.is_empty() {
            assert_eq!(flush, Flush::Sync);
            self.compress_all(input);
        }
        let produced = self.waits.len().min(output.len());
        output[..produced].copy_from_slice(&self.waits[..produced]);
        self.waits.drain(..produced);
        Ok(Progress {
            consumed: input.len(),
            produced,
            ended: false,
        })
    }

    fn reset(&mut self) {
        self.before.clear();
    }
}

struct Faulty<T: ?Sized> {
    broken: Broken,
    has_flushed: bool,
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
            Broken::Silent => progress.produced = 0,
            Broken::FallsSilent if self.has_flushed => progress.produced = 0,
            Broken::TooMuch => progress.produced = output.len() + 1,
            Broken::TooGreedy => progress.consumed = input.len() + 1,
            Broken::Loses if !is_done => output[0] ^= 1,
            Broken::Fails => return Err(EngineError),
            _ => {}
        }
        self.has_flushed |= flush == Flush::Sync;
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
        (Broken::Silent, "00 00 FF FF"),
        (Broken::FallsSilent, "00 00 FF FF"),
        (Broken::TooMuch, "more than there is room for"),
        (Broken::TooGreedy, "more than it is given"),
        (Broken::Loses, "put"),
        (Broken::NoReset, "after a reset it refers"),
        (Broken::LargeWindow, "over the window"),
        (Broken::LargerByOne, "over the window"),
        (Broken::FalseClaim, "over the window"),
        (Broken::SmallFalseClaim, "over the window"),
        (Broken::Fails, "it fails"),
        (Broken::NoResetInflating, "after a reset"),
        (Broken::Leaves, "leaves input"),
    ] {
        let fault = check_engine(&broken).expect_err(rule).to_string();
        assert!(fault.contains(rule), "{broken:?}: {fault}");
    }
}

type Send = fn(&mut dyn Connection) -> Result<(), framewire::Error>;

/// The end of a flush that was sound does not stand for that of the next one.
#[test]
fn what_an_engine_falls_silent_on_is_not_lost() {
    let deflate = Deflate::with_engine(DeflateConfig::default(), Broken::FallsSilent, 1).unwrap();
    let negotiated = deflate.negotiated(parameters(true, 15));
    for kind in each(connection::Kind::FRONT_ENDS) {
        let mut server = end(kind, Role::Server, &ScriptedPeer::new([]), 64, &negotiated);
        let mut writer = server.message_writer(Opcode::Binary).unwrap();
        writer.write_all(b"a").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"b").unwrap();
        let error = writer.finish().unwrap_err();
        let is_told = matches!(error.kind(), ErrorKind::Send(SendError::Compression));
        assert!(is_told, "{error:?}");
    }
}

/// Nothing of a message goes out that a broken engine has made, and nothing panics.
#[test]
fn what_a_broken_engine_makes_is_not_sent() {
    use Broken::{Fails, NoTail, Nothing, Silent, TooGreedy, TooMuch};
    for broken in [NoTail, Nothing, Silent, TooMuch, TooGreedy, Fails] {
        let sends: [Send; 4] = [
            |websocket| websocket.write([7; 300]),
            |websocket| websocket.feed([7; 300]),
            |websocket| {
                let streamed = websocket.stream_message(Opcode::Binary, 64, &mut &[7; 300][..]);
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
            for kind in each(connection::Kind::FRONT_ENDS) {
                let peer = ScriptedPeer::new([]);
                let mut server = end(kind, Role::Server, &peer, 64, &negotiated);
                let error = send(&mut *server).unwrap_err();
                let is_told = matches!(error.kind(), ErrorKind::Send(SendError::Compression));
                assert!(is_told || which == 3, "{broken:?}, {which}: {error:?}");
                server.flush().unwrap();
                assert!(peer.written().is_empty(), "{broken:?}, {which}");
            }
        }
    }
}
