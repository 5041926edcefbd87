//! What a reader of one message says once the connection has ended in the middle of it.

use std::io::{ErrorKind as Kind, Read};

use framewire::Error;
use framewire::protocol::Role;
use support::connection::all_endpoints;
use support::frames::{BINARY, CLOSE, FIN, Frame, close_payload, to};
use support::peer::{Ending, ScriptedPeer};

/// Reads a message whose first fragment is followed by `then`, up to the error and once more. The end is final.
fn assert_ends(then: fn(Role) -> Vec<Frame>, kind: Kind, text: &str) {
    for end in all_endpoints() {
        let frames = [vec![to(end.role, BINARY, b"abc")], then(end.role)].concat();
        let peer = ScriptedPeer::saying([end.said(&frames)]).ending(Ending::Eof);
        let mut socket = end.with(&peer);
        let mut reader = socket.message_reader().unwrap().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 3);
        for _ in 0..2 {
            let error = reader.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(error.downcast::<Error>().unwrap().to_string(), text);
        }
        let reads = peer.calls().reads;
        assert!(socket.resume_message_reader().is_none());
        // A Close frame is a clean end, though not to the reader that it cut off.
        let is_clean = kind == Kind::NotConnected;
        for end in [
            socket.message_reader().map(|reader| reader.is_some()),
            socket.next_message().map(|message| message.is_some()),
        ] {
            match end {
                Ok(is_more) => assert!(is_clean && !is_more),
                Err(error) => assert_eq!((is_clean, error.to_string()), (false, text.to_owned())),
            }
        }
        assert_eq!(peer.calls().reads, reads);
    }
}

#[test]
fn after_a_violation_it_says_so_again_and_never_that_the_message_ended() {
    let text = "binary frame inside a fragmented message";
    assert_ends(
        |role| vec![to(role, FIN | BINARY, b"d")],
        Kind::InvalidData,
        text,
    );
}

#[test]
fn after_a_close_frame_it_says_so_again_and_reads_nothing() {
    let text = "closed by the peer with 1001: gone";
    let then = |role| {
        let close = to(role, FIN | CLOSE, close_payload(1001, "gone"));
        vec![close, to(role, FIN, b"d")]
    };
    assert_ends(then, Kind::NotConnected, text);
}

#[test]
fn after_the_end_of_the_stream_it_says_so_again() {
    let text = "connection ended without a close frame";
    assert_ends(|_| vec![], Kind::UnexpectedEof, text);
}
