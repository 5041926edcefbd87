//! A keep-alive that the reads of a whole connection carry out, and a goodbye by the reading half.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use framewire::blocking::PingReply;
use framewire::{CloseCode, Config, ErrorKind, Limits, Opcode, Rsv, Side, WebSocket};
use support::each;
use support::loopback::{PATIENCE, connected, tcp};

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn a_read_that_blocks_sends_pings_for_as_long_as_the_peer_answers() {
    let (mut server, mut client) = connected(tcp());
    let (pinged, pings) = channel();
    client.on_ping(move |payload| {
        let _ = pinged.send(payload.to_vec());
        PingReply::Pong
    });
    server.set_keep_alive(SHORT, PATIENCE).unwrap();
    thread::scope(|scope| {
        let reading = scope.spawn(|| server.next_message().unwrap().is_none());
        let numbers = scope.spawn(move || {
            let numbers = pings.iter().take(20);
            let numbers: Vec<_> = numbers.collect();
            let expected: Vec<_> = (1..=20_u64)
                .map(|number| number.to_be_bytes().to_vec())
                .collect();
            assert_eq!(numbers, expected);
        });
        while !numbers.is_finished() {
            // Reads the Pings for a while.
            client.stream().set_read_timeout(Some(SHORT)).unwrap();
            let read = client.next_message();
            assert!(read.unwrap_err().is_would_block());
        }
        client.close(CloseCode::NORMAL, "").unwrap();
        assert!(reading.join().unwrap());
    });
}

#[test]
fn each_way_to_read_notices_a_peer_that_never_answers() {
    for way in each(0..6) {
        let (mut server, mut client) = connected(tcp());
        server.set_keep_alive(SHORT, 5 * SHORT).unwrap();
        if way == 3 {
            let begun = client.write_frame(false, Rsv::NONE, Opcode::Binary, b"begun");
            begun.unwrap();
        }
        let begun = Instant::now();
        let error = match way {
            0 => server.append_message(&mut Vec::new()).unwrap_err(),
            1 => server.read_header().unwrap_err(),
            2 => server.read_frame(&mut [0; 9]).unwrap_err(),
            3 => {
                let mut message = server.message_reader().unwrap().unwrap();
                let mut begun = Vec::new();
                let error = message.read_to_end(&mut begun).unwrap_err();
                assert_eq!(begun, b"begun");
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                continue;
            }
            4 => server.next_message_and_writer().map(drop).unwrap_err(),
            _ => {
                let error = server.into_byte_stream().read(&mut [0]).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                continue;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
        assert!(begun.elapsed() >= 6 * SHORT);
    }
}

#[test]
fn the_time_out_is_the_keep_alives_until_it_is_stopped() {
    let (mut server, _client) = connected(tcp());
    // What the system does not round.
    let before = Some(Duration::from_millis(20));
    server.stream().set_read_timeout(before).unwrap();
    server.set_keep_alive(PATIENCE, PATIENCE).unwrap();
    server.stop_keep_alive();
    assert_eq!(server.stream().read_timeout().unwrap(), before);
    assert!(server.next_message().unwrap_err().is_would_block());
    // The halves have another one.
    server.set_keep_alive(PATIENCE, PATIENCE).unwrap();
    let (mut reading, _writing) = server.split().unwrap();
    assert!(reading.next_message().unwrap_err().is_would_block());
}

#[test]
fn a_stream_that_does_not_block_is_told_so_between_two_pings() {
    let (mut server, mut client) = connected(tcp());
    server.stream().set_nonblocking(true).unwrap();
    server.set_keep_alive(PATIENCE, PATIENCE).unwrap();
    assert!(server.next_message().unwrap_err().is_would_block());
    server.set_keep_alive(SHORT, PATIENCE).unwrap();
    client.on_ping(|_| PingReply::Pong);
    thread::scope(|scope| {
        let peer = scope.spawn(|| client.read_header().unwrap().unwrap().opcode());
        while !peer.is_finished() {
            assert!(server.next_message().unwrap_err().is_would_block());
            thread::yield_now();
        }
        assert_eq!(peer.join().unwrap(), Opcode::Ping);
    });
    let error = server.set_keep_alive(Duration::ZERO, SHORT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Config(_)), "{error:?}");
}

#[test]
fn a_reading_half_shuts_down() {
    let (server, mut client) = connected(tcp());
    let (mut reading, mut writing) = server.split().unwrap();
    let before = reading.stream().read_timeout().unwrap();
    writing.feed("last words").unwrap();
    let peer = thread::spawn(move || {
        let last = client.next_message().unwrap().unwrap();
        assert_eq!(last.text(), Some("last words"));
        assert!(client.next_message().unwrap().is_none());
        client.closed().unwrap()
    });
    let shutdown = reading.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean);
    assert_eq!(
        (shutdown.code, shutdown.by),
        (CloseCode::NORMAL, Side::Local)
    );
    let closed = peer.join().unwrap();
    assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
    assert!(writing.write("too late").unwrap_err().closed().is_some());
    assert_eq!(reading.closed(), writing.closed());
    assert_eq!(reading.stream().read_timeout().unwrap(), before);
}

#[test]
fn a_reading_half_does_not_wait_for_a_thread_that_is_stuck_in_a_write() {
    let (stream, silent) = tcp();
    fill(&stream);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (mut reading, mut writing) = server.split().unwrap();
    let (stuck, is_stuck) = channel();
    let writer = thread::spawn(move || {
        stuck.send(()).unwrap();
        writing.write(vec![7; 1 << 16])
    });
    is_stuck.recv_timeout(PATIENCE).unwrap();
    let (done, ended) = channel();
    let shutting = thread::spawn(move || {
        let shutdown = reading.shutdown(10 * SHORT);
        done.send(()).unwrap();
        shutdown
    });
    ended.recv_timeout(PATIENCE).unwrap();
    let shutdown = shutting.join().unwrap().unwrap();
    assert!(!shutdown.clean);
    assert_eq!(
        (shutdown.code, shutdown.by),
        (CloseCode::ABNORMAL, Side::Local)
    );
    drop(silent);
    writer.join().unwrap().unwrap_err();
}

#[test]
fn a_close_that_comes_while_another_thread_writes_ends_the_shutdown_of_the_reading_half() {
    let (server, client) = tcp();
    let server = WebSocket::server(server, Config::default()).unwrap();
    let config = Config::default().limits(Limits::UNLIMITED);
    let mut client = WebSocket::client(client, config).unwrap();
    let (mut reading, mut writing) = server.split().unwrap();
    let writer = thread::spawn(move || {
        let long = vec![7; 16 << 20];
        writing.write(&long).map(|()| writing.closed())
    });
    // The writer is in the middle of its message.
    assert_eq!(
        client.read_header().unwrap().unwrap().opcode(),
        Opcode::Binary
    );
    client.close(CloseCode::new(4000), "lunch").unwrap();
    let peer = thread::spawn(move || {
        while client.next_message().unwrap().is_some() {}
        client.closed().unwrap()
    });
    let shutdown = reading.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean, "{shutdown:?}");
    assert_eq!(shutdown.code, CloseCode::new(4000));
    let closed = reading.closed().unwrap();
    assert_eq!(closed.peer.unwrap().reason, "lunch");
    assert!(reading.next_message().unwrap().is_none());
    assert!(peer.join().unwrap().peer.is_some());
    writer.join().unwrap().unwrap();
}

#[test]
fn what_the_peer_has_said_before_costs_no_more_than_the_deadline() {
    let (stream, mut peer) = tcp();
    let other = stream.try_clone().unwrap();
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (mut reading, _writing) = server.split().unwrap();
    // A message and a Close, masked under the key 0, in one read.
    peer.write_all(b"\x82\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xE8")
        .unwrap();
    assert!(reading.next_message().unwrap().is_some());
    fill(&other);
    let (done, ended) = channel();
    let shutting = thread::spawn(move || {
        let shutdown = reading.shutdown(10 * SHORT);
        done.send(()).unwrap();
        shutdown
    });
    ended.recv_timeout(PATIENCE).unwrap();
    assert!(!shutting.join().unwrap().unwrap().clean);
}

#[test]
fn a_stream_that_takes_no_ping_is_noticed() {
    let (stream, _silent) = tcp();
    fill(&stream);
    stream.set_write_timeout(None).unwrap();
    let mut server = WebSocket::server(stream, Config::default()).unwrap();
    server.set_keep_alive(SHORT, 10 * SHORT).unwrap();
    let (tell, read) = channel();
    let reading = thread::spawn(move || {
        let error = server.next_message().map(drop).unwrap_err();
        tell.send(error).unwrap();
        server.into_inner().0.write_timeout().unwrap()
    });
    let error = read.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
    assert_eq!(reading.join().unwrap(), None, "as it was");
}

#[test]
fn a_peer_that_dies_after_this_end_has_closed_is_noticed() {
    let (mut server, mut client) = connected(tcp());
    // Other Pings fall due before the first has its deadline.
    server.set_keep_alive(10 * SHORT, 25 * SHORT).unwrap();
    thread::scope(|scope| {
        let peer = scope.spawn(|| {
            assert_eq!(
                client.read_header().unwrap().unwrap().opcode(),
                Opcode::Ping
            );
            client.write("only this").unwrap();
        });
        assert!(server.next_message().unwrap().is_some());
        peer.join().unwrap();
        server.close(CloseCode::NORMAL, "").unwrap();
        let error = server.next_message().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
    });
}

#[test]
fn time_outs_of_the_program_hold_and_are_there_again_at_the_end() {
    for time_out in each([None, Some(Duration::from_millis(20))]) {
        let (mut server, mut client) = connected(tcp());
        server.stream().set_read_timeout(time_out).unwrap();
        server.set_keep_alive(PATIENCE, PATIENCE).unwrap();
        if time_out.is_some() {
            assert!(server.next_message().unwrap_err().is_would_block());
        }
        client.write("something").unwrap();
        assert!(server.next_message().unwrap().is_some());
        assert!(server.stream().read_timeout().unwrap().is_some());
        let (stream, _) = server.into_inner();
        assert_eq!(stream.read_timeout().unwrap(), time_out);
    }
}

/// Fills the buffers of a stream that nobody reads.
fn fill(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    while (&*stream).write(&[0; 1 << 13]).is_ok() {}
    stream.set_nonblocking(false).unwrap();
}
