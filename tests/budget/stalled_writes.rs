//! What a message costs whose peer does not read, or reads slowly.

use allocation_counter::measure;
use framewire::protocol::Role;
use support::connection::{Endpoint, ends};
use support::pattern;
use support::peer::{Plan, ScriptedPeer, Taking};
use support::view::View;

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
        let info = measure(|| server.write(&payload).unwrap());
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
            let write = server.write(&payload);
            assert!(write.unwrap_err().is_would_block());
        });
        let kept = MIB..MIB + (MIB >> 3);
        assert!(kept.contains(&held.bytes_current), "{end:?}: {held:?}");
        peer.set_taking(Taking::All);
        let held = measure(|| server.flush().unwrap());
        assert!(held.bytes_current <= -MIB, "{end:?}: {held:?}");
    }
}
