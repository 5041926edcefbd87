//! Messages, and ways to have them echoed.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use framewire::Opcode;
use framewire::deflate::Parameters;

use super::connection::Connection;

pub(crate) type Message = (Opcode, Vec<u8>);

/// Empty, small, compressible and not, in every script.
pub(crate) fn messages() -> Vec<Message> {
    let text = |text: &str| (Opcode::Text, text.as_bytes().to_vec());
    vec![
        text(""),
        (Opcode::Binary, Vec::new()),
        text("a"),
        text("hello"),
        text("Grüße aus Köln, Привет, 水をマレーシアから, 𝄞🦀👩🏽‍🚀"),
        (Opcode::Text, records(300)),
        (Opcode::Binary, noise(1000)),
        (Opcode::Text, records(100_000)),
        (Opcode::Binary, noise(65_536)),
        text(""),
    ]
}

pub(crate) fn large_messages() -> Vec<Message> {
    vec![
        (Opcode::Text, records(1 << 20)),
        (Opcode::Binary, noise(1 << 20)),
        (Opcode::Text, "aß水🦀".repeat(104_857).into_bytes()),
        (Opcode::Binary, vec![0; 3 << 20]),
    ]
}

/// Text that compresses well, and is not the same twice.
fn records(len: usize) -> Vec<u8> {
    let record = |n: usize| format!("{{\"id\":{n},\"price\":{}}}", n * 7919 % 1000).into_bytes();
    (0..).flat_map(record).take(len).collect()
}

/// Bytes that look random and are the same in each run.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = len as u64 | 1;
    let next = || {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_be_bytes()[3])
    };
    iter::from_fn(next).take(len).collect()
}

pub(crate) fn echo_all(websocket: &mut dyn Connection, messages: &[Message]) -> Result<()> {
    for (opcode, payload) in messages {
        websocket.write(&(*opcode, payload))?;
        expect_echo(websocket, *opcode, payload)?;
    }
    Ok(())
}

fn expect_echo(websocket: &mut dyn Connection, opcode: Opcode, payload: &[u8]) -> Result<()> {
    let echo = websocket.next_message()?.context("no echo")?;
    ensure!(
        echo.opcode() == opcode && echo.payload() == payload,
        "{opcode} of {} bytes came back as {} of {} bytes, or with others",
        payload.len(),
        echo.opcode(),
        echo.payload().len()
    );
    Ok(())
}

/// Sends messages in fragments, of one size and of many.
pub(crate) fn echo_fragmented(websocket: &mut dyn Connection) -> Result<()> {
    for (opcode, payload) in messages().iter().chain(&large_messages()) {
        for chunk_size in [100, 4096] {
            // In fragments of a few bytes the large ones would take too long.
            if payload.len() / chunk_size < 10_000 {
                websocket.stream_message(*opcode, chunk_size, &payload[..])?;
                expect_echo(websocket, *opcode, payload)?;
            }
        }
    }
    let whole = noise(60 * 97);
    websocket.begin_message(Opcode::Binary)?;
    for piece in whole.chunks(97) {
        websocket.push(piece)?;
        websocket.push_out()?;
    }
    websocket.end_message()?;
    expect_echo(websocket, Opcode::Binary, &whole)
}

/// Sends many messages before any of their echoes is read. They fit into the sockets' buffers.
pub(crate) fn echo_pipelined(websocket: &mut dyn Connection) -> Result<()> {
    let lengths = || (0..1000).map(|n| n * 7 % 200);
    for len in lengths() {
        websocket.feed(&(Opcode::Text, records(len)))?;
    }
    websocket.flush()?;
    for len in lengths() {
        expect_echo(websocket, Opcode::Text, &records(len))?;
    }
    Ok(())
}

pub(crate) fn ping_between_fragments(websocket: &mut dyn Connection) -> Result<()> {
    let pongs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pongs);
    websocket.on_pong(Box::new(move |payload| {
        counter.fetch_add(usize::from(payload == b"between"), Ordering::Relaxed);
    }));
    let payload = records(10_000);
    for _ in 0..3 {
        let (before, after) = payload.split_at(5000);
        websocket.begin_message(Opcode::Text)?;
        websocket.push(before)?;
        websocket.ping(b"between")?;
        websocket.push(after)?;
        websocket.end_message()?;
        expect_echo(websocket, Opcode::Text, &payload)?;
    }
    let pongs = pongs.load(Ordering::Relaxed);
    ensure!(pongs == 3, "{pongs} pongs came for 3 pings");
    Ok(())
}

/// Sends messages twice that fit into the windows agreed on, and some that do not: each end writes
/// one in full again unless it has kept its context and the window holds the message.
pub(crate) fn check_windows(websocket: &mut dyn Connection, agreed: Parameters) -> Result<()> {
    let (server_bits, client_bits) = (agreed.server_max_window_bits, agreed.client_max_window_bits);
    for bits in BTreeSet::from([server_bits, client_bits]) {
        let window = 1 << bits;
        for (len, fits) in [(window - LOOKAHEAD, true), (window + 1, false)] {
            let message = [(Opcode::Binary, noise(len))];
            echo_all(websocket, &message)?;
            let before = websocket.traffic();
            echo_all(websocket, &message)?;
            let sent = websocket.traffic().sent - before.sent;
            let received = websocket.traffic().received - before.received;

            let is_held = |by: u8| bits < by || bits == by && fits;
            let short_from_client = !agreed.client_no_context_takeover && is_held(client_bits);
            ensure!(
                (sent < len / 4) == short_from_client,
                "{len} bytes, sent again in {sent}"
            );
            let short_from_server = !agreed.server_no_context_takeover && is_held(server_bits);
            ensure!(
                (received < len / 4) == short_from_server,
                "{len} bytes, received again in {received}"
            );
        }
    }
    Ok(())
}

/// zlib finds what was repeated within its window less this much (its `MIN_LOOKAHEAD` is 262).
const LOOKAHEAD: usize = 300;
