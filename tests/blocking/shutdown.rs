//! The closing handshake with a deadline: who closed, with what, whether cleanly, and that it ends.

use std::io::{ErrorKind as Kind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use framewire::blocking::{CloseReply, Shutdown};
use framewire::protocol::{Limits, Role};
use framewire::{CloseCode, Closed, Config, ErrorKind, Opcode, Side, WebSocket};
use support::frames::{BINARY, CLOSE, FIN, TEXT, frame};
use support::loopback::{PATIENCE, connected, tcp};
use support::operations::SMALL;
use support::pattern;
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::{again, connect, peer};

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
    loop {
        if let Err(error) = websocket.next_message() {
            return error.closed().unwrap().clone();
        }
    }
}

#[test]
fn either_end_shuts_down_and_both_know_who() {
    for server_first in [false, true] {
        let (server, client) = connected(tcp());
        let (mut first, mut second) = if server_first {
            (server, client)
        } else {
            (client, server)
        };
        second
            .write_message(Opcode::Binary, &pattern(100_000))
            .unwrap();
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
fn a_close_that_was_sent_is_completed_with_what_the_peer_says() {
    let (mut server, mut client) = connected(tcp());
    client.close(CloseCode::new(4000), "mine").unwrap();
    let answering = thread::spawn(move || {
        let closed = closed(&mut server);
        assert_eq!((closed.code().get(), closed.reason()), (4000, "mine"));
    });
    let shutdown = client.shutdown(PATIENCE).unwrap();
    assert_eq!(shutdown, shut(CloseCode::new(4000), "", Side::Local, true));
    answering.join().unwrap();
}

#[test]
fn a_peer_that_never_answers_costs_the_deadline() {
    for say_something in [false, true] {
        let (mut server, mut client) = connected(tcp());
        if say_something {
            client.write_message(Opcode::Text, b"not a close").unwrap();
        }
        let shutdown = server.shutdown(Duration::from_millis(30)).unwrap();
        assert_eq!(shutdown, shut(CloseCode::ABNORMAL, "", Side::Local, false));
    }
}

#[test]
fn a_deadline_of_nothing_does_not_wait_for_a_peer_that_does_not_read() {
    for deadline in [
        Duration::ZERO,
        Duration::from_millis(1),
        Duration::from_millis(40),
    ] {
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
    server.feed_message(Opcode::Binary, &[7; 100]).unwrap();
    let shutdown = server.shutdown(deadline).unwrap();
    assert_eq!(shutdown, shut(CloseCode::ABNORMAL, "", Side::Local, false));
    let writes: Vec<_> = writes.try_iter().collect();
    assert!((1..10).contains(&writes.len()), "{writes:?}");
    assert!(writes.iter().sum::<Duration>() < 3 * deadline, "{writes:?}");
}

#[test]
fn a_deadline_longer_than_the_clock_can_tell_is_as_good_as_none() {
    for role in [Role::Server, Role::Client] {
        let close = frame(peer(role), FIN | CLOSE, b"\x03\xE8");
        let mut websocket = connect(role, ScriptedPeer::new(close), SMALL);
        assert!(websocket.shutdown(Duration::MAX).unwrap().clean);
    }
}

#[test]
fn the_connection_lost_instead_of_closed_is_not_clean() {
    for role in [Role::Server, Role::Client] {
        let mut websocket = connect(role, ScriptedPeer::new([]), SMALL);
        let shutdown = websocket.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(CloseCode::ABNORMAL, "", Side::Local, false));
    }
}

#[test]
fn a_violation_instead_of_a_close_is_not_clean() {
    let mut server = connect(Role::Server, ScriptedPeer::new([0xFF, 0xFF]), SMALL);
    let shutdown = server.shutdown(PATIENCE).unwrap();
    assert_eq!(
        shutdown,
        shut(
            CloseCode::PROTOCOL_ERROR,
            "reserved opcode 0xf",
            Side::Local,
            false
        )
    );
}

#[test]
fn messages_of_any_size_before_the_close_are_forgotten() {
    for role in [Role::Server, Role::Client] {
        let mut input = frame(peer(role), FIN | TEXT, b"small");
        input.extend(frame(peer(role), FIN | BINARY, &vec![7; 3 << 20]));
        input.extend(frame(peer(role), FIN | CLOSE, b"\x03\xE9going"));
        let mut websocket = connect(role, ScriptedPeer::new(input), SMALL);
        let shutdown = websocket.shutdown(PATIENCE).unwrap();
        assert_eq!(
            shutdown,
            shut(CloseCode::GOING_AWAY, "going", Side::Local, true)
        );
    }
}

#[test]
fn a_message_half_assembled_or_half_streamed_is_forgotten_too() {
    for streamed in [false, true] {
        let mut input = frame(Role::Client, TEXT, b"begun");
        let script = ScriptedPeer::new(&input[..]);
        input.clear();
        let mut server = connect(Role::Server, script, SMALL);
        let nothing_more = Fault::Error(Kind::WouldBlock);
        server
            .stream_mut()
            .fail(Plan::Nth(Direction::Read, 1, nothing_more));
        if streamed {
            server.message_reader().unwrap();
        } else {
            server.next_message().unwrap_err();
        }
        server.stream().say(frame(Role::Client, FIN, b"ended"));
        server.stream().say(frame(Role::Client, FIN | CLOSE, b""));
        server.stream_mut().fail(Plan::None);
        let shutdown = server.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(CloseCode::NO_STATUS, "", Side::Local, true));
    }
}

/// Would block at the n-th read from here, and goes on after it.
fn nothing_at_read(server: &mut WebSocket<ScriptedPeer>, n: usize) {
    let nothing = Fault::Error(Kind::WouldBlock);
    let plan = Plan::Nth(Direction::Read, n, nothing);
    server.stream_mut().fail(plan);
}

/// A server with the beginning of a message, by one call, that was then to be shut down but is
/// still told the rest.
fn shutdown_interrupted(begin: impl Fn(&mut WebSocket<ScriptedPeer>)) -> WebSocket<ScriptedPeer> {
    let old = frame(Role::Client, FIN | BINARY, b"old");
    let mut server = connect(Role::Server, ScriptedPeer::new(&old[..8]), SMALL);
    nothing_at_read(&mut server, 1);
    begin(&mut server);
    nothing_at_read(&mut server, 0);
    assert!(server.shutdown(PATIENCE).unwrap_err().is_would_block());
    server.stream().say(&old[8..]);
    server
}

#[test]
fn what_was_half_read_before_a_shutdown_that_would_block_comes_back_in_no_call() {
    let assembled = |server: &mut WebSocket<ScriptedPeer>| {
        assert!(server.next_message().unwrap_err().is_would_block());
    };
    let raw = |server: &mut WebSocket<ScriptedPeer>| {
        let error = server.read_frame(&mut [0; 8]).map(drop).unwrap_err();
        assert!(error.is_would_block());
    };
    let streamed = |server: &mut WebSocket<ScriptedPeer>| {
        server
            .message_reader()
            .unwrap()
            .read_exact(&mut [0; 2])
            .unwrap();
    };
    let begins: [fn(&mut WebSocket<ScriptedPeer>); 3] = [assembled, raw, streamed];
    let next = [
        frame(Role::Client, BINARY, b"n"),
        frame(Role::Client, FIN, b"ew"),
    ]
    .concat();
    for begin in begins {
        let mut server = shutdown_interrupted(begin);
        server.stream().say(&next);
        assert_eq!(server.next_message().unwrap().payload(), b"new");

        let mut server = shutdown_interrupted(begin);
        server.stream().say(&next);
        let mut buf = [0; 10];
        assert_eq!(server.read_frame(&mut buf).unwrap().payload(), b"n");

        let mut server = shutdown_interrupted(begin);
        server.stream().say(&next);
        assert!(server.resume_message_reader().is_none());
        let mut bytes = Vec::new();
        let mut reader = server.message_reader().unwrap();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"new");
    }
}

#[test]
fn a_close_frame_that_came_half_to_a_raw_call_is_whole_for_shutdown() {
    let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE9bye");
    for cut in 1..close.len() {
        let mut server = connect(Role::Server, ScriptedPeer::new(&close[..cut]), SMALL);
        nothing_at_read(&mut server, 1);
        let error = server.read_frame(&mut [0; 125]).map(drop).unwrap_err();
        assert!(error.is_would_block());
        server.stream().say(&close[cut..]);
        let shutdown = server.shutdown(PATIENCE).unwrap();
        assert_eq!(
            shutdown,
            shut(CloseCode::GOING_AWAY, "bye", Side::Local, true)
        );
    }
}

#[test]
fn limits_hold_again_after_a_shutdown_that_would_block() {
    let frame_limit = Limits {
        frame: 2,
        ..Limits::UNLIMITED
    };
    let message_limit = Limits {
        message: 2,
        ..Limits::UNLIMITED
    };
    for limits in [frame_limit, message_limit] {
        let input = frame(Role::Client, FIN | BINARY, b"hello");
        let config = Config { limits, ..SMALL };
        let mut server = connect(Role::Server, ScriptedPeer::new(input), config);
        nothing_at_read(&mut server, 0);
        assert!(server.shutdown(PATIENCE).unwrap_err().is_would_block());
        let error = server.next_message().unwrap_err();
        assert_eq!(error.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
    }
}

#[test]
fn a_close_that_did_not_go_out_makes_nothing_clean() {
    for in_time in [false, true] {
        let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE8");
        let nothing = Fault::Error(Kind::WouldBlock);
        let script = ScriptedPeer::new(close).failing(Plan::Always(Direction::Write, nothing));
        let mut server = connect(Role::Server, script, SMALL);
        assert!(server.next_message().unwrap_err().closed().is_some());
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
fn what_the_peer_closed_with_is_told_although_no_close_can_be_written() {
    let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE9going");
    let broken = Fault::Error(Kind::BrokenPipe);
    let script = ScriptedPeer::new(close).failing(Plan::Always(Direction::Write, broken));
    let mut server = connect(Role::Server, script, SMALL);
    let shutdown = server.shutdown(PATIENCE).unwrap();
    let expected = shut(CloseCode::GOING_AWAY, "going", Side::Local, false);
    assert_eq!(shutdown, expected);
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
fn a_close_of_the_peers_that_shutdown_answers_is_the_peers_still() {
    let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE9");
    let mut server = connect(Role::Server, ScriptedPeer::new(close), SMALL);
    server.on_close(|_, _| CloseReply::Nothing);
    server.next_message().unwrap_err();
    let shutdown = server.shutdown(PATIENCE).unwrap();
    assert_eq!(shutdown, shut(CloseCode::GOING_AWAY, "", Side::Peer, true));
    assert_eq!(server.stream().written(), [FIN | CLOSE, 2, 3, 0xE8]);
    assert_eq!(server.writer().closed().unwrap().by, Side::Peer);
}

/// RFC 6455 7.1.1: the server closes the TCP connection first.
#[test]
fn a_client_waits_for_the_server_to_end_the_stream_and_a_server_does_not() {
    for (role, reads) in [(Role::Server, 1), (Role::Client, 2)] {
        let mut websocket = connect(
            role,
            ScriptedPeer::new(frame(peer(role), FIN | CLOSE, b"")),
            SMALL,
        );
        assert!(websocket.shutdown(PATIENCE).unwrap().clean);
        assert_eq!(websocket.stream().calls().reads, reads, "{role:?}");
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
fn on_a_non_blocking_stream_it_goes_on_when_called_again() {
    for direction in [Direction::Read, Direction::Write, Direction::Flush] {
        let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE8");
        let script = ScriptedPeer::new(close)
            .in_pieces_of(1)
            .failing(Plan::Before(direction, Kind::WouldBlock));
        let mut server = connect(Role::Server, script, SMALL);
        let shutdown = again(|| server.shutdown(PATIENCE)).unwrap();
        assert_eq!(shutdown, shut(CloseCode::NORMAL, "", Side::Local, true));
        assert_eq!(server.stream().written(), [FIN | CLOSE, 2, 3, 0xE8]);
    }
}

#[test]
fn a_stream_that_fails_is_an_error() {
    for direction in [Direction::Read, Direction::Write] {
        let plan = Plan::Nth(direction, 0, Fault::Error(Kind::ConnectionReset));
        let mut server = connect(Role::Server, ScriptedPeer::new([]).failing(plan), SMALL);
        let error = server.shutdown(PATIENCE).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io(e) if e.kind() == Kind::ConnectionReset));
    }
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
