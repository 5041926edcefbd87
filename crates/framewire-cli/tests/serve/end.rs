use std::time::{Duration, Instant};

use framewire::{CloseCode, Opcode, Side};

use crate::server::{Server, eventually, is_ended};

#[test]
fn sigterm_and_sigint_close_every_connection_with_1001_and_end_with_0() {
    for signal in ["TERM", "INT"] {
        let server = Server::start(&[]);
        let mut websockets: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for websocket in &mut websockets {
            websocket.write_message(Opcode::Text, b"hi").unwrap();
            websocket.next_message().unwrap();
        }
        server.signal(signal);
        for websocket in &mut websockets {
            let error = websocket.next_message().unwrap_err();
            let closed = error.closed().unwrap();
            assert_eq!(
                (closed.code, closed.by),
                (CloseCode::GOING_AWAY, Side::Peer)
            );
        }
        let (status, rest) = server.end();
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

#[test]
fn it_ends_at_once_when_all_have_answered() {
    let server = Server::start(&[]);
    let mut websocket = server.connect();
    let started = Instant::now();
    server.signal("TERM");
    websocket.next_message().unwrap_err();
    drop(websocket);
    assert_eq!(server.end().0.code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn peers_that_do_not_answer_hold_it_up_for_two_seconds() {
    let server = Server::start(&[]);
    let silent = server.connect();
    let half_a_handshake = server.tcp();
    let mut answering = server.connect();
    let started = Instant::now();
    server.signal("TERM");
    let error = answering.next_message().unwrap_err();
    assert_eq!(error.close_code(), Some(CloseCode::GOING_AWAY));
    assert_eq!(server.end().0.code(), Some(0));
    let elapsed = started.elapsed();
    assert!(elapsed > Duration::from_millis(1500), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(6), "{elapsed:?}");
    drop((silent, half_a_handshake));
}

#[test]
fn nothing_is_taken_any_more_while_it_ends() {
    let server = Server::start(&[]);
    let silent = server.connect();
    server.signal("TERM");
    eventually("a refused connection", || {
        is_ended(&mut server.tcp()).then_some(())
    });
    drop(silent);
}
