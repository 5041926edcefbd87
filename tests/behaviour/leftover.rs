//! Bytes that were read from the stream and not used: what a connection gives back when it is taken apart, and what
//! another begins with.

use framewire::protocol::Role;
use support::connection::{all_endpoints, all_ends};
use support::each;
use support::frames::{BINARY, FIN, PING, TEXT, to, wire};
use support::operations::SMALL;
use support::oracle;
use support::pattern;
use support::peer::ScriptedPeer;

/// The rule, by hand.
#[test]
fn a_frame_that_came_with_the_one_before_is_left_over() {
    for end in all_ends().filter(|end| end.role == Role::Client) {
        let peer = ScriptedPeer::saying([b"\x81\x05Hello\x89\x01?\x82"]);
        let mut client = end.with(&peer);
        assert_eq!(client.next_message().unwrap().unwrap().payload(), b"Hello");
        assert_eq!(client.into_leftover(), b"\x89\x01?\x82");
    }
}

#[test]
fn what_was_read_and_not_used_and_what_was_not_read_are_all_the_rest() {
    for end in all_endpoints() {
        let frames = [
            to(end.role, FIN | TEXT, b"first"),
            to(end.role, FIN | PING, b"?"),
            to(end.role, FIN | BINARY, pattern(60)),
        ];
        let [first, rest @ ..] = &end.peer().say(&frames)[..] else {
            panic!("three frames");
        };
        let rest = wire(rest);
        for cut in each(0..=rest.len()) {
            let peer = ScriptedPeer::saying([[&first.bytes()[..], &rest[..cut]].concat()]);
            let mut socket = end.open(&peer, SMALL).unwrap();
            assert_eq!(socket.next_message().unwrap().unwrap().payload(), b"first");
            let leftover = socket.into_leftover();
            assert_eq!([leftover, peer.unread()].concat(), rest[..cut]);
        }
    }
}

#[test]
fn a_header_of_whose_payload_nothing_has_come_is_left_over_to_another_connection() {
    for end in all_endpoints() {
        for len in each([5, 200, 70_000]) {
            let payload = pattern(len);
            let said = end.said(&[to(end.role, FIN | BINARY, &payload)]);
            let header = said.len() - oracle::frames(&said)[0].payload.len();
            for cut in each(0..=header) {
                let peer = ScriptedPeer::saying([&said[..cut]]);
                let mut socket = end.open(&peer, SMALL).unwrap();
                assert!(socket.next_message().unwrap_err().is_would_block());
                let leftover = socket.into_leftover();
                assert_eq!(leftover, said[..cut]);
                peer.say(&said[cut..]);
                let mut other = end.open_after(&leftover, &peer, SMALL).unwrap();
                assert!(other.next_message().unwrap().unwrap().payload() == payload);
            }
        }
    }
}

#[test]
fn payload_that_was_assembled_is_not_left_over() {
    let config = SMALL.read_buffer(4);
    for end in all_endpoints() {
        let said = end.said(&[to(end.role, FIN | BINARY, b"0123456789")]);
        let header = said.len() - oracle::frames(&said)[0].payload.len();
        for cut in each(header + 1..said.len()) {
            let peer = ScriptedPeer::saying([&said[..cut]]);
            let mut socket = end.open(&peer, config).unwrap();
            assert!(socket.next_message().unwrap_err().is_would_block());
            assert_eq!(socket.into_leftover(), b"");
        }
        let peer = ScriptedPeer::saying([said]);
        let mut socket = end.open(&peer, config).unwrap();
        assert_eq!(
            socket.next_message().unwrap().unwrap().payload(),
            b"0123456789"
        );
        assert!(socket.next_message().unwrap_err().is_would_block());
        assert_eq!(socket.into_leftover(), b"");
    }
}

#[test]
fn it_is_read_before_the_stream() {
    for end in all_endpoints() {
        let frames = [
            to(end.role, FIN | TEXT, b"first"),
            to(end.role, FIN | BINARY, pattern(150)),
        ];
        let said = end.said(&frames);
        for cut in each(0..=said.len()) {
            let peer = ScriptedPeer::saying([&said[cut..]]);
            let mut socket = end.open_after(&said[..cut], &peer, SMALL).unwrap();
            assert_eq!(socket.next_message().unwrap().unwrap().payload(), b"first");
            assert_eq!(
                socket.next_message().unwrap().unwrap().payload(),
                pattern(150)
            );
            assert_eq!(socket.into_leftover(), b"");
        }
    }
}
