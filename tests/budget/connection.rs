//! What a connection without a stream holds, however its bytes come and go.

use allocation_counter::measure;
use framewire::Config;
use framewire::connection::{BufferPool, Connection, PreparedMessage};
use framewire::protocol::Role;
use support::frames::{BINARY, FIN, PING, frame};
use support::pattern;
use support::without_stream::{give, open, server};

/// Writes all that waits but `left` bytes.
fn write(connection: &mut Connection, left: usize) {
    let waits = connection.outbound().output().unwrap().unwrap().len();
    connection.outbound().written(Ok(waits - left)).unwrap();
}

#[test]
fn a_message_that_always_waits_behind_another_makes_no_memory_grow() {
    let message = frame(Role::Client, FIN | BINARY, &[7; 1000]);
    for looks in [false, true] {
        let mut connection = server(&[]);
        give(&mut connection, &message);
        let most = measure(|| {
            for _ in 0..1000 {
                if looks {
                    assert!(connection.has_message().unwrap());
                }
                give(&mut connection, &message);
                let (message, _) = connection.next_message().unwrap().unwrap();
                assert!(message.payload() == [7; 1000], "{looks}");
            }
        });
        assert!(most.bytes_max < 100_000, "{looks}: {most:?}");
    }
}

#[test]
fn a_byte_that_always_waits_behind_what_was_written_makes_no_memory_grow() {
    let mut connection = server(&[]);
    let most = measure(|| {
        for _ in 0..1000 {
            let fed = connection.outbound().feed([7; 1000]);
            fed.unwrap();
            write(&mut connection, 1);
        }
    });
    assert!(most.bytes_max < 100_000, "{most:?}");
}

#[test]
fn a_message_of_16_kib_that_arrives_at_once_is_lent_from_the_read_buffer() {
    let message = frame(Role::Client, FIN | BINARY, &[7; 16 << 10]);
    let mut connection = server(&[]);
    give(&mut connection, &message);
    let counted = measure(|| {
        let (message, _) = connection.next_message().unwrap().unwrap();
        assert_eq!(message.payload().len(), 16 << 10);
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_connection_that_rests_holds_no_buffer() {
    let nothing = BufferPool::keeping(0);
    let config = Config::default();
    let mut connection = Connection::new(Role::Server, &[], &config, &nothing).unwrap();
    for len in [20, 100_000] {
        let message = frame(Role::Client, FIN | BINARY, &pattern(len));
        let held = measure(|| {
            give(&mut connection, &message);
            let (message, outbound) = connection.next_message().unwrap().unwrap();
            outbound.feed(message).unwrap();
            write(&mut connection, 0);
            connection.rest();
        });
        assert!(held.bytes_max >= 20, "{len}: {held:?}");
        assert_eq!(held.bytes_current, 0, "{len}: {held:?}");
    }
}

#[test]
fn answering_a_ping_allocates_nothing() {
    let ping = frame(Role::Client, FIN | PING, b"?");
    let mut connection = server(&[]);
    let mut round = || {
        give(&mut connection, &ping);
        assert!(connection.next_message().unwrap().is_none());
        write(&mut connection, 0);
        assert!(connection.outbound().output().unwrap().is_none());
        connection.rest();
    };
    (0..10).for_each(|_| round());
    let counted = measure(|| (0..100).for_each(|_| round()));
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_read_buffer_that_grew_for_one_connection_is_not_kept_for_others() {
    let messages = frame(Role::Client, FIN | BINARY, &[7; 1000]).repeat(100);
    let kept = measure(|| {
        let mut connection = server(&messages);
        while connection.next_message().unwrap().is_some() {}
        connection.rest();
    });
    assert!(kept.bytes_max >= 100_000, "{kept:?}");
    assert!(kept.bytes_current < 10_000, "{kept:?}");
}

#[test]
fn an_assembled_message_is_moved_into_an_empty_buffer_with_its_memory() {
    let payload = pattern(100_000);
    let message = frame(Role::Client, FIN | BINARY, &payload);
    let mut connection = server(&[]);
    give(&mut connection, &message[..100]);
    assert!(connection.next_message().unwrap().is_none());
    give(&mut connection, &message[100..]);
    let mut buffer = vec![];
    let counted = measure(|| {
        let appended = connection.append_message(&mut buffer).unwrap().unwrap();
        assert!(appended.payload() == payload);
    });
    assert_eq!(counted.count_total, 0);
    assert!(buffer == payload);
}

#[test]
fn feeding_allocates_nothing() {
    let prepared = PreparedMessage::new([7; 1000]).unwrap();
    let feeds: [(&str, Feed); 3] = [
        ("message", |connection, _| {
            let outbound = connection.outbound();
            outbound.feed([7; 1000]).unwrap();
        }),
        ("long message", |connection, _| {
            let outbound = connection.outbound();
            outbound.feed(&LONG[..]).unwrap();
        }),
        ("prepared message", |connection, prepared| {
            connection.outbound().feed_prepared(prepared).unwrap();
        }),
    ];
    for (name, feed) in feeds {
        for role in [Role::Server, Role::Client] {
            let mut connection = open(role, &[], &Config::default());
            let mut round = || {
                feed(&mut connection, &prepared);
                write(&mut connection, 0);
                assert!(connection.outbound().output().unwrap().is_none());
            };
            (0..10).for_each(|_| round());
            let counted = measure(|| (0..100).for_each(|_| round()));
            assert_eq!(counted.count_total, 0, "{name}, {role:?}");
        }
    }
}

/// More than is copied beside its header.
static LONG: [u8; 20_000] = [7; 20_000];

/// A call that feeds something.
type Feed = fn(&mut Connection, &PreparedMessage);
