//! Connections that share a pool of contexts: what each is lent comes back.

use std::io::Write;

use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::connection::Kind;
use support::deflate::{Receiving, pooled};
use support::frames::{BINARY, CONTINUATION, FIN, RSV1, TEXT, frame};
use support::peer::ScriptedPeer;
use support::{each, json, pattern};

use super::{MIB, bomb, close_code, in_one_frame, server, streaming_server, violation};

#[test]
fn a_pool_that_is_exhausted_closes_with_1013() {
    let begun = frame(Role::Client, RSV1 | TEXT, &[0xf2, 0x48]);
    let rest = frame(
        Role::Client,
        FIN | CONTINUATION,
        &[0xcd, 0xc9, 0xc9, 0x07, 0x00],
    );
    let whole = [&begun[..], &rest].concat();
    for kind in each(Kind::ALL) {
        let agreed = pooled(2);
        let mut holders: Vec<_> = (0..2)
            .map(|_| {
                // The message may go on.
                let peer = ScriptedPeer::saying([&begun[..]]);
                let config = Config::default();
                let holder = kind.messaging(&peer, Role::Server, config, Some(&agreed));
                let mut holder = holder.unwrap();
                assert!(holder.next_message().unwrap_err().is_would_block());
                holder
            })
            .collect();
        let (peer, mut refused) = server(kind, &agreed, &begun);
        assert_eq!(violation(&mut *refused), Violation::NoDecompressor);
        assert_eq!(close_code(&peer), 1013);
        drop(holders.pop());
        let (_, mut taken) = server(kind, &agreed, &whole);
        assert_eq!(taken.next_message().unwrap().unwrap().text(), Some("Hello"));
    }
}

#[test]
fn a_pool_that_is_exhausted_sends_uncompressed() {
    for kind in each(Kind::FRONT_ENDS) {
        let agreed = pooled(2);
        let connect = || streaming_server(kind, &agreed, &[], Config::default());
        let mut holders: Vec<_> = (0..2).map(|_| connect().1).collect();
        for holder in &mut holders {
            holder.message_writer(Opcode::Text).unwrap();
        }
        for (compressed, send) in [(0, false), (0, true), (RSV1, false), (RSV1, true)] {
            if compressed != 0 {
                holders.pop();
            }
            let (peer, mut sender) = connect();
            if send {
                sender.write("Hello").unwrap();
            } else {
                sender
                    .stream_message(Opcode::Text, 64, &mut &b"Hello"[..])
                    .unwrap();
            }
            assert_eq!(peer.written()[0], FIN | compressed | TEXT);
        }
    }
}

#[test]
fn what_the_pool_lends_comes_back() {
    let whole = in_one_frame(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let begun = frame(Role::Client, RSV1 | BINARY, &[0xf2, 0x48]);
    let broken = in_one_frame(&[0xff; 10]);
    let inputs = [&begun, &broken].map(|last| [&whole[..], &whole, last].concat());
    for kind in each(Kind::ALL) {
        let agreed = pooled(2);
        let mut alive = Vec::new();
        for n in 0..100 {
            // After messages, …
            let (peer, mut server) = server(kind, &agreed, &inputs[n % 2]);
            for _ in 0..2 {
                assert_eq!(server.next_message().unwrap().unwrap().payload(), b"Hello");
                server.write("Hello").unwrap();
                assert_eq!(peer.written()[0], FIN | RSV1 | TEXT);
            }
            if n % 4 == 0 {
                alive.push(server);
                continue;
            }
            // … and after drops, in the middle of a message both ways.
            if let Some(server) = server.with_stream() {
                server.message_writer(Opcode::Text).unwrap();
            }
            assert!(server.next_message().is_err());
        }
        assert_eq!(alive.len(), 25);
    }
}

/// A message that is never finished leaves nothing in its context for the connection that has it next.
#[test]
fn a_context_that_comes_back_from_within_a_message_is_as_new() {
    for kind in each(Kind::FRONT_ENDS) {
        let agreed = pooled(1);
        let connect = || streaming_server(kind, &agreed, &[], Config::default());
        for len in each([100, 10_000, 1_000_000]) {
            let (_, mut first) = connect();
            let mut writer = first.message_writer(Opcode::Binary).unwrap();
            writer.write_all(&pattern(len)).unwrap();
            drop(writer);
            drop(first);
            let (peer, mut next) = connect();
            for message in [json(100), pattern(100_000)] {
                next.write(&message).unwrap();
                let received = Receiving::client(false).receive(&peer.take_written());
                assert!(received.unwrap() == [message], "{len}");
            }
        }
    }
}

/// A connection that has failed is kept for its Close frame, and holds nothing of the pool's.
#[test]
fn a_violation_gives_the_context_back() {
    let broken = in_one_frame(&[0xff; 10]);
    let not_text = frame(
        Role::Client,
        FIN | RSV1 | TEXT,
        &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00],
    );
    let bomb = in_one_frame(&bomb(2 * MIB));
    for kind in each(Kind::ALL) {
        let agreed = pooled(1);
        let mut failed = Vec::new();
        for bytes in [&broken, &not_text, &bomb] {
            let (_, mut server) = server(kind, &agreed, bytes);
            assert_ne!(violation(&mut *server), Violation::NoDecompressor);
            failed.push(server);
        }
    }
}
