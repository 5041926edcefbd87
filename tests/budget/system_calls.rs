//! What a message costs in reads and writes, over every kind of connection.

use framewire::blocking::PreparedMessage;
use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::connection::{Connection, Kind, ends};
use support::frames::{BINARY, FIN, PING, TEXT, frame};
use support::peer::ScriptedPeer;
use support::{pattern, peer};

/// A connection whose peer says so much at once, and then nothing.
fn connection(kind: Kind, role: Role, says: &[u8]) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::saying([says]);
    let connection = kind.open(&peer, role, Config::default());
    (peer, connection.expect("no size is 0"))
}

#[test]
fn an_echo_of_messages_that_arrive_together_is_one_read_and_one_write() {
    for (kind, role) in ends() {
        for count in [1, 2, 100, 500] {
            let batch = frame(peer(role), FIN | TEXT, &[b'x'; 20]).repeat(count);
            let (peer, mut connection) = connection(kind, role, &batch);
            for _ in 0..count {
                connection.echo_message().unwrap();
            }
            let calls = peer.calls();
            assert_eq!((calls.reads, calls.writes), (1, 0), "{count}");
            // The read that finds nothing is what the write goes before.
            assert!(connection.next_message().unwrap_err().is_would_block());
            assert_eq!(peer.calls().writes, 1, "{count}");
            assert_eq!(
                peer.written().len(),
                count * frame(role, FIN | TEXT, &[0; 20]).len()
            );
        }
    }
}

#[test]
fn pings_that_arrive_together_are_answered_with_one_write() {
    for (kind, role) in ends() {
        let batch = frame(peer(role), FIN | PING, b"?").repeat(100);
        let (peer, mut connection) = connection(kind, role, &batch);
        assert!(connection.next_message().unwrap_err().is_would_block());
        assert_eq!(peer.calls().writes, 1);
        let answers = 100 * frame(role, FIN | PING, b"?").len();
        assert_eq!(peer.written().len(), answers);
    }
}

#[test]
fn a_message_with_what_was_fed_before_is_one_write() {
    for (kind, role) in ends() {
        for len in [0, 20, 4096] {
            let (peer, mut connection) = connection(kind, role, &[]);
            let payload = pattern(len);
            connection.write_message(Opcode::Binary, &payload).unwrap();
            assert_eq!(peer.calls().writes, 1, "{len}");
            connection.feed_message(Opcode::Binary, &payload).unwrap();
            connection.feed_message(Opcode::Binary, &payload).unwrap();
            connection.write_message(Opcode::Binary, &payload).unwrap();
            assert_eq!(peer.calls().writes, 2, "{len}");
            let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
            connection.write_prepared(&prepared).unwrap();
            let calls = peer.calls();
            assert_eq!((calls.writes, calls.flushes), (3, 3), "{len}");
        }
    }
}

#[test]
fn a_large_message_of_a_server_is_one_vectored_write() {
    let payload = pattern(1 << 20);
    let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
    for kind in Kind::ALL {
        let (peer, mut server) = connection(kind, Role::Server, &[]);
        server.write_message(Opcode::Binary, &payload).unwrap();
        server.write_prepared(&prepared).unwrap();
        server.feed_message(Opcode::Binary, b"before").unwrap();
        server.write_message(Opcode::Binary, &payload).unwrap();
        assert_eq!(peer.calls().writes, 3, "{kind:?}");
    }
}

#[test]
fn a_large_message_of_a_client_is_one_write_for_each_write_buffer() {
    for kind in Kind::ALL {
        let (peer, mut client) = connection(kind, Role::Client, &[]);
        client
            .write_message(Opcode::Binary, &pattern(1 << 20))
            .unwrap();
        assert_eq!(peer.calls().writes, (1 << 20) / (64 << 10), "{kind:?}");
    }
}

#[test]
fn a_streamed_message_is_one_write_a_fragment() {
    let payload = pattern(1 << 20);
    for (kind, role) in ends() {
        let (peer, mut connection) = connection(kind, role, &[]);
        connection
            .stream_message(Opcode::Binary, 4096, &mut &payload[..])
            .unwrap();
        assert_eq!(peer.calls().writes, (1 << 20) / 4096);
    }
}

#[test]
fn a_large_message_that_arrives_at_once_takes_few_reads() {
    for (kind, role) in ends() {
        let message = frame(peer(role), FIN | BINARY, &pattern(1 << 20));
        let (peer, mut connection) = connection(kind, role, &message);
        connection.next_message().unwrap();
        // It doubles with each read from 16 KiB on, as no length is trusted.
        let reads = peer.calls().reads;
        assert!(reads <= 8, "{reads}");
        peer.say(&message);
        connection.next_message().unwrap();
        let reads = peer.calls().reads - reads;
        assert!(reads <= 2, "{reads}");
    }
}
