//! The peer is answered before the application is handed something that it may take its time with.

use std::io::Read;

use framewire::Opcode;
use framewire::protocol::Role;
use support::connection::{Connection, Endpoint, endpoints};
use support::frames::{
    self, BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, close_payload, frame, wire,
};
use support::operations::{Hands, Operation, Seen};
use support::oracle::frames_in;
use support::peer::{ScriptedPeer, Taking};
use support::{each, peer};

fn ping(to: Role) -> Vec<u8> {
    frame(peer(to), FIN | PING, b"?")
}

fn work(to: Endpoint) -> Vec<u8> {
    to.said(&[frames::to(to.role, FIN | BINARY, b"work")])
}

fn pong() -> (u8, Vec<u8>) {
    (FIN | PONG, b"?".to_vec())
}

#[test]
fn a_pong_leaves_before_the_message_after_the_ping_is_handed_over() {
    for end in endpoints() {
        for operation in Operation::reading(end.kind) {
            let stream = ScriptedPeer::saying([[ping(end.role), work(end)].concat()]);
            let mut connection = end.with(&stream);
            let mut hands = Hands::seeing(4);
            operation.call(connection.as_mut(), &mut hands).unwrap();
            if let Some(Seen::Frame(_, Opcode::Ping, _)) = hands.seen().last() {
                operation.call(connection.as_mut(), &mut hands).unwrap();
            }
            assert_eq!(frames_in(&stream.written()), [pong()], "{operation:?}");
            assert_eq!(stream.calls().writes, 1, "{operation:?}");
        }
    }
}

// By hand: an operation of the table goes on to the end of the message.
#[test]
fn a_pong_leaves_before_a_reader_or_the_header_of_the_message_is_handed_over() {
    type Begin = (&'static str, fn(&mut dyn Connection));
    let begins: [Begin; 2] = [
        ("message_reader", |connection| {
            connection.message_reader().unwrap().unwrap();
        }),
        ("read_header", |connection| {
            // The Ping is a frame as any other here.
            connection.read_frame(&mut [0; 125]).unwrap().unwrap();
            connection.read_header().unwrap().unwrap();
        }),
    ];
    for end in endpoints() {
        for (_, begin) in each(begins) {
            let stream = ScriptedPeer::saying([[ping(end.role), work(end)].concat()]);
            begin(end.with(&stream).as_mut());
            assert_eq!(frames_in(&stream.written()), [pong()]);
            assert_eq!(stream.calls().writes, 1);
        }
    }
}

#[test]
fn a_pong_leaves_before_a_ping_is_handed_over_as_a_frame() {
    for end in endpoints() {
        let stream = ScriptedPeer::saying([ping(end.role)]);
        let mut connection = end.with(&stream);
        connection.read_frame(&mut [0; 125]).unwrap().unwrap();
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn a_pong_leaves_before_the_next_piece_of_a_streamed_message_is_handed_over() {
    for end in endpoints() {
        let frames = [
            frames::to(end.role, BINARY, b"piece"),
            frames::to(end.role, FIN | PING, b"?"),
            frames::to(end.role, FIN | CONTINUATION, b"piece"),
        ];
        let stream = ScriptedPeer::saying([end.said(&frames)]);
        let mut connection = end.with(&stream);
        let mut reader = connection.message_reader().unwrap().unwrap();
        reader.read_exact(&mut [0; 5]).unwrap();
        assert!(stream.written().is_empty());
        reader.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn pings_that_come_together_are_answered_with_one_write() {
    for end in endpoints() {
        let work = work(end);
        let stream = ScriptedPeer::saying([[ping(end.role).repeat(20), work].concat()]);
        end.with(&stream).next_message().unwrap().unwrap();
        assert_eq!(frames_in(&stream.written()), vec![pong(); 20]);
        assert_eq!(stream.calls().writes, 1);
    }
}

#[test]
fn a_message_without_a_ping_writes_nothing() {
    for end in endpoints() {
        let stream =
            ScriptedPeer::saying([end.said(&vec![frames::to(end.role, FIN | BINARY, b"work"); 3])]);
        let mut connection = end.with(&stream);
        connection.feed(b"fed").unwrap();
        connection.next_message().unwrap().unwrap();
        // The read sent what was fed; what is fed between messages that are there waits.
        let writes = stream.calls().writes;
        connection.feed(b"fed").unwrap();
        connection.next_message().unwrap().unwrap();
        assert_eq!(stream.calls().writes, writes);
    }
}

#[test]
fn a_message_is_handed_over_although_the_stream_takes_no_pong() {
    for end in endpoints() {
        let mut peer = end.peer();
        let mut work = || wire(&peer.say(&[frames::to(end.role, FIN | BINARY, b"work")]));
        let pieces = [[ping(end.role), work()].concat(), work()];
        let stream = ScriptedPeer::saying(pieces).taking(Taking::Nothing);
        let mut connection = end.with(&stream);
        assert_eq!(
            connection.next_message().unwrap().unwrap().payload(),
            b"work"
        );
        stream.set_taking(Taking::All);
        assert_eq!(
            connection.next_message().unwrap().unwrap().payload(),
            b"work"
        );
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn the_answer_to_a_close_frame_leaves_before_the_end_is_told() {
    for end in endpoints() {
        let close = frame(peer(end.role), FIN | CLOSE, &close_payload(1001, "bye"));
        let stream = ScriptedPeer::saying([close]);
        let mut connection = end.with(&stream);
        assert!(connection.next_message().unwrap().is_none());
        let echo = (FIN | CLOSE, close_payload(1001, ""));
        assert_eq!(frames_in(&stream.written()), [echo]);
    }
}
