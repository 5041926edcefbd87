//! A connection without a stream keeps what it is given, in whatever order its calls come.

use framewire::connection::Connection;
use framewire::protocol::Role;
use framewire::{Config, ErrorKind};
use support::frames::{BINARY, CLOSE, FIN, PING, PONG, TEXT, close_payload, frame};
use support::without_stream::{give, give_some, open, server, written};
use support::{each, pattern};

const CLIENT: Role = Role::Client;

fn next(connection: &mut Connection) -> Vec<u8> {
    let (message, _) = connection.next_message().unwrap().unwrap();
    message.payload().to_vec()
}

#[test]
fn a_read_before_what_came_earlier_is_taken_goes_behind_it() {
    let frames: Vec<_> = (0..9_u8)
        .map(|n| frame(CLIENT, FIN | BINARY, &[n; 3000]))
        .collect();
    for looks in each([false, true]) {
        let mut connection = server(&frames[0]);
        for frame in &frames[1..] {
            if looks {
                assert!(connection.has_message().unwrap());
            }
            give(&mut connection, frame);
            connection.rest();
            assert!(!connection.is_at_rest());
        }
        for n in 0..9 {
            assert!(connection.has_message().unwrap());
            assert_eq!(next(&mut connection), [n; 3000]);
        }
        assert!(connection.next_message().unwrap().is_none());
        connection.rest();
        assert!(connection.is_at_rest());
    }
}

#[test]
fn a_message_whose_memory_was_read_into_is_kept_while_it_rests() {
    let payload = pattern(100_000);
    let mut connection = server(&[]);
    let message = frame(CLIENT, FIN | BINARY, &payload);
    give(&mut connection, &message[..100]);
    assert!(connection.next_message().unwrap().is_none());
    give(&mut connection, &message[100..]);
    connection.rest();
    assert!(!connection.is_at_rest());
    assert!(next(&mut connection) == payload);
}

#[test]
fn the_rest_of_a_long_frame_is_read_into_the_memory_of_its_message() {
    let payload = pattern(40_000);
    let message = frame(CLIENT, FIN | BINARY, &payload);
    let header = message.len() - payload.len();
    let config = Config::default().read_buffer(10_000);
    let mut connection = open(Role::Server, &message[..header], &config);
    let (mut rest, mut place) = (&message[header..], 0);
    while !connection.has_message().unwrap() {
        place = connection.room().as_ptr().addr();
        give_some(&mut connection, &mut rest, usize::MAX);
    }
    let (message, _) = connection.next_message().unwrap().unwrap();
    assert!(message.payload() == payload);
    let memory = message.payload().as_ptr_range();
    assert!((memory.start.addr()..memory.end.addr()).contains(&place));
}

#[test]
fn a_ping_that_is_longer_than_the_read_buffer_is_answered_once_it_is_whole() {
    let payload = pattern(100);
    let config = Config::default().read_buffer(4);
    let mut connection = open(Role::Server, &[], &config);
    let ping = frame(CLIENT, FIN | PING, &payload);
    let mut rest = &ping[..];
    while !rest.is_empty() {
        assert!(connection.outbound().output().unwrap().is_none());
        give_some(&mut connection, &mut rest, 4);
        assert!(connection.next_message().unwrap().is_none());
    }
    let answer = frame(Role::Server, FIN | PONG, &payload);
    assert_eq!(written(&mut connection), answer);
}

#[test]
fn a_room_that_was_lent_behind_a_message_is_filled_after_that_was_taken() {
    let (first, second) = (
        frame(CLIENT, FIN | TEXT, b"a"),
        frame(CLIENT, FIN | TEXT, b"b"),
    );
    let mut connection = server(&[]);
    give(&mut connection, &first);
    connection.room()[..second.len()].copy_from_slice(&second);
    assert_eq!(next(&mut connection), b"a");
    assert!(connection.next_message().unwrap().is_none());
    connection.filled(second.len());
    assert_eq!(next(&mut connection), b"b");
}

#[test]
fn the_end_of_the_stream_is_told_behind_the_messages() {
    let mut connection = server(&[]);
    connection.filled(0);
    assert!(!connection.is_at_rest(), "it has to tell its end");
    let mut connection = server(&[]);
    give(&mut connection, &frame(CLIENT, FIN | TEXT, b"a"));
    assert!(connection.has_message().unwrap());
    connection.filled(0);
    connection.rest();
    assert_eq!(next(&mut connection), b"a");
    for _ in 0..2 {
        let end = connection.next_message().unwrap_err();
        assert!(matches!(end.kind(), ErrorKind::ConnectionLost), "{end}");
    }
    let error = connection.outbound().ping(b"").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionLost), "{error}");
}

#[test]
fn how_a_connection_ended_stays_though_the_stream_ends_after_it() {
    let close = frame(CLIENT, FIN | CLOSE, &close_payload(4000, "so"));
    let mut connection = server(&[]);
    give(&mut connection, &close);
    for _ in 0..2 {
        let end = connection.next_message().unwrap_err();
        assert_eq!(end.closed().unwrap().reason(), "so");
        connection.filled(0);
    }
    let answer = frame(Role::Server, FIN | CLOSE, &4000_u16.to_be_bytes());
    assert_eq!(written(&mut connection), answer);
}

#[test]
fn rfc6455_8_1_bad_text_that_is_read_into_its_message_is_answered() {
    let mut text = frame(CLIENT, FIN | TEXT, &vec![b'a'; 100_000]);
    text[50_000] = !text[50_000];
    let mut connection = server(&[]);
    give(&mut connection, &text[..100]);
    assert!(connection.next_message().unwrap().is_none());
    give(&mut connection, &text[100..]);
    for _ in 0..2 {
        let end = connection.next_message().unwrap_err();
        assert!(matches!(end.kind(), ErrorKind::Violation(_)), "{end}");
    }
    let answer = written(&mut connection);
    assert_eq!(answer[..4], [FIN | CLOSE, answer[1], 0x03, 0xEF]);
}

#[test]
fn pongs_of_the_application_are_sent() {
    let mut connection = server(&[]);
    connection.on_ping(|_| framewire::blocking::PingReply::Nothing);
    give(&mut connection, &frame(CLIENT, FIN | PING, b"?"));
    assert!(connection.next_message().unwrap().is_none());
    connection.outbound().pong(b"!").unwrap();
    assert_eq!(
        connection.outbound().output().unwrap().unwrap(),
        b"\x8A\x01!"
    );
    connection.outbound().written(Ok(3)).unwrap();
    connection.rest();
    assert!(connection.is_at_rest());
}
