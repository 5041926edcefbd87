//! The peer is answered before the application is handed something that it may take its time with.

use std::io::Read;

use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::connection::{Connection, ends};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, close_payload, frame};
use support::oracle::frames_in;
use support::peer;
use support::peer::{ScriptedPeer, Taking};

type Read1 = fn(&mut dyn Connection);

/// Every way to be handed a message or a part of one.
const READS: &[(&str, Read1)] = &[
    ("next_message", |connection| {
        assert_eq!(connection.next_message().unwrap().payload(), b"work");
    }),
    ("read_message", |connection| {
        let mut buf = Vec::new();
        connection.read_message(&mut buf).unwrap();
        assert_eq!(buf, b"work");
    }),
    ("message_reader", |connection| {
        let reader = connection.message_reader().unwrap();
        assert_eq!(reader.opcode(), Opcode::Binary);
    }),
    ("read_header", |connection| {
        // The Ping is a frame as any other here.
        connection.read_frame(&mut [0; 125]).unwrap();
        assert_eq!(connection.read_header().unwrap().payload_len(), 4);
    }),
];

fn ping(to: Role) -> Vec<u8> {
    frame(peer(to), FIN | PING, b"?")
}

fn pong() -> (u8, Vec<u8>) {
    (FIN | PONG, b"?".to_vec())
}

#[test]
fn a_pong_leaves_before_the_message_after_the_ping_is_handed_over() {
    for (name, read) in READS {
        for (kind, role) in ends() {
            let work = frame(peer(role), FIN | BINARY, b"work");
            let stream = ScriptedPeer::saying([[ping(role), work].concat()]);
            read(kind.with(&stream, role).as_mut());
            assert_eq!(frames_in(&stream.written()), [pong()], "{name}");
            assert_eq!(stream.calls().writes, 1, "{name}");
        }
    }
}

#[test]
fn a_pong_leaves_before_a_ping_is_handed_over_as_a_frame() {
    for (kind, role) in ends() {
        let stream = ScriptedPeer::saying([ping(role)]);
        let mut connection = kind.with(&stream, role);
        connection.read_frame(&mut [0; 125]).unwrap();
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn a_pong_leaves_before_the_next_piece_of_a_streamed_message_is_handed_over() {
    for (kind, role) in ends() {
        let frames = [
            frame(peer(role), BINARY, b"piece"),
            ping(role),
            frame(peer(role), FIN | CONTINUATION, b"piece"),
        ];
        let stream = ScriptedPeer::saying([frames.concat()]);
        let mut connection = kind.with(&stream, role);
        let mut reader = connection.message_reader().unwrap();
        reader.read_exact(&mut [0; 5]).unwrap();
        assert!(stream.written().is_empty());
        reader.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn pings_that_come_together_are_answered_with_one_write() {
    for (kind, role) in ends() {
        let work = frame(peer(role), FIN | BINARY, b"work");
        let stream = ScriptedPeer::saying([[ping(role).repeat(20), work].concat()]);
        kind.with(&stream, role).next_message().unwrap();
        assert_eq!(frames_in(&stream.written()), vec![pong(); 20]);
        assert_eq!(stream.calls().writes, 1);
    }
}

#[test]
fn a_message_without_a_ping_writes_nothing() {
    for (kind, role) in ends() {
        let work = frame(peer(role), FIN | BINARY, b"work");
        let stream = ScriptedPeer::saying([work.repeat(3)]);
        let mut connection = kind.with(&stream, role);
        connection.feed_message(Opcode::Binary, b"fed").unwrap();
        connection.next_message().unwrap();
        // The read sent what was fed; what is fed between messages that are there waits.
        let writes = stream.calls().writes;
        connection.feed_message(Opcode::Binary, b"fed").unwrap();
        connection.next_message().unwrap();
        assert_eq!(stream.calls().writes, writes);
    }
}

#[test]
fn a_message_is_handed_over_although_the_stream_takes_no_pong() {
    for (kind, role) in ends() {
        let work = frame(peer(role), FIN | BINARY, b"work");
        let pieces = [[ping(role), work.clone()].concat(), work];
        let stream = ScriptedPeer::saying(pieces).taking(Taking::Nothing);
        let mut connection = kind.open(&stream, role, Config::default()).unwrap();
        assert_eq!(connection.next_message().unwrap().payload(), b"work");
        stream.set_taking(Taking::All);
        assert_eq!(connection.next_message().unwrap().payload(), b"work");
        assert_eq!(frames_in(&stream.written()), [pong()]);
    }
}

#[test]
fn the_answer_to_a_close_frame_leaves_before_the_end_is_told() {
    for (kind, role) in ends() {
        let close = frame(peer(role), FIN | CLOSE, &close_payload(1001, "bye"));
        let stream = ScriptedPeer::saying([close]);
        let mut connection = kind.with(&stream, role);
        assert!(connection.next_message().unwrap_err().closed().is_some());
        let echo = (FIN | CLOSE, close_payload(1001, ""));
        assert_eq!(frames_in(&stream.written()), [echo]);
    }
}
