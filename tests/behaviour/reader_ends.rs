//! What a reader of one message says once the connection has ended in the middle of it.

use std::io::Read;

use framewire::Error;
use framewire::protocol::Role;
use support::connection::{Endpoint, endpoints};
use support::frames::{BINARY, CLOSE, FIN, Frame, close_payload, to};
use support::peer::{Ending, ScriptedPeer};

/// Reads a message whose first fragment is followed by `then`, up to the error and once more.
fn assert_errors(then: fn(Role) -> Vec<Frame>, text: &str) {
    for end in endpoints() {
        assert_eq!(errors(end, &then(end.role)), [text, text]);
    }
}

fn errors(end: Endpoint, then: &[Frame]) -> [String; 2] {
    let frames = [&[to(end.role, BINARY, b"abc")], then].concat();
    let peer = ScriptedPeer::saying([end.said(&frames)]).ending(Ending::Eof);
    let mut socket = end.with(&peer);
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
    assert_errors(|role| vec![to(role, FIN | BINARY, b"d")], text);
}

#[test]
fn after_a_close_frame_it_says_so_again_and_reads_nothing() {
    let text = "closed by the peer with 1001: gone";
    let then = |role| {
        let close = to(role, FIN | CLOSE, close_payload(1001, "gone"));
        vec![close, to(role, FIN, b"d")]
    };
    assert_errors(then, text);
}

#[test]
fn after_the_end_of_the_stream_it_says_so_again() {
    let text = "connection ended without a close frame";
    assert_errors(|_| vec![], text);
}
