//! Connections that share a pool of contexts: what each is lent comes back.

use std::io::{self, Write};

use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use support::deflate::{Receiving, pooled};
use support::frames::{BINARY, CONTINUATION, FIN, RSV1, TEXT, frame};
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::{each, json, pattern};

use super::{MIB, bomb, close_code, in_one_frame, server, violation};

#[test]
fn a_pool_that_is_exhausted_closes_with_1013() {
    let agreed = pooled(2);
    let begun = frame(Role::Client, RSV1 | TEXT, &[0xf2, 0x48]);
    let rest = frame(
        Role::Client,
        FIN | CONTINUATION,
        &[0xcd, 0xc9, 0xc9, 0x07, 0x00],
    );
    // The message may go on: its second read would block.
    let plan = Plan::Nth(Direction::Read, 1, Fault::Error(io::ErrorKind::WouldBlock));
    let mut holders: Vec<_> = (0..2)
        .map(|_| {
            let script = ScriptedPeer::new(begun.clone()).failing(plan);
            let mut holder = support::connect(Role::Server, script, Config::default());
            holder.set_extension(&agreed);
            assert!(holder.next_message().unwrap_err().is_would_block());
            holder
        })
        .collect();
    let mut refused = server(&agreed, &begun);
    assert_eq!(violation(&mut refused), Violation::NoDecompressor);
    assert_eq!(close_code(refused.stream()), 1013);
    drop(holders.pop());
    let mut taken = server(&agreed, &[begun, rest].concat());
    assert_eq!(taken.next_message().unwrap().text(), Some("Hello"));
}

#[test]
fn a_pool_that_is_exhausted_sends_uncompressed() {
    let agreed = pooled(2);
    let mut holders: Vec<_> = (0..2).map(|_| server(&agreed, &[])).collect();
    for holder in &mut holders {
        holder.message_writer(Opcode::Text).unwrap();
    }
    let first_byte = |websocket: &WebSocket<ScriptedPeer>| websocket.stream().written()[0];
    for (compressed, send) in [(0, false), (0, true), (RSV1, false), (RSV1, true)] {
        if compressed != 0 {
            holders.pop();
        }
        let mut sender = server(&agreed, &[]);
        if send {
            sender.write_message(Opcode::Text, b"Hello").unwrap();
        } else {
            sender
                .stream_message(Opcode::Text, 64, &b"Hello"[..])
                .unwrap();
        }
        assert_eq!(first_byte(&sender), FIN | compressed | TEXT);
    }
}

#[test]
fn what_the_pool_lends_comes_back() {
    let agreed = pooled(2);
    let whole = in_one_frame(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let begun = frame(Role::Client, RSV1 | BINARY, &[0xf2, 0x48]);
    let broken = in_one_frame(&[0xff; 10]);
    let mut alive = Vec::new();
    for n in 0..100 {
        // After messages, …
        let mut server = server(
            &agreed,
            &[&whole[..], &whole, [&begun, &broken][n % 2]].concat(),
        );
        for _ in 0..2 {
            assert_eq!(server.next_message().unwrap().payload(), b"Hello");
            server.write_message(Opcode::Text, b"Hello").unwrap();
            assert_eq!(server.stream().written()[0], FIN | RSV1 | TEXT);
        }
        if n % 4 == 0 {
            alive.push(server);
            continue;
        }
        // … and after drops, in the middle of a message both ways.
        server.message_writer(Opcode::Text).unwrap();
        assert!(server.next_message().is_err());
    }
    assert_eq!(alive.len(), 25);
}

/// A message that is never finished leaves nothing in its context for the connection that has it next.
#[test]
fn a_context_that_comes_back_from_within_a_message_is_as_new() {
    let agreed = pooled(1);
    for len in each([100, 10_000, 1_000_000]) {
        server(&agreed, &[])
            .message_writer(Opcode::Binary)
            .unwrap()
            .write_all(&pattern(len))
            .unwrap();
        let mut next = server(&agreed, &[]);
        for message in [json(100), pattern(100_000)] {
            next.write_message(Opcode::Binary, &message).unwrap();
            let bytes = next.stream().take_written();
            let received = Receiving::client(false).receive(&bytes);
            assert!(received.unwrap() == [message], "{len}");
        }
    }
}

/// A connection that has failed is kept for its Close frame, and holds nothing of the pool's.
#[test]
fn a_violation_gives_the_context_back() {
    let agreed = pooled(1);
    let broken = in_one_frame(&[0xff; 10]);
    let not_text = frame(
        Role::Client,
        FIN | RSV1 | TEXT,
        &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00],
    );
    let bomb = in_one_frame(&bomb(2 * MIB));
    let mut failed = Vec::new();
    for bytes in [broken, not_text, bomb] {
        let mut server = server(&agreed, &bytes);
        assert_ne!(violation(&mut server), Violation::NoDecompressor);
        failed.push(server);
    }
}
