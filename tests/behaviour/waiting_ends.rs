//! What has to be sent is sent before a call that waits reports an end, and before a byte stream ends: an application
//! may drop the connection then.

use std::io::ErrorKind as Kind;

use framewire::Config;
use framewire::protocol::Role;
use support::connection::{Endpoint, endpoints};
use support::each;
use support::frames::{BINARY, CLOSE, FIN, close_payload, to};
use support::oracle::frames_in;
use support::pattern;
use support::peer::{ScriptedPeer, Taking};

fn waiting() -> impl Iterator<Item = Endpoint> {
    endpoints().filter(|end| end.kind.waits())
}

/// The rule, by hand: the peer has closed, and does not take our Close frame.
#[test]
fn rfc6455_5_5_1_a_close_is_reported_when_its_echo_was_sent() {
    for end in waiting().filter(|end| end.role == Role::Client) {
        let peer = ScriptedPeer::saying([b"\x88\x02\x03\xE8"]).taking(Taking::Nothing);
        let mut client = end.with(&peer);
        for _ in 0..3 {
            let dropped = client.next_message().unwrap_err();
            assert!(dropped.is_would_block(), "{dropped:?}");
        }
        peer.set_taking(Taking::All);
        assert!(client.next_message().unwrap().is_none());
        let echo = (FIN | CLOSE, b"\x03\xE8".to_vec());
        assert_eq!(frames_in(&peer.written()), [echo]);
    }
}

/// The same behind what was fed, of which the peer takes some: and a read that waits for that can be dropped.
#[test]
fn rfc6455_7_1_7_any_end_is_reported_when_what_was_fed_and_the_close_frame_were_sent() {
    let fed = pattern(1000);
    for end in waiting() {
        let close = to(end.role, FIN | CLOSE, close_payload(1000, "")).bytes();
        let violation = to(end.role, FIN | 0xF, b"").bytes();
        for (said, code) in each([(close, 1000), (violation, 1002_u16)]) {
            let peer = ScriptedPeer::saying([said]).taking(Taking::Room(64));
            let mut socket = end.with(&peer);
            socket.feed(&fed).unwrap();
            for _ in 0..3 {
                let dropped = socket.next_message().unwrap_err();
                assert!(dropped.is_would_block(), "{dropped:?}");
            }
            peer.set_taking(Taking::All);
            assert_eq!(socket.read_end().close_code().unwrap().get(), code);
            drop(socket);
            let [message, (first, payload)] = &frames_in(&end.heard(&peer.written()))[..] else {
                panic!("a message and a Close frame");
            };
            assert!(*message == (FIN | BINARY, fed.clone()));
            assert_eq!(
                (*first, &payload[..2]),
                (FIN | CLOSE, &code.to_be_bytes()[..])
            );
        }
    }
}

#[test]
fn rfc6455_5_5_1_a_byte_stream_ends_when_what_was_written_and_the_echo_of_the_close_were_sent() {
    let bytes = pattern(1000);
    for end in waiting() {
        let close = to(end.role, FIN | CLOSE, b"").bytes();
        let peer = ScriptedPeer::saying([close]).taking(Taking::Room(64));
        let mut stream = end
            .open(&peer, Config::default())
            .unwrap()
            .into_byte_stream();
        stream.write_all(&bytes).unwrap();
        for _ in 0..3 {
            let dropped = stream.read(&mut [0; 10]).unwrap_err();
            assert_eq!(dropped.kind(), Kind::WouldBlock);
        }
        peer.set_taking(Taking::All);
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
        let sent = [(FIN | BINARY, bytes.clone()), (FIN | CLOSE, vec![])];
        assert!(frames_in(&end.heard(&peer.written())) == sent);
    }
}
