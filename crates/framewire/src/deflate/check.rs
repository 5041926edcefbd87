//! A check that an engine keeps to the rules of its traits.

use std::fmt;

use zlib_rs::{Inflate, InflateFlush};

use super::deflater::{MIN_ROOM, TAIL};
use super::engine::{Compressor, Decompressor, Engine, Flush, Progress};
use super::{ZlibRs, negotiate};

/// Tests an engine against the rules of [`Engine`], [`Compressor`] and [`Decompressor`]. zlib-rs judges its output and
/// makes its input, with every amount of room at which that runs out. To be called in a test of your own engine.
///
/// Takes a second or so, more without optimisation. Allocates.
///
/// # Errors
/// The first rule that is broken, and the call that broke it.
///
/// # Examples
/// ```
/// use framewire::deflate::{ZlibRs, check_engine};
///
/// check_engine(&ZlibRs).unwrap();
/// ```
pub fn check_engine(engine: &dyn Engine) -> Result<(), EngineFault> {
    for level in 0..=9 {
        for window_bits in negotiate::MIN_COMPRESSOR_WINDOW_BITS..=negotiate::MAX_WINDOW_BITS {
            let compressor = engine.compressor(level, window_bits, 8);
            let fits = engine.fits_window_of_8_bits() && window_bits == 9;
            let judged_bits = if fits { 8 } else { window_bits };
            check_compressor(compressor, judged_bits).map_err(|(room, rule)| EngineFault {
                of: format!("compressor of level {level} with {window_bits} window bits"),
                room,
                rule,
            })?;
        }
    }
    check_decompressor(engine).map_err(|(room, rule)| EngineFault {
        of: "decompressor".to_owned(),
        room,
        rule,
    })
}

/// The rule of its traits that an engine broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFault {
    of: String,
    room: usize,
    rule: &'static str,
}

impl fmt::Display for EngineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, room, rule } = self;
        write!(f, "{of}, given room for {room} bytes: {rule}")
    }
}

impl std::error::Error for EngineFault {}

/// The room that was given, and the rule that was broken.
type Fault = (usize, &'static str);

fn check_compressor(mut compressor: Box<dyn Compressor>, window_bits: u8) -> Result<(), Fault> {
    check_window(&mut *compressor, window_bits).map_err(|rule| (100_000, rule))?;
    let messages = messages();
    // The least room that a message needs, and so much more that it ends at any place in the room.
    for room in (MIN_ROOM..MIN_ROOM + 32).chain([100, 1000, 100_000]) {
        let fault = |rule| (room, rule);
        let mut judge = Judge::new();
        // Each message refers to earlier ones.
        for message in &messages {
            let compressed = flushed(&mut *compressor, message, room).map_err(fault)?;
            if !message.is_empty() || !compressed.is_empty() {
                judge.take(&compressed, message).map_err(fault)?;
            }
        }
        // A reset also forgets what was taken and not put out.
        let mut output = vec![0; room];
        let begun = step(&mut *compressor, &messages[1], &mut output, Flush::None);
        begun.map_err(fault)?;
        compressor.reset();
        let message = &messages[1];
        let compressed = flushed(&mut *compressor, message, room).map_err(fault)?;
        let mut fresh = Judge::new();
        let forgot = fresh.take(&compressed, message);
        forgot.map_err(|_| fault("after a reset it refers to what came before"))?;
        compressor.reset();
    }
    Ok(())
}

/// Compresses a repetition of something further back than the window goes: by a byte, and by more for a compressor
/// that does not find every repetition.
fn check_window(compressor: &mut dyn Compressor, bits: u8) -> Result<(), &'static str> {
    const LEN: usize = 64;
    /// zlib's hash chains have no place 0.
    const START: usize = 8;
    let window = 1 << bits;
    if bits == negotiate::MAX_WINDOW_BITS {
        return Ok(());
    }
    for over in [1, 2, 3, 4, 8, 16, 32, 64, 128, 256] {
        let before = noise(1, START + window + over);
        let repeated = &before[START..START + LEN];
        let first = flushed(compressor, &before, 100_000)?;
        let again = flushed(compressor, repeated, 100_000)?;
        compressor.reset();
        // A peer that has what the window holds, given as a stored block, and no more.
        let held = &before[START + over..];
        let mut judge = Judge::new();
        let length = u16::try_from(window).unwrap_or(u16::MAX).to_le_bytes();
        let mut stored = vec![0, length[0], length[1], !length[0], !length[1]];
        stored.extend_from_slice(held);
        judge.take(&stored, held)?;
        if judge.take(&again, repeated).is_err() {
            let mut all = Judge::new();
            all.take(&first, &before)?;
            all.take(&again, repeated)?;
            return Err("it goes back over the window");
        }
    }
    Ok(())
}

/// Returns a whole message compressed, with `room` bytes for each call.
fn flushed(
    compressor: &mut dyn Compressor,
    message: &[u8],
    room: usize,
) -> Result<Vec<u8>, &'static str> {
    let mut compressed = Vec::new();
    let mut output = vec![0; room];
    let mut rest = message;
    for _ in 0..MOST_CALLS {
        let progress = step(compressor, rest, &mut output, Flush::Sync)?;
        rest = &rest[progress.consumed..];
        compressed.extend_from_slice(&output[..progress.produced]);
        if rest.is_empty() && progress.produced < room {
            let is_flushed = compressed.ends_with(TAIL);
            if !is_flushed && !message.is_empty() {
                return Err("a flush does not end with 00 00 FF FF");
            }
            return Ok(compressed);
        }
        if progress.consumed == 0 && progress.produced == 0 {
            return Err("a call takes nothing and puts out nothing, and is not done");
        }
    }
    Err("a flush does not come to its end")
}

fn step(
    compressor: &mut dyn Compressor,
    input: &[u8],
    output: &mut [u8],
    flush: Flush,
) -> Result<Progress, &'static str> {
    let room = output.len();
    let progress = compressor.compress(input, output, flush);
    let progress = progress.map_err(|_| "it fails")?;
    within(progress, input.len(), room)
}

fn within(progress: Progress, input: usize, room: usize) -> Result<Progress, &'static str> {
    if progress.consumed > input {
        return Err("it takes more than it is given");
    }
    if progress.produced > room {
        return Err("it puts out more than there is room for");
    }
    Ok(progress)
}

/// A decompressor of zlib-rs, which remembers all that was ever put out.
struct Judge(Inflate);

impl Judge {
    fn new() -> Self {
        Self(Inflate::new(false, negotiate::MAX_WINDOW_BITS))
    }

    fn take(&mut self, mut compressed: &[u8], expected: &[u8]) -> Result<(), &'static str> {
        let mut message = Vec::new();
        let mut output = [0; 1000];
        loop {
            let (taken, put) = (self.0.total_in(), self.0.total_out());
            let judged = self
                .0
                .decompress(compressed, &mut output, InflateFlush::SyncFlush);
            judged.map_err(|_| "what it puts out is no DEFLATE")?;
            let put = (self.0.total_out() - put) as usize;
            compressed = &compressed[(self.0.total_in() - taken) as usize..];
            message.extend_from_slice(&output[..put]);
            if put < output.len() {
                break;
            }
        }
        if compressed.is_empty() && message == expected {
            Ok(())
        } else {
            Err("what it puts out is not what it was given")
        }
    }
}

fn check_decompressor(engine: &dyn Engine) -> Result<(), Fault> {
    let messages = messages();
    let mut theirs = ZlibRs.compressor(6, 15, 8);
    let compressed: Result<Vec<_>, _> = messages
        .iter()
        .map(|message| flushed(&mut *theirs, message, 1000))
        .collect();
    let compressed = compressed.map_err(|rule| (1000, rule))?;
    let mut ours = engine.decompressor(15);
    for room in (1..=MIN_ROOM).chain([100, 1000, 100_000]) {
        for piece in [1, 7, usize::MAX] {
            let fault = |rule| (room, rule);
            for (message, compressed) in messages.iter().zip(&compressed) {
                let output = inflated(&mut *ours, compressed, piece, room).map_err(fault)?;
                if output != *message {
                    return Err(fault("what it puts out is not what was compressed"));
                }
            }
            ours.reset();
        }
    }
    // The second time, this message refers to the first time.
    let mut output = vec![0; 100_000];
    let mut theirs = ZlibRs.compressor(6, 15, 8);
    let mut repeated = Vec::new();
    for _ in 0..2 {
        repeated = flushed(&mut *theirs, &messages[1], 1000).map_err(|rule| (1000, rule))?;
    }
    if ours.decompress(&repeated, &mut output).is_ok() {
        let rule = "after a reset it takes references to what came before";
        return Err((output.len(), rule));
    }
    ours.reset();
    // BFINAL and an empty block with fixed codes: the end. After a reset another stream begins.
    for _ in 0..2 {
        let ended = ours.decompress(&[0x03, 0x00], &mut output);
        if !ended.is_ok_and(|progress| progress.ended && progress.consumed == 2) {
            return Err((output.len(), "it does not say that a stream has ended"));
        }
        ours.reset();
    }
    Ok(())
}

/// Returns all output of a flushed stream, given in pieces, with `room` bytes for each call.
fn inflated(
    decompressor: &mut dyn Decompressor,
    compressed: &[u8],
    piece: usize,
    room: usize,
) -> Result<Vec<u8>, &'static str> {
    let mut message = Vec::new();
    let mut output = vec![0; room];
    for piece in compressed.chunks(piece) {
        let mut rest = piece;
        let mut calls = 0;
        loop {
            let progress = decompressor.decompress(rest, &mut output);
            let progress = progress.map_err(|_| "it fails")?;
            let progress = within(progress, rest.len(), room)?;
            rest = &rest[progress.consumed..];
            message.extend_from_slice(&output[..progress.produced]);
            if progress.produced < room {
                if !rest.is_empty() {
                    return Err("it leaves input although it has room");
                }
                break;
            }
            calls += 1;
            if calls == MOST_CALLS {
                return Err("it does not come to an end");
            }
        }
    }
    Ok(message)
}

/// Returns an empty message, two that repeat themselves, within any window and over it, and one that does not.
fn messages() -> [Vec<u8>; 4] {
    let repeated: Vec<u8> = [100, 250, 500, 1000]
        .into_iter()
        .flat_map(|period| noise(period, period as usize).repeat(3))
        .collect();
    [Vec::new(), b"hello ".repeat(40), repeated, noise(2, 300)]
}

fn noise(mut seed: u32, len: usize) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (seed >> 16) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// More calls than any message here takes.
const MOST_CALLS: usize = 1 << 16;
