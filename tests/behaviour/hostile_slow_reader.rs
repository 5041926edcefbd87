//! A peer that sends for ever and reads, but always less than it is sent: what waits for it stays
//! bounded, whatever has gone through before.

use std::io::ErrorKind;

use allocation_counter::measure;
use framewire::Config;
use framewire::protocol::Role;
use support::connection::{Endpoint, endpoints, ends};
use support::frames::{BINARY, FIN, Frame, PING, to};
use support::pattern;
use support::peer::{Direction, Plan, ScriptedPeer, Taking};

/// What the peer takes at a time.
const SIP: usize = 4000;
/// How many times it says what it says.
const ROUNDS: usize = 70;

/// The rule, by hand: of three Pings the first Pong has the write buffer to itself, and of those that wait the last one
/// is enough (RFC 6455 5.5.3).
#[test]
fn hostile_flood_of_three_pings_from_one_that_reads_nothing_leaves_two_pongs() {
    let config = Config::default().write_buffer(3);
    for end in ends().filter(|end| end.role == Role::Server) {
        let pings = b"\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x89\x81\0\0\0\0c";
        let peer = ScriptedPeer::saying([pings]).taking(Taking::Nothing);
        let mut server = end.open(&peer, config).unwrap();
        assert!(server.next_message().unwrap_err().is_would_block());
        assert!(server.buffered() <= 3);
        peer.set_taking(Taking::All);
        server.flush().unwrap();
        assert_eq!(peer.written(), b"\x8A\x01a\x8A\x01c");
    }
}

#[test]
fn hostile_reader_of_nothing_holds_up_what_is_fed_after_the_first_message() {
    for end in ends().filter(|end| end.role == Role::Server) {
        let peer = ScriptedPeer::default().taking(Taking::Nothing);
        let mut server = end.with(&peer);
        let _ = server.write(b"first");
        let buffered = server.buffered();
        assert!(server.feed("second").unwrap_err().is_would_block());
        assert_eq!(server.buffered(), buffered, "{end:?}");
        peer.set_taking(Taking::All);
        server.feed("second").unwrap();
        server.flush().unwrap();
        assert_eq!(peer.written(), b"\x82\x05first\x81\x06second");
    }
}

/// Says these frames again and again, for very long. What it takes is no part of what is measured.
fn endless(end: Endpoint, frames: &[Frame]) -> ScriptedPeer {
    let said = end.said(frames);
    let peer = ScriptedPeer::saying([&said[..]]);
    peer.say_again(ROUNDS - 1);
    peer.reserve(2 * ROUNDS * said.len());
    peer
}

/// Some write buffers, and far less than goes through.
fn bound() -> u64 {
    8 * Config::default().write_buffer as u64
}

#[test]
fn hostile_ping_flood_from_a_slow_reader() {
    for end in endpoints().filter(|end| end.kind.is_counted()) {
        let peer = endless(end, &vec![to(end.role, FIN | PING, [7; 125]); 500]);
        let peer = peer
            .taking(Taking::AtMost(SIP))
            .failing(Plan::Before(Direction::Write, ErrorKind::WouldBlock));
        let mut socket = end.with(&peer);
        let held = measure(|| {
            assert!(socket.next_message().unwrap_err().is_would_block());
        });
        let taken = peer.written().len();
        assert!(taken > 1_000_000, "{taken} bytes went through");
        let held = held.bytes_max;
        assert!(held < bound(), "{held} bytes");
    }
}

#[test]
fn hostile_echo_to_a_slow_reader() {
    // None of which can be compressed, nor the same again in one window.
    let payloads = pattern(60_000);
    for end in endpoints().filter(|end| end.kind.is_counted()) {
        let messages = payloads
            .chunks(1000)
            .map(|payload| to(end.role, FIN | BINARY, payload));
        let messages: Vec<_> = messages.collect();
        let peer = endless(end, &messages);
        let mut socket = end.with(&peer);
        let mut message = Vec::with_capacity(1000);
        let held = measure(|| {
            while let Ok(Some(_)) = socket.append_message(&mut message) {
                // An application that drops what cannot be sent now.
                let _ = socket.feed(&message);
                message.clear();
                peer.set_taking(Taking::Room(600));
            }
        });
        let taken = peer.written().len();
        assert!(taken > 1_000_000, "{taken} bytes went through");
        let held = held.bytes_max;
        assert!(held < bound(), "{held} bytes");
    }
}
