//! Both directions of one connection at once, from many threads.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use framewire::blocking::ReadHalf;
use framewire::protocol::{Limits, Role, SendError};
use framewire::{CloseCode, Config, Duplicate, ErrorKind, Opcode, Side, TryFeedError, WebSocket};
use support::frames::{BINARY, CLOSE, FIN, PING, TEXT, close_payload, frame};
use support::loopback::{PATIENCE, connected, tcp};
use support::pattern;
use support::peer::{Ending, ScriptedPeer};

const MESSAGES: u32 = 1500;

#[test]
fn both_directions_at_once_over_tcp() {
    full_duplex(tcp());
}

#[cfg(unix)]
#[test]
fn both_directions_at_once_over_a_unix_socket() {
    full_duplex(support::loopback::unix());
}

/// Two threads write at each end while one reads: all of it comes, whole and in each one's order.
fn full_duplex<S: Duplicate + Send>(pair: (S, S)) {
    let (server, client) = connected(pair);
    thread::scope(|scope| {
        let mut ends = Vec::new();
        for websocket in [server, client] {
            let (mut read, mut write) = websocket.split().unwrap();
            let mut streaming = write.clone();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    write.write(message(0, number)).unwrap();
                    if number % 10 == 0 {
                        write.ping(b"?").unwrap();
                    }
                }
            });
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let bytes = message(1, number);
                    streaming
                        .stream_message(Opcode::Binary, 100, &bytes[..])
                        .unwrap();
                }
            });
            ends.push(scope.spawn(move || {
                read_all(&mut read);
                read
            }));
        }
        // No end goes away while the other still reads.
        let ends: Vec<_> = ends.into_iter().map(|end| end.join().unwrap()).collect();
        assert_eq!(ends.len(), 2);
    });
}

fn read_all<S: Duplicate>(read: &mut ReadHalf<S>) {
    let mut next = [0, 0];
    while next != [MESSAGES, MESSAGES] {
        let got = read.next_message().unwrap().unwrap();
        let writer = got.payload()[0];
        let number = &mut next[usize::from(writer)];
        assert!(
            got.payload() == message(writer, *number),
            "{writer} {number}"
        );
        *number += 1;
    }
}

fn message(writer: u8, number: u32) -> Vec<u8> {
    let len = (number as usize * 37) % 900;
    let mut bytes = vec![writer];
    bytes.extend(number.to_be_bytes());
    bytes.extend(&pattern(1000)[..len]);
    bytes
}

#[test]
fn a_ping_is_answered_in_the_middle_of_a_slow_stream() {
    let (server, mut client) = connected(tcp());
    let (mut read, mut write) = server.split().unwrap();
    let source = ScriptedPeer::default().blocking();
    let pieces = source.clone();
    thread::scope(|scope| {
        scope.spawn(move || read.next_message().map(|_| ()));
        scope.spawn(move || write.stream_message(Opcode::Binary, 4, source).unwrap());
        let mut buf = [0; 125];

        // One byte ahead: the first four go out.
        pieces.say(b"first");
        let frame = client.read_frame(&mut buf).unwrap().unwrap();
        assert_eq!(
            (frame.header().fin(), frame.payload()),
            (false, &b"firs"[..])
        );
        for number in 0..10_u8 {
            client.ping(&[number]).unwrap();
            let frame = client.read_frame(&mut buf).unwrap().unwrap();
            assert_eq!(
                (frame.header().opcode(), frame.payload()),
                (Opcode::Pong, &[number][..])
            );
        }
        pieces.say(b"!");
        pieces.end();
        let frame = client.read_frame(&mut buf).unwrap().unwrap();
        assert_eq!((frame.header().fin(), frame.payload()), (true, &b"t!"[..]));
        client.close(CloseCode::NORMAL, "").unwrap();
    });
}

#[test]
fn a_message_waits_for_a_stream_and_a_control_frame_does_not() {
    let (server, mut client) = connected(tcp());
    let (_read, mut write) = server.split().unwrap();
    let mut other = write.clone();
    thread::scope(|scope| {
        let mut writer = write.message_writer(Opcode::Binary).unwrap();
        writer.write_all(b"begun").unwrap();
        writer.flush().unwrap();
        let (waiting, waits) = channel();
        scope.spawn(move || {
            other.ping(b"now").unwrap();
            waiting.send(()).unwrap();
            other.write("later").unwrap();
        });
        waits.recv().unwrap();
        writer.write_all(b", ended").unwrap();
        writer.finish().unwrap();
    });
    let mut seen = Vec::new();
    let mut buf = [0; 125];
    for _ in 0..4 {
        let frame = client.read_frame(&mut buf).unwrap().unwrap();
        seen.push((frame.header().opcode(), frame.payload().to_vec()));
    }
    let expected: [(Opcode, &[u8]); 4] = [
        (Opcode::Binary, b"begun"),
        (Opcode::Ping, b"now"),
        (Opcode::Continuation, b", ended"),
        (Opcode::Text, b"later"),
    ];
    assert_eq!(
        seen,
        expected.map(|(opcode, payload)| (opcode, payload.to_vec()))
    );
}

#[test]
fn the_reader_does_not_wait_for_a_writer_that_is_blocked() {
    let config = Config::default().limits(Limits::UNLIMITED);
    let (server, client) = tcp();
    let server = WebSocket::server(server, config).unwrap();
    let mut client = WebSocket::client(client, config).unwrap();
    let (mut read, mut write) = server.split().unwrap();
    let written = AtomicBool::new(false);
    // More than any socket buffer takes.
    let big = vec![7; 64 << 20];
    thread::scope(|scope| {
        scope.spawn(|| {
            write.write(&big).unwrap();
            written.store(true, Ordering::SeqCst);
        });
        // Its header is there, so the writer is in the middle of it.
        assert_eq!(
            client.read_header().unwrap().unwrap().payload_len(),
            64 << 20
        );
        for number in 0..100_u8 {
            client.ping(&[number]).unwrap();
            client.write((Opcode::Text, &[number])).unwrap();
            assert_eq!(read.next_message().unwrap().unwrap().payload(), [number]);
        }
        assert!(!written.load(Ordering::SeqCst));

        let mut received = vec![0; big.len()];
        client.read_frame(&mut received).unwrap().unwrap();
        assert!(received == big);
        // The latest Ping counts (RFC 6455 5.5.3), and its Pong was left with the writer.
        let pong = client.read_frame(&mut received).unwrap().unwrap();
        assert_eq!(
            (pong.header().opcode(), pong.payload()),
            (Opcode::Pong, &[99][..])
        );
    });
}

#[test]
fn a_close_comes_through_while_a_stream_is_open_and_the_stream_then_fails() {
    let (server, mut client) = connected(tcp());
    let (_read, mut write) = server.split().unwrap();
    let mut closing = write.clone();
    let mut writer = write.message_writer(Opcode::Binary).unwrap();
    writer.write_all(&[1; 5000]).unwrap();
    closing.close(CloseCode::GOING_AWAY, "down").unwrap();
    let error = io_error(writer.finish().unwrap_err().into_kind());
    assert_eq!(error, (CloseCode::GOING_AWAY, Side::Local));
    assert!(client.next_message().unwrap().is_none());
    assert_eq!(client.closed().unwrap().reason(), "down");
}

fn io_error(kind: ErrorKind) -> (CloseCode, Side) {
    match kind {
        ErrorKind::Closed(closed) => (closed.code(), closed.by),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_given_back_while_another_thread_sends() {
    let (begin, has_begun) = channel();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let stream = ScriptedPeer::default()
        .blocking()
        .before_writes(move |_, bytes| {
            if bytes[0] == FIN | PING {
                begin.send(()).unwrap();
                gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            Ok(())
        });
    let server = WebSocket::server(stream.clone(), Config::default()).unwrap();
    let (_read, mut write) = server.split().unwrap();
    let other = write.clone();
    let (done, fed) = channel();
    let try_feed = || {
        let (done, mut other) = (done.clone(), other.clone());
        thread::spawn(move || done.send(other.try_feed("fed")));
        fed.recv_timeout(PATIENCE).expect("it waits")
    };
    let is_given_back = |fed| matches!(fed, Err(TryFeedError::Full("fed")));

    // One that is open, and one whose frame the stream does not take.
    let writer = write.message_writer(Opcode::Binary).unwrap();
    assert!(is_given_back(try_feed()));
    writer.finish().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| write.ping(b"").unwrap());
        has_begun.recv_timeout(PATIENCE).unwrap();
        let fed = try_feed();
        open.send(()).unwrap();
        assert!(is_given_back(fed));
    });

    try_feed().unwrap();
    let sent = stream.written().len();
    write.flush().unwrap();
    assert_eq!(
        stream.written()[sent..],
        frame(Role::Server, FIN | TEXT, b"fed")
    );
}

#[test]
fn a_stream_that_its_source_interrupted_is_gone_on_with_by_another_clone() {
    let (server, mut client) = connected(tcp());
    let (_read, mut write) = server.split().unwrap();
    let mut other = write.clone();
    let failing = ScriptedPeer::saying([b"half"]).ending(Ending::Failure(io::ErrorKind::Other));
    let error = write.stream_message(Opcode::Text, 3, failing).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Source(_)));
    let error = other.stream_message(Opcode::Text, 3, &b"x"[..]);
    let open = SendError::MessageOpen(Opcode::Text);
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::Send(error) if *error == open));
    let writer = other.resume_message_writer().unwrap();
    assert_eq!(writer.finish_from(&b" and half"[..]).unwrap(), 13);
    assert!(write.resume_message_writer().is_none());
    assert_eq!(
        client.next_message().unwrap().unwrap().text(),
        Some("half and half")
    );
}

#[test]
fn an_answer_that_comes_before_the_close_was_written_knows_who_closed() {
    let (hear, heard) = channel();
    let heard = Mutex::new(heard);
    // The peer has answered, and the reading half has heard it, before the write is done.
    let stream = ScriptedPeer::default()
        .blocking()
        .before_writes(move |stream, bytes| {
            if bytes[0] == FIN | CLOSE {
                stream.say(frame(Role::Client, FIN | CLOSE, b"\x03\xE8"));
                let heard = heard.lock().unwrap();
                assert_eq!(heard.recv_timeout(PATIENCE), Ok(Side::Local));
            }
            Ok(())
        });
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (mut read, mut write) = server.split().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            assert!(read.next_message().unwrap().is_none());
            hear.send(read.closed().unwrap().by).unwrap();
        });
        write.close(CloseCode::NORMAL, "").unwrap();
    });
    assert_eq!(write.closed().unwrap().by, Side::Local);
}

#[test]
fn a_close_that_waits_for_its_turn_did_not_come_first() {
    let (begin, has_begun) = channel();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let stream = ScriptedPeer::default()
        .blocking()
        .before_writes(move |_, bytes| {
            if bytes[0] == FIN | BINARY {
                begin.send(()).unwrap();
                gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            Ok(())
        });
    let server = WebSocket::server(stream.clone(), Config::default()).unwrap();
    let (mut read, mut write) = server.split().unwrap();
    let mut closing = write.clone();
    thread::scope(|scope| {
        scope.spawn(|| write.write(b"slow").unwrap());
        has_begun.recv_timeout(PATIENCE).unwrap();
        let (done, closed) = channel();
        scope.spawn(move || done.send(closing.close(CloseCode::NORMAL, "")).unwrap());
        // No frame goes out in the middle of another.
        assert!(closed.recv_timeout(Duration::from_millis(20)).is_err());

        stream.say(frame(Role::Client, FIN | CLOSE, b"\x03\xE9"));
        assert!(read.next_message().unwrap().is_none());
        let by = read.closed().unwrap().by;
        open.send(()).unwrap();
        let refused = closed.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!((by, refused.closed().unwrap().by), (Side::Peer, Side::Peer));
    });
    let echo = frame(Role::Server, FIN | CLOSE, b"\x03\xE9");
    assert!(stream.written().ends_with(&echo));
}

#[test]
fn abort_ends_the_wait_of_whoever_reads_or_writes() {
    let (server, client) = connected(tcp());
    let (mut read, write) = server.split().unwrap();
    let mut other = write.clone();
    // More than any socket buffer takes.
    let big = vec![7; 64 << 20];
    thread::scope(|scope| {
        let reading = scope.spawn(|| read.next_message().map(drop).unwrap_err());
        let writing = scope.spawn(move || other.write(big).unwrap_err());
        write.abort().unwrap();
        let error = reading.join().unwrap();
        let aborted = io::ErrorKind::ConnectionAborted;
        assert!(matches!(error.kind(), ErrorKind::Io(e) if e.kind() == aborted));
        let error = writing.join().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Io(e) if e.kind() == io::ErrorKind::BrokenPipe));
    });
    drop(client);
    // It holds when the halves are one again.
    let mut server = read.reunite(write).unwrap();
    let error = server.next_message().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionLost));
    let error = server.write("x").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error:?}");
}

#[test]
fn both_halves_tell_how_the_connection_was_closed() {
    let close = frame(Role::Client, FIN | CLOSE, &close_payload(4000, "lunch"));
    let server = WebSocket::server(ScriptedPeer::saying([close]), Config::default());
    let (mut read, mut write) = server.unwrap().split().unwrap();
    assert_eq!((read.closed(), write.closed()), (None, None));
    for _ in 0..2 {
        assert!(read.next_message().unwrap().is_none());
        assert!(read.append_message(&mut vec![]).unwrap().is_none());
        assert!(read.message_reader().unwrap().is_none());
        assert!(read.read_header().unwrap().is_none());
        assert!(read.read_frame(&mut []).unwrap().is_none());
        assert!(read.resume_message_reader().is_none());
    }
    let closed = read.closed().unwrap();
    let [local, peer] = [&closed.local, &closed.peer].map(|close| close.clone().unwrap());
    assert_eq!((local.code.get(), &*local.reason), (4000, ""));
    assert_eq!((peer.code.get(), &*peer.reason), (4000, "lunch"));
    assert_eq!((closed.by, closed.is_normal()), (Side::Peer, false));
    assert_eq!(write.closed().as_ref(), Some(&closed));
    let late = write.write("late").unwrap_err();
    assert_eq!(late.closed(), Some(&closed));
    // And so does the connection, whole again.
    let mut whole = read.reunite(write).unwrap();
    for _ in 0..2 {
        assert!(whole.next_message().unwrap().is_none());
        assert!(whole.next_message_and_writer().unwrap().is_none());
    }
    assert_eq!(whole.closed(), Some(closed));
}

#[test]
fn halves_that_are_no_pair_are_given_back() {
    let (first, mut first_client) = connected(tcp());
    let (second, second_client) = connected(tcp());
    let (first_read, first_write) = first.split().unwrap();
    let (second_read, second_write) = second.split().unwrap();
    let (first_read, second_write) = *first_read.reunite(second_write).unwrap_err();

    let clone = first_write.clone();
    let (first_read, mut first_write) = *first_read.reunite(first_write).unwrap_err();
    drop(clone);

    first_write.feed("last").unwrap();
    let mut first = first_read.reunite(first_write).unwrap();
    let answering = thread::spawn(move || {
        assert_eq!(
            first_client.next_message().unwrap().unwrap().text(),
            Some("last")
        );
        assert!(first_client.next_message().unwrap().is_none());
        first_client.closed().unwrap()
    });
    let shutdown = first.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean);
    assert_eq!(answering.join().unwrap().by, Side::Peer);
    assert!(second_read.reunite(second_write).is_ok());
    drop(second_client);
}
