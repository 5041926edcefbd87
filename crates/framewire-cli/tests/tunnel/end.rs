//! How each direction of a tunnel ends, and how the tunnel does.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use framewire::frame::Rsv;
use framewire::handshake::Connector;
use framewire::{CloseCode, Opcode, WebSocket};
use socket2::SockRef;

use crate::ends::{End, Pair, accept, expect_reset, hear, listener, rest, say};

/// Resets a connection.
fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

fn next(websocket: &mut WebSocket<TcpStream>) -> Option<(Opcode, Vec<u8>)> {
    let message = websocket.next_message().unwrap()?;
    Some((message.opcode(), message.payload().to_vec()))
}

/// A server end, one TCP connection of which was taken by its service.
fn behind(
    connect: impl FnOnce(&End) -> WebSocket<TcpStream>,
) -> (End, WebSocket<TcpStream>, TcpStream) {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &[]);
    let websocket = connect(&end);
    assert!(end.logged().ends_with(": open"));
    (end, websocket, accept(&service))
}

fn plain() -> (End, WebSocket<TcpStream>, TcpStream) {
    behind(|end| end.websocket(""))
}

fn speaking() -> (End, WebSocket<TcpStream>, TcpStream) {
    behind(End::speaking)
}

#[test]
fn the_answer_comes_after_the_end_of_the_request() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    say(&user, b"request");
    user.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&service), b"request");
    let answer = support::pattern(1 << 20);
    thread::scope(|scope| {
        scope.spawn(|| {
            say(&service, &answer);
            service.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&user) == answer);
    });
}

#[test]
fn a_service_that_has_said_all_goes_on_listening() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    say(&service, b"enough");
    service.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&user), b"enough");
    for _ in 0..3 {
        say(&user, b"more");
        hear(&service, b"more");
    }
    user.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&service), b"");
    assert_eq!(pair.client.logged(), "open");
    assert!(
        pair.client
            .logged()
            .starts_with("both directions ended; 12 ")
    );
}

#[test]
fn a_reset_is_passed_on_in_both_directions() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    say(&user, b"hello");
    hear(&service, b"hello");
    reset(user);
    expect_reset(&service);
    assert_eq!(pair.client.logged(), "open");
    assert!(pair.client.logged().starts_with("tcp connection failed: "));
    assert!(pair.server.logged().ends_with(": open"));
    let line = pair.server.logged();
    assert!(line.contains("closed by the peer with 1011"), "{line}");

    let (user, service) = pair.connect();
    say(&service, b"hello");
    hear(&user, b"hello");
    reset(service);
    expect_reset(&user);
}

/// A reset of one that has ended its own direction is found out by what is sent to it.
#[test]
fn a_reset_is_passed_on_after_half_of_the_stream() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    user.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&service), b"");
    reset(user);
    let burst = [0; 4096];
    let failed = crate::ends::eventually("a reset", || {
        std::io::Write::write_all(&mut &service, &burst).err()
    });
    let kinds = [
        std::io::ErrorKind::ConnectionReset,
        std::io::ErrorKind::BrokenPipe,
    ];
    assert!(kinds.contains(&failed.kind()), "{failed}");
}

#[test]
fn an_end_that_dies_resets_the_connections_of_the_other() {
    let pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    say(&user, b"hello");
    hear(&service, b"hello");
    pair.client.signal("KILL");
    expect_reset(&service);
}

#[test]
fn an_empty_text_message_ends_one_direction() {
    let (end, mut websocket, service) = speaking();
    websocket.write(&b"request"[..]).unwrap();
    websocket.write("").unwrap();
    assert_eq!(rest(&service), b"request");
    say(&service, b"answer");
    assert_eq!(
        next(&mut websocket),
        Some((Opcode::Binary, b"answer".to_vec()))
    );
    service.shutdown(Shutdown::Write).unwrap();
    assert_eq!(next(&mut websocket), Some((Opcode::Text, Vec::new())));
    assert_eq!(next(&mut websocket), None);
    assert_eq!(websocket.closed().unwrap().code(), CloseCode::NORMAL);
    assert!(
        end.logged()
            .contains(": both directions ended; 6 bytes from tcp, 7 bytes to tcp")
    );
}

#[test]
fn the_end_of_a_service_closes_the_connection_of_a_plain_peer() {
    let (_end, mut websocket, service) = plain();
    say(&service, b"bye");
    service.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        next(&mut websocket),
        Some((Opcode::Binary, b"bye".to_vec()))
    );
    assert_eq!(next(&mut websocket), None);
    assert_eq!(websocket.closed().unwrap().code(), CloseCode::NORMAL);
    assert_eq!(rest(&service), b"");
}

/// RFC 6455 5.5.1: a peer may go on sending until it answers the Close frame.
#[test]
fn what_a_plain_peer_sends_before_it_answers_the_close_comes_through() {
    let (_end, websocket, service) = plain();
    service.shutdown(Shutdown::Write).unwrap();
    let (mut reader, mut writer) = websocket.split().unwrap();
    let (closing, may_answer) = std::sync::mpsc::channel();
    reader.on_close(move |code, _| {
        closing.send(code).unwrap();
        framewire::CloseReply::Nothing
    });
    let reading = thread::spawn(move || reader.next_message().map(|message| message.is_none()));
    assert_eq!(may_answer.recv().unwrap(), Some(CloseCode::NORMAL));
    writer.write(&b"last words"[..]).unwrap();
    writer.close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(rest(&service), b"last words");
    assert!(reading.join().unwrap().unwrap());
}

/// A peer that answers no Close frame holds no place, whatever else it sends.
#[test]
fn a_plain_peer_that_does_not_answer_the_close_is_given_up() {
    let service = listener();
    let options = [
        "--close-timeout",
        "0.3",
        "--ping-interval",
        "0",
        "--max-connections",
        "1",
    ];
    let end = End::server(service.local_addr().unwrap(), &options);
    let mut peer = end.websocket("").into_inner().0;
    assert!(end.logged().ends_with(": open"));
    let stream = accept(&service);
    say(&stream, b"bye");
    stream.shutdown(Shutdown::Write).unwrap();
    hear(&peer, b"\x82\x03bye\x88\x02\x03\xe8");
    let pinging = thread::spawn(move || {
        let ping = support::frames::frame(framewire::protocol::Role::Client, 0x89, b"");
        while peer.write_all(&ping).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    expect_reset(&stream);
    let line = end.logged();
    assert!(
        line.contains(": peer did not answer the close within 300ms; 3 bytes from tcp, 0 bytes"),
        "{line}"
    );
    pinging.join().unwrap();
    crate::ends::eventually("a free place", || {
        end.try_websocket("", &Connector::new()).ok()
    });
}

#[test]
fn a_plain_peer_that_closes_ends_the_stream() {
    for code in [Some(CloseCode::NORMAL), None] {
        let (end, mut websocket, service) = plain();
        websocket.write(&b"bye"[..]).unwrap();
        let payload = code.map_or(Vec::new(), |code| code.get().to_be_bytes().to_vec());
        let close = websocket.write_frame(true, Rsv::NONE, Opcode::Close, &payload);
        close.unwrap();
        assert_eq!(next(&mut websocket), None);
        // What it still says does not reset it.
        for _ in 0..50 {
            say(&service, b"late");
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(rest(&service), b"bye");
        drop(service);
        assert!(end.logged().contains(": closed by the peer"));
    }
}

#[test]
fn any_other_close_code_resets_the_stream() {
    for code in [
        CloseCode::GOING_AWAY,
        CloseCode::INTERNAL_ERROR,
        CloseCode::POLICY_VIOLATION,
    ] {
        for connect in [plain, speaking] {
            let (_end, mut websocket, service) = connect();
            websocket.close(code, "").unwrap();
            expect_reset(&service);
        }
    }
}

#[test]
fn a_connection_that_breaks_resets_the_stream() {
    for connect in [plain, speaking] {
        let (end, mut websocket, service) = connect();
        websocket.write(&b"half"[..]).unwrap();
        hear(&service, b"half");
        drop(websocket);
        expect_reset(&service);
        let line = end.logged();
        assert!(
            line.contains("connection ended without a close frame; "),
            "{line}"
        );
    }
}
