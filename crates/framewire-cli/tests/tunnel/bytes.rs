//! Bytes through a tunnel come out as they went in.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;

use support::pattern;

use crate::ends::{Pair, accept, hear, rest, say};

const LEN: usize = 5 << 20;

/// Sends bytes in pieces of many sizes, and ends the stream.
fn send_in_pieces(mut stream: &TcpStream, bytes: &[u8]) {
    let sizes = [
        1, 2, 125, 126, 127, 1000, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000,
    ];
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(rest.len().min(*size));
        stream.write_all(piece).unwrap();
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Both sides send at once, and both ends of the stream come after the last byte.
fn both_ways(pair: &Pair) {
    let (user, service) = pair.connect();
    let (up, down) = (pattern(LEN), pattern(LEN + 1));
    thread::scope(|scope| {
        scope.spawn(|| send_in_pieces(&user, &up));
        scope.spawn(|| send_in_pieces(&service, &down));
        scope.spawn(|| assert!(rest(&service) == up, "other bytes came to the service"));
        assert!(rest(&user) == down, "other bytes came back");
    });
    let counts =
        |from, to| format!("both directions ended; {from} bytes from tcp, {to} bytes to tcp");
    assert_eq!(pair.client.logged(), "open");
    assert_eq!(pair.client.logged(), counts(LEN, LEN + 1));
    let target = pair.service.local_addr().unwrap();
    assert_eq!(pair.server.logged(), format!("{target}: open"));
    assert_eq!(
        pair.server.logged(),
        format!("{target}: {}", counts(LEN + 1, LEN))
    );
}

#[test]
fn they_are_the_same_both_ways() {
    both_ways(&Pair::start(&[]));
}

#[test]
fn they_are_the_same_compressed() {
    both_ways(&Pair::start(&["--deflate"]));
}

#[test]
fn they_are_the_same_with_time_limits() {
    both_ways(&Pair::start(&[
        "--write-timeout",
        "20",
        "--ping-interval",
        "0.3",
    ]));
}

/// A service that speaks first, as SSH and SMTP do, and short lines to and fro.
#[test]
fn small_pieces_leave_at_once_in_either_order() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    say(&service, b"220 hello\r\n");
    hear(&user, b"220 hello\r\n");
    for turn in 0..200_u32 {
        say(&user, &turn.to_be_bytes());
        hear(&service, &turn.to_be_bytes());
        say(&service, &turn.to_le_bytes());
        hear(&user, &turn.to_le_bytes());
    }
}

#[test]
fn fifty_connections_at_once_do_not_mix() {
    let pair = Pair::start(&[]);
    let service = pair.service.try_clone().unwrap();
    thread::scope(|scope| {
        // Echoes all.
        scope.spawn(|| {
            thread::scope(|echoes| {
                for _ in 0..50 {
                    let stream = accept(&service);
                    echoes.spawn(move || {
                        std::io::copy(&mut &stream, &mut &stream).unwrap();
                        stream.shutdown(Shutdown::Write).unwrap();
                    });
                }
            });
        });
        let users: Vec<_> = (0..50).map(|_| pair.client.tcp()).collect();
        for (number, user) in users.into_iter().enumerate() {
            scope.spawn(move || {
                let bytes = pattern(100_000 + number)[number..].repeat(2);
                thread::scope(|both| {
                    both.spawn(|| send_in_pieces(&user, &bytes));
                    assert!(rest(&user) == bytes, "other bytes came back");
                });
            });
        }
    });
}
