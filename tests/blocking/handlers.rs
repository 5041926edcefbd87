//! What an application can do about control frames: observe, replace, switch off.

use std::sync::mpsc::{Receiver, channel};

use framewire::blocking::{CloseReply, PingReply};
use framewire::frame::ControlPayload;
use framewire::protocol::Role;
use framewire::{CloseCode, Opcode, Side, WebSocket};
use support::frames::{CLOSE, FIN, PING, PONG, TEXT, frame};
use support::loopback::{connected, tcp};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::peer::ScriptedPeer;
use support::{connect, peer};

fn endpoint(role: Role, list: &[(u8, &[u8])]) -> WebSocket<ScriptedPeer> {
    let input: Vec<u8> = list
        .iter()
        .flat_map(|(first, payload)| frame(peer(role), *first, payload))
        .collect();
    connect(role, ScriptedPeer::new(input), SMALL)
}

/// Reads to the end of what came, and gives what was sent.
fn sent(mut websocket: WebSocket<ScriptedPeer>) -> Vec<(u8, Vec<u8>)> {
    while websocket.next_message().is_ok() {}
    websocket.flush().unwrap();
    frames_in(&websocket.stream().written())
}

fn seen<T>(receiver: &Receiver<T>) -> Vec<T> {
    receiver.try_iter().collect()
}

#[test]
fn each_ping_of_a_burst_is_answered_with_its_payload_by_default() {
    for role in [Role::Server, Role::Client] {
        let websocket = endpoint(
            role,
            &[
                (FIN | PING, b"a"),
                (FIN | PING, b""),
                (FIN | TEXT, b"x"),
                (FIN | PING, &[7; 125]),
            ],
        );
        let expected = [
            (FIN | PONG, b"a".to_vec()),
            (FIN | PONG, Vec::new()),
            (FIN | PONG, vec![7; 125]),
        ];
        assert_eq!(sent(websocket), expected);
    }
}

#[test]
fn a_handler_observes_each_ping_and_lets_it_be_answered() {
    let mut server = endpoint(Role::Server, &[(FIN | PING, b"a"), (FIN | PING, b"b")]);
    let (sender, receiver) = channel();
    server.on_ping(move |payload| {
        sender.send(payload.to_vec()).unwrap();
        PingReply::Pong
    });
    assert_eq!(
        sent(server),
        [(FIN | PONG, b"a".to_vec()), (FIN | PONG, b"b".to_vec())]
    );
    assert_eq!(seen(&receiver), [b"a", b"b"]);
}

#[test]
fn a_handler_replaces_the_pong_or_switches_it_off() {
    let mut server = endpoint(
        Role::Server,
        &[(FIN | PING, b"a"), (FIN | PING, b"b"), (FIN | PING, b"c")],
    );
    server.on_ping(|payload| match payload {
        b"a" => PingReply::Replace(ControlPayload::new(b"other").unwrap()),
        b"b" => PingReply::Nothing,
        _ => PingReply::Pong,
    });
    assert_eq!(
        sent(server),
        [(FIN | PONG, b"other".to_vec()), (FIN | PONG, b"c".to_vec())]
    );
}

#[test]
fn a_handler_observes_each_pong_and_nothing_is_sent() {
    let mut client = endpoint(
        Role::Client,
        &[(FIN | PONG, b"a"), (FIN | PONG, b""), (FIN | TEXT, b"x")],
    );
    let (sender, receiver) = channel();
    client.on_pong(move |payload| sender.send(payload.to_vec()).unwrap());
    assert_eq!(sent(client), []);
    assert_eq!(seen(&receiver), [b"a".to_vec(), Vec::new()]);
}

#[test]
fn the_peers_close_is_echoed_with_its_code_and_no_reason_by_default() {
    for role in [Role::Server, Role::Client] {
        let websocket = endpoint(role, &[(FIN | CLOSE, b"\x0F\xA0bye")]);
        assert_eq!(sent(websocket), [(FIN | CLOSE, b"\x0F\xA0".to_vec())]);
        let websocket = endpoint(role, &[(FIN | CLOSE, b"")]);
        assert_eq!(sent(websocket), [(FIN | CLOSE, Vec::new())]);
    }
}

#[test]
fn a_handler_observes_the_close_and_lets_it_be_echoed() {
    for (payload, code, reason) in [
        (&b"\x03\xE9bye"[..], Some(CloseCode::GOING_AWAY), "bye"),
        (b"", None, ""),
    ] {
        let mut server = endpoint(Role::Server, &[(FIN | CLOSE, payload)]);
        let (sender, receiver) = channel();
        server.on_close(move |code, reason| {
            sender.send((code, reason.to_owned())).unwrap();
            CloseReply::Echo
        });
        assert_eq!(
            sent(server),
            [(FIN | CLOSE, payload.get(..2).unwrap_or_default().to_vec())]
        );
        assert_eq!(seen(&receiver), [(code, reason.to_owned())]);
    }
}

#[test]
fn a_handler_replaces_the_echo() {
    let mut server = endpoint(Role::Server, &[(FIN | CLOSE, b"\x03\xE8")]);
    server.on_close(|_, _| {
        let other = ControlPayload::close(CloseCode::SERVICE_RESTART, "later");
        CloseReply::Replace(other.unwrap())
    });
    assert_eq!(sent(server), [(FIN | CLOSE, b"\x03\xF4later".to_vec())]);
}

#[test]
fn an_echo_switched_off_leaves_the_close_to_the_application() {
    let mut server = endpoint(Role::Server, &[(FIN | CLOSE, b"\x03\xE8")]);
    server.on_close(|_, _| CloseReply::Nothing);
    let error = server.next_message().unwrap_err();
    assert_eq!(error.closed().unwrap().by, Side::Peer);
    server.flush().unwrap();
    assert!(server.stream().written().is_empty());
    // RFC 6455 5.5.1: what is under way may be finished before.
    server.write_message(Opcode::Text, b"last").unwrap();
    server.close(CloseCode::NORMAL, "").unwrap();
    let sent = frames_in(&server.stream().written());
    assert_eq!(
        sent,
        [
            (FIN | TEXT, b"last".to_vec()),
            (FIN | CLOSE, b"\x03\xE8".to_vec())
        ]
    );
}

#[test]
fn a_close_is_not_echoed_by_the_end_that_closed_first() {
    for role in [Role::Server, Role::Client] {
        let mut websocket = endpoint(role, &[(FIN | CLOSE, b"\x03\xE8")]);
        websocket.close(CloseCode::GOING_AWAY, "").unwrap();
        let error = websocket.next_message().unwrap_err();
        assert_eq!(error.closed().unwrap().by, Side::Local);
        assert_eq!(sent(websocket), [(FIN | CLOSE, b"\x03\xE9".to_vec())]);
    }
}

#[test]
fn control_frames_come_to_the_handlers_by_every_kind_of_reading() {
    for kind in 0..3 {
        let list: [(u8, &[u8]); 4] = [
            (FIN | PING, b"1"),
            (TEXT, b"a"),
            (FIN | PING, b"2"),
            (FIN, b"b"),
        ];
        let mut server = endpoint(Role::Server, &list);
        let (sender, receiver) = channel();
        server.on_ping(move |payload| {
            sender.send(payload.to_vec()).unwrap();
            PingReply::Nothing
        });
        match kind {
            0 => assert_eq!(server.next_message().unwrap().payload(), b"ab"),
            1 => {
                let mut text = String::new();
                let mut reader = server.message_reader().unwrap();
                std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
                assert_eq!(text, "ab");
            }
            _ => {
                for (first, payload) in list {
                    let mut buf = [0; 8];
                    let frame = server.read_frame(&mut buf).unwrap();
                    assert_eq!(frame.header().opcode().bits(), first & 0x0F);
                    assert_eq!(frame.payload(), payload);
                }
            }
        }
        assert_eq!(seen(&receiver), [b"1", b"2"], "kind {kind}");
    }
}

#[test]
fn the_reading_half_has_its_own_handlers() {
    let (server, mut client) = connected(tcp());
    let (mut read, _write) = server.split().unwrap();
    let (sender, receiver) = channel();
    let pongs = sender.clone();
    let closes = sender.clone();
    read.on_ping(move |payload| {
        sender.send(payload.to_vec()).unwrap();
        PingReply::Replace(ControlPayload::new(b"other").unwrap())
    });
    read.on_pong(move |payload| pongs.send(payload.to_vec()).unwrap());
    read.on_close(move |_, reason| {
        closes.send(reason.as_bytes().to_vec()).unwrap();
        CloseReply::Echo
    });
    client.ping(b"ping").unwrap();
    client.pong(b"pong").unwrap();
    client.close(CloseCode::NORMAL, "close").unwrap();
    read.next_message().unwrap_err();
    assert_eq!(seen(&receiver), [&b"ping"[..], b"pong", b"close"]);
    let mut buf = [0; 8];
    assert_eq!(client.read_frame(&mut buf).unwrap().payload(), b"other");
    assert_eq!(client.read_frame(&mut buf).unwrap().payload(), b"\x03\xE8");
}
