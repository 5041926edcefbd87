use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use framewire::protocol::Role;
use framewire::{CloseCode, Side};
use support::frames::{BINARY, CLOSE, FIN, frame};

use crate::server::{DEADLINE, Engine, Server, eventually, is_ended};

with_all_engines_at_once! {
    signals_close_every_connection_with_1001_and_end_with_0,
    it_ends_at_once_when_all_have_answered,
    peers_that_do_not_answer_hold_it_up_for_two_seconds,
    nothing_is_taken_any_more_while_it_ends,
    a_peer_that_still_speaks_may_close_in_its_own_time,
}

fn signals_close_every_connection_with_1001_and_end_with_0(engine: Engine) {
    for signal in ["TERM", "INT", "HUP"] {
        let server = Server::start(engine, &[]);
        let mut websockets: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for websocket in &mut websockets {
            websocket.write("hi").unwrap();
            websocket.next_message().unwrap().unwrap();
        }
        server.signal(signal);
        for websocket in &mut websockets {
            assert!(websocket.next_message().unwrap().is_none());
            let closed = websocket.closed().unwrap();
            assert_eq!(
                (closed.code(), closed.by),
                (CloseCode::GOING_AWAY, Side::Peer)
            );
        }
        drop(websockets);
        let (status, rest) = server.end();
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

fn it_ends_at_once_when_all_have_answered(engine: Engine) {
    // One that waited for its two seconds would never be that fast, and one on a slow machine is at some time.
    eventually("an end at once", || {
        let server = Server::start(engine, &[]);
        let mut websocket = server.connect();
        let started = Instant::now();
        server.signal("TERM");
        assert!(websocket.next_message().unwrap().is_none());
        drop(websocket);
        assert_eq!(server.end().0.code(), Some(0));
        (started.elapsed() < Duration::from_millis(1500)).then_some(())
    });
}

fn peers_that_do_not_answer_hold_it_up_for_two_seconds(engine: Engine) {
    let server = Server::start(engine, &[]);
    let silent = server.connect();
    let half_a_handshake = server.tcp();
    let mut answering = server.connect();
    let started = Instant::now();
    server.signal("TERM");
    assert!(answering.next_message().unwrap().is_none());
    assert_eq!(answering.closed().unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(server.end().0.code(), Some(0));
    let elapsed = started.elapsed();
    assert!(elapsed > Duration::from_millis(1500), "{elapsed:?}");
    assert!(elapsed < DEADLINE, "{elapsed:?}");
    drop((silent, half_a_handshake));
}

fn nothing_is_taken_any_more_while_it_ends(engine: Engine) {
    let mut server = Server::start(engine, &[]);
    let mut silent = server.connect_raw();
    server.signal("TERM");
    let mut close = [0; 2];
    silent.read_exact(&mut close).unwrap();
    assert_eq!(close[0], FIN | CLOSE);
    // It waits for an answer to that.
    let mut late = server.tcp();
    late.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // It may be gone already.
    let _ = late.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(is_ended(&mut late), "it was answered, or left to wait");
    assert!(server.is_running());
}

fn a_peer_that_still_speaks_may_close_in_its_own_time(engine: Engine) {
    let server = Server::start(engine, &[]);
    let mut stream = server.connect_raw();
    server.signal("TERM");
    let mut close = [0; 2];
    stream.read_exact(&mut close).unwrap();
    let mut reason = vec![0; close[1].into()];
    stream.read_exact(&mut reason).unwrap();
    // Sent before that was there, as far as the server knows.
    stream
        .write_all(&frame(Role::Client, FIN | BINARY, b""))
        .unwrap();
    let a_while = Duration::from_millis(300);
    stream.set_read_timeout(Some(a_while)).unwrap();
    let nothing = stream.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock, "{nothing}");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(&frame(Role::Client, FIN | CLOSE, b""))
        .unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
