//! What a message costs in reads and writes.

use framewire::blocking::PreparedMessage;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use support::frames::{BINARY, FIN, PING, TEXT, frame};
use support::meter::Meter;
use support::pattern;
use support::peer;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn connection(role: Role, batch: &[u8], batches: usize) -> WebSocket<Meter> {
    let mut meter = Meter::new(batch);
    meter.batches = batches;
    WebSocket::with_leftover(meter, &[], role, Config::default()).unwrap()
}

#[test]
fn an_echo_of_messages_that_arrive_together_is_one_read_and_one_write() {
    for role in ROLES {
        for count in [1, 2, 100, 500] {
            let batch = frame(peer(role), FIN | TEXT, &[b'x'; 20]).repeat(count);
            let mut websocket = connection(role, &batch, 1);
            for _ in 0..count {
                let (message, writer) = websocket.next_message_and_writer().unwrap();
                writer
                    .feed_message(message.opcode(), message.payload())
                    .unwrap();
            }
            let meter = websocket.stream();
            assert_eq!((meter.reads, meter.writes), (1, 0), "{count} as {role:?}");
            // The read that finds nothing is what the write goes before.
            assert!(websocket.next_message().unwrap_err().is_would_block());
            let meter = websocket.stream();
            assert_eq!((meter.reads, meter.writes), (2, 1), "{count} as {role:?}");
            assert_eq!(
                meter.written,
                count * frame(role, FIN | TEXT, &[0; 20]).len()
            );
        }
    }
}

#[test]
fn pings_that_arrive_together_are_answered_with_one_write() {
    for role in ROLES {
        let batch = frame(peer(role), FIN | PING, b"?").repeat(100);
        let mut websocket = connection(role, &batch, 1);
        assert!(websocket.next_message().unwrap_err().is_would_block());
        let meter = websocket.stream();
        assert_eq!((meter.reads, meter.writes), (2, 1));
        assert_eq!(meter.written, 100 * frame(role, FIN | PING, b"?").len());
    }
}

#[test]
fn a_message_with_what_was_fed_before_is_one_write() {
    for role in ROLES {
        for len in [0, 20, 4096] {
            let mut websocket = connection(role, &[], 0);
            let payload = pattern(len);
            websocket.write_message(Opcode::Binary, &payload).unwrap();
            assert_eq!(websocket.stream().writes, 1, "{len} as {role:?}");
            websocket.feed_message(Opcode::Binary, &payload).unwrap();
            websocket.feed_message(Opcode::Binary, &payload).unwrap();
            websocket.write_message(Opcode::Binary, &payload).unwrap();
            assert_eq!(websocket.stream().writes, 2, "{len} as {role:?}");
            let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
            websocket.write_prepared(&prepared).unwrap();
            assert_eq!(websocket.stream().writes, 3, "{len} as {role:?}");
        }
    }
}

#[test]
fn a_large_message_of_a_server_is_one_vectored_write() {
    let payload = pattern(1 << 20);
    let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
    let mut server = connection(Role::Server, &[], 0);
    server.write_message(Opcode::Binary, &payload).unwrap();
    server.write_prepared(&prepared).unwrap();
    server.feed_message(Opcode::Binary, b"before").unwrap();
    server.write_message(Opcode::Binary, &payload).unwrap();
    assert_eq!(server.stream().writes, 3);
}

#[test]
fn a_large_message_of_a_client_is_one_write_for_each_write_buffer() {
    let mut client = connection(Role::Client, &[], 0);
    client
        .write_message(Opcode::Binary, &pattern(1 << 20))
        .unwrap();
    assert_eq!(client.stream().writes, (1 << 20) / (64 << 10));
}

#[test]
fn a_streamed_message_is_one_write_a_fragment() {
    for role in ROLES {
        let mut websocket = connection(role, &[], 0);
        let payload = pattern(1 << 20);
        websocket
            .stream_message(Opcode::Binary, 4096, &payload[..])
            .unwrap();
        assert_eq!(websocket.stream().writes, (1 << 20) / 4096, "{role:?}");
    }
}

#[test]
fn a_large_message_that_arrives_at_once_takes_few_reads() {
    for role in ROLES {
        let batch = frame(peer(role), FIN | BINARY, &pattern(1 << 20));
        let mut websocket = connection(role, &batch, 2);
        websocket.next_message().unwrap();
        // It doubles with each read from 16 KiB on, as no length is trusted.
        assert!(
            websocket.stream().reads <= 8,
            "{}",
            websocket.stream().reads
        );
        websocket.next_message().unwrap();
        assert!(
            websocket.stream().reads <= 10,
            "{}",
            websocket.stream().reads
        );
    }
}
