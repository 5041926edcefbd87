//! What a reader of one message says once the connection has ended in the middle of it.

use std::io::Read;

use framewire::Error;
use framewire::protocol::Role;
use support::connection::Kind;
use support::frames::{BINARY, CLOSE, FIN, close_payload, to, wire};
use support::peer::{Ending, ScriptedPeer};

/// Reads a message whose first fragment is followed by `then`, up to the error and once more.
fn assert_errors(then: &[u8], text: &str) {
    for kind in Kind::ALL {
        assert_eq!(errors(kind, then), [text, text], "{kind:?}");
    }
}

fn errors(kind: Kind, then: &[u8]) -> [String; 2] {
    let first = to(Role::Server, BINARY, b"abc").bytes();
    let peer = ScriptedPeer::saying([&first[..], then]).ending(Ending::Eof);
    let mut socket = kind.with(&peer, Role::Server);
    let mut reader = socket.message_reader().unwrap();
    let mut buffer = [0; 8];
    assert_eq!(reader.read(&mut buffer).unwrap(), 3);
    let errors = [0, 1].map(|_| reader.read(&mut buffer).unwrap_err());
    assert!(socket.next_message().is_err());
    errors.map(|error| error.downcast::<Error>().unwrap().to_string())
}

#[test]
fn after_a_violation_it_says_so_again_and_never_that_the_message_ended() {
    let text = "binary frame inside a fragmented message";
    let then = to(Role::Server, FIN | BINARY, b"d").bytes();
    assert_errors(&then, text);
}

#[test]
fn after_a_close_frame_it_says_so_again_and_reads_nothing() {
    let text = "closed by the peer with 1001: gone";
    let then = wire(&[
        to(Role::Server, FIN | CLOSE, close_payload(1001, "gone")),
        to(Role::Server, FIN, b"d"),
    ]);
    assert_errors(&then, text);
}

#[test]
fn after_the_end_of_the_stream_it_says_so_again() {
    let text = "connection ended without a close frame";
    assert_errors(b"", text);
}
