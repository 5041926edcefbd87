//! What a peer costs that does not read.

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::connection::{Endpoint, ends};
use support::frames::{FIN, PING, frame};
use support::peer::{Plan, ScriptedPeer, Taking};
use support::view::View;
use support::{pattern, peer};

const MIB: i64 = 1 << 20;

/// Servers whose writes wait for the stream, and are dropped here where they would wait for ever.
fn waiting() -> impl Iterator<Item = Endpoint> {
    let counted = ends().filter(|end| end.kind.is_counted() && end.kind.waits());
    counted.filter(|end| end.role == Role::Server)
}

#[test]
fn a_large_message_of_a_server_is_not_copied_however_the_stream_stalls() {
    let payload = pattern(1 << 20);
    for end in waiting() {
        let stalls = Plan::BeforeAll(std::io::ErrorKind::WouldBlock);
        let peer = ScriptedPeer::default()
            .in_pieces_of(100_000)
            .failing(stalls);
        peer.reserve(3 << 20);
        let mut server = end.with(&peer);
        let info = measure(|| server.write_message(Opcode::Binary, &payload).unwrap());
        assert!(info.bytes_total < 100_000, "{end:?}: {info:?}");
        let view = View::of(Role::Server, &peer.written());
        assert_eq!(view.payloads(), [&payload[..]]);
    }
}

#[test]
fn what_a_dropped_write_kept_is_given_back() {
    let payload = pattern(1 << 20);
    for end in waiting() {
        let peer = ScriptedPeer::default().taking(Taking::Nothing);
        peer.reserve(3 << 20);
        let mut server = end.with(&peer);
        let held = measure(|| {
            let write = server.write_message(Opcode::Binary, &payload);
            assert!(write.unwrap_err().is_would_block());
        });
        let kept = MIB..MIB + (MIB >> 3);
        assert!(kept.contains(&held.bytes_current), "{end:?}: {held:?}");
        peer.set_taking(Taking::All);
        let held = measure(|| server.flush().unwrap());
        assert!(held.bytes_current <= -MIB, "{end:?}: {held:?}");
    }
}

#[test]
fn a_peer_that_pings_and_never_reads_costs_no_more_than_the_write_buffer() {
    for end in ends().filter(|end| end.kind.is_counted()) {
        let pings = frame(peer(end.role), FIN | PING, &[7; 125]).repeat(20_000);
        let peer = ScriptedPeer::saying([pings]).taking(Taking::Room(1000));
        peer.reserve(1 << 10);
        let mut connection = end.with(&peer);
        let info = measure(|| {
            assert!(connection.next_message().unwrap_err().is_would_block());
        });
        let config = Config::default();
        assert!(connection.buffered() <= config.write_buffer + 200);
        assert!(!peer.has_more());
        let most = u64::try_from(2 * config.write_buffer + config.read_buffer).unwrap();
        assert!(info.bytes_max < most + 10_000, "{info:?}");
    }
}

#[test]
fn what_would_have_to_wait_for_the_peer_takes_nothing() {
    for end in ends() {
        let peer = ScriptedPeer::default().taking(Taking::Nothing);
        let mut connection = end.with(&peer);
        let payload = pattern(1000);
        let mut fed = 0;
        while connection
            .try_feed_message(Opcode::Binary, &payload)
            .is_ok()
        {
            fed += 1;
        }
        assert!((60..66).contains(&fed), "{fed}");
        let buffered = connection.buffered();
        assert!(buffered <= Config::default().write_buffer);
        for _ in 0..3 {
            let waiting = [
                connection.feed_message(Opcode::Binary, &payload),
                connection.write_message(Opcode::Binary, &payload),
                connection.ping(b""),
                connection.flush(),
            ];
            for result in waiting {
                assert!(result.unwrap_err().is_would_block());
            }
        }
        assert_eq!(connection.buffered(), buffered);
        peer.set_taking(Taking::All);
        connection.write_message(Opcode::Binary, b"last").unwrap();
        let view = View::of(end.role, &peer.written());
        assert_eq!(view.messages.len(), fed + 1);
    }
}
