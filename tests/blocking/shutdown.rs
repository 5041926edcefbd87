//! The closing handshake over sockets, with a deadline. What it says of each way to end is in `behaviour`.

use std::io::{ErrorKind as Kind, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use framewire::blocking::Shutdown;
use framewire::protocol::Role;
use framewire::{CloseCode, Closed, Config, ErrorKind, Side, WebSocket};
use support::frames::{CLOSE, FIN, frame};
use support::loopback::{PATIENCE, connected, tcp};
use support::operations::SMALL;
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::{connect, each, pattern};

fn shut(code: CloseCode, reason: &str, by: Side, clean: bool) -> Shutdown {
    let reason = reason.to_owned();
    Shutdown {
        code,
        reason,
        by,
        clean,
    }
}

/// Reads until the peer's Close frame.
fn closed(websocket: &mut WebSocket<TcpStream>) -> Closed {
    while websocket.next_message().unwrap().is_some() {}
    websocket.closed().unwrap()
}

#[test]
fn either_end_shuts_down_and_both_know_who() {
    for server_first in each([false, true]) {
        let (server, client) = connected(tcp());
        let (mut first, mut second) = if server_first {
            (server, client)
        } else {
            (client, server)
        };
        second.write(pattern(100_000)).unwrap();
        let answering = thread::spawn(move || {
            let closed = closed(&mut second);
            (closed, second.shutdown(PATIENCE).unwrap())
        });
        let local = first.shutdown(PATIENCE).unwrap();
        drop(first);
        assert_eq!(local, shut(CloseCode::NORMAL, "", Side::Local, true));
        let (closed, remote) = answering.join().unwrap();
        assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
        assert_eq!(remote, shut(CloseCode::NORMAL, "", Side::Peer, true));
    }
}

#[test]
fn a_peer_that_never_answers_costs_the_deadline() {
    for say_something in each([false, true]) {
        let (mut server, mut client) = connected(tcp());
        if say_something {
            client.write("not a close").unwrap();
        }
        let shutdown = server.shutdown(Duration::from_millis(30)).unwrap();
        assert_eq!(shutdown, shut(CloseCode::ABNORMAL, "", Side::Local, false));
    }
}

#[test]
fn a_deadline_of_nothing_does_not_wait_for_a_peer_that_does_not_read() {
    for deadline in each([
        Duration::ZERO,
        Duration::from_millis(1),
        Duration::from_millis(40),
    ]) {
        let (stream, _silent) = tcp();
        stream.set_nonblocking(true).unwrap();
        while (&stream).write(&[0; 1 << 13]).is_ok() {}
        stream.set_nonblocking(false).unwrap();
        let mut server = WebSocket::server(stream, Config::default()).unwrap();
        let (done, ended) = channel();
        let shutting = thread::spawn(move || {
            let shutdown = server.shutdown(deadline);
            done.send(()).unwrap();
            shutdown
        });
        ended.recv_timeout(PATIENCE).unwrap();
        let shutdown = shutting.join().unwrap().unwrap();
        assert!(!shutdown.clean);
        assert_eq!(shutdown.by, Side::Local);
    }
}

/// A blocking socket whose peer takes one byte in each time-out, and says nothing. Tells of each write's
/// time-out, which is as long as it took.
fn trickle() -> (ScriptedPeer, Receiver<Duration>) {
    let (tell, writes) = channel();
    let peer = ScriptedPeer::default().taking(Taking::AtMost(1));
    let peer = peer.before_writes(move |peer, _| {
        let timeout = peer.timeouts().write.unwrap();
        let (_quiet, nothing) = channel::<()>();
        nothing.recv_timeout(timeout).unwrap_err();
        tell.send(timeout).unwrap();
        Ok(())
    });
    (peer, writes)
}

#[test]
fn a_peer_that_takes_a_byte_at_a_time_does_not_stretch_the_deadline() {
    let deadline = Duration::from_millis(20);
    let (peer, writes) = trickle();
    let mut server = WebSocket::server(peer, Config::default()).unwrap();
    server.feed([7; 100]).unwrap();
    let shutdown = server.shutdown(deadline).unwrap();
    assert_eq!(shutdown, shut(CloseCode::ABNORMAL, "", Side::Local, false));
    let writes: Vec<_> = writes.try_iter().collect();
    assert!((1..10).contains(&writes.len()), "{writes:?}");
    assert!(writes.iter().sum::<Duration>() < 3 * deadline, "{writes:?}");
}

#[test]
fn a_close_that_did_not_go_out_makes_nothing_clean() {
    for in_time in each([false, true]) {
        let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE8");
        let nothing = Fault::Error(Kind::WouldBlock);
        let script = ScriptedPeer::new(close).failing(Plan::Always(Direction::Write, nothing));
        let mut server = connect(Role::Server, script, SMALL);
        assert!(server.next_message().unwrap().is_none());
        if in_time {
            assert!(server.shutdown(PATIENCE).unwrap_err().is_would_block());
            server.stream_mut().fail(Plan::None);
        }
        let deadline = if in_time { PATIENCE } else { Duration::ZERO };
        let shutdown = server.shutdown(deadline).unwrap();
        assert_eq!(shutdown, shut(CloseCode::NORMAL, "", Side::Peer, in_time));
        assert_eq!(server.stream().written().is_empty(), !in_time);
    }
}

#[test]
fn a_stream_that_refuses_the_time_out_is_not_written_to_and_ends_in_one_call() {
    let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE9");
    for (input, expected) in [
        (&close[..], Some(CloseCode::GOING_AWAY)),
        (&close[..0], None),
    ] {
        // As some systems' sockets do once the peer is gone.
        let stream = ScriptedPeer::new(input).failing(Plan::WriteTimeouts(Kind::InvalidInput));
        let mut server = connect(Role::Server, stream, SMALL);
        match (server.shutdown(PATIENCE), expected) {
            (Ok(shutdown), Some(code)) => {
                assert_eq!(shutdown, shut(code, "", Side::Local, false));
            }
            (Err(error), None) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::Io(e) if e.kind() == Kind::InvalidInput));
            }
            (other, _) => panic!("{other:?}"),
        }
        assert!(server.stream().written().is_empty());
    }
}

#[test]
fn a_server_that_never_ends_the_stream_costs_the_deadline() {
    let (mut server, mut client) = connected(tcp());
    server.close(CloseCode::NORMAL, "").unwrap();
    let shutdown = client.shutdown(Duration::from_millis(30)).unwrap();
    assert!(shutdown.clean);
}

#[test]
fn the_wait_for_the_end_is_not_cut_short_by_an_interruption() {
    let close = frame(Role::Server, FIN | CLOSE, b"");
    let plan = Plan::Nth(Direction::Read, 1, Fault::Error(Kind::Interrupted));
    let mut client = connect(Role::Client, ScriptedPeer::new(close).failing(plan), SMALL);
    assert!(client.shutdown(PATIENCE).unwrap().clean);
    assert_eq!(client.stream().calls().reads, 3);
}

#[test]
fn a_client_on_a_non_blocking_stream_is_told_that_the_end_has_not_come() {
    let close = frame(Role::Server, FIN | CLOSE, b"");
    let plan = Plan::Nth(Direction::Read, 1, Fault::Error(Kind::WouldBlock));
    let mut client = connect(Role::Client, ScriptedPeer::new(close).failing(plan), SMALL);
    assert!(client.shutdown(PATIENCE).unwrap_err().is_would_block());
    assert!(client.shutdown(PATIENCE).unwrap().clean);
    assert_eq!(client.stream().calls().reads, 3);
}

#[test]
fn the_time_outs_are_what_they_were_at_the_end() {
    let (mut server, mut client) = connected(tcp());
    client.close(CloseCode::NORMAL, "").unwrap();
    let write = Some(2 * PATIENCE);
    server.stream().set_write_timeout(write).unwrap();
    server.shutdown(PATIENCE).unwrap();
    assert_eq!(server.stream().read_timeout().unwrap(), Some(PATIENCE));
    assert_eq!(server.stream().write_timeout().unwrap(), write);
}
