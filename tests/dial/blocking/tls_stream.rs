//! TLS over a stream that cuts, stalls and ends as it likes: nothing lost, nothing waits for nothing.

use crate::servers::certificates::Authority;
use crate::servers::pipe::{Behaviour, Pipe, pipe};
use crate::servers::{PATIENCE, pattern};
use framewire::rustls::ClientConnection;
use framewire::upgrade::{Limits, PendingUpgrade, TlsStream, UpgradeErrorKind};
use framewire::{CloseCode, Config, Duplicate, Fault, Socket, WebSocket, rustls};
use http::{Request, Response};
use std::io::{self, IoSlice, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::each;

type Stream = TlsStream<Pipe>;

/// A server and its client, past the handshake, with the pipes beneath.
fn connected() -> (Stream, Stream) {
    let authority = Authority::new();
    let (server, client) = pipe(Behaviour::default());
    let config = authority.server(&["a.example"]);
    let server = thread::spawn(move || TlsStream::accept(server, config, PATIENCE).unwrap());
    let client = TlsStream::connect(client, "a.example", authority.client(), PATIENCE).unwrap();
    let mut server = server.join().unwrap();
    let mut client = client;
    // What a server sends after the handshake is out of the way.
    server.write_all(b"!").unwrap();
    client.read_exact(&mut [0]).unwrap();
    (server, client)
}

/// A server, and a client of rustls alone, to do what the library does not.
fn with_bare_client() -> (Stream, Bare) {
    let authority = Authority::new();
    let (server, mut client) = pipe(Behaviour::default());
    let config = authority.server(&["a.example"]);
    let server = thread::spawn(move || TlsStream::accept(server, config, PATIENCE).unwrap());
    let name = "a.example".try_into().unwrap();
    let mut session = ClientConnection::new(authority.client(), name).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut client).unwrap();
    }
    let server = server.join().unwrap();
    (server, Bare { session, client })
}

struct Bare {
    session: ClientConnection,
    client: Pipe,
}

impl Bare {
    fn stream(&mut self) -> rustls::Stream<'_, ClientConnection, Pipe> {
        rustls::Stream::new(&mut self.session, &mut self.client)
    }
}

fn is_would_block(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// As a caller should: goes on where a call would block.
fn write_all(stream: &mut Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => assert!(is_would_block(&error), "{error}"),
        }
    }
    while let Err(error) = stream.flush() {
        assert!(is_would_block(&error), "{error}");
    }
}

fn read_exact(stream: &mut Stream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match stream.read(&mut bytes[done..]) {
            Ok(0) => panic!("ended at {done}"),
            Ok(count) => done += count,
            Err(error) => assert!(is_would_block(&error), "{error}"),
        }
    }
    bytes
}

#[test]
fn both_directions_at_once_however_they_are_cut_and_stalled() {
    for (capacity, at_most, stall_one_in, len) in each([
        (1 << 16, usize::MAX, 0, 4 << 20),
        (1 << 14, 5000, 3, 2 << 20),
        (100, 50, 2, 100_000),
        (7, 7, 4, 20_000),
    ]) {
        let (server, client) = connected();
        for stream in [&server, &client] {
            stream.get_ref().behave(|behaviour| {
                *behaviour = Behaviour {
                    capacity,
                    at_most,
                    stall_one_in,
                    ..*behaviour
                };
            });
        }
        let bytes = pattern(len);
        thread::scope(|scope| {
            for stream in [server, client] {
                let (mut reader, mut writer) = (stream.duplicate().unwrap(), stream);
                let bytes = &bytes;
                scope.spawn(move || write_all(&mut writer, bytes));
                scope.spawn(move || assert!(read_exact(&mut reader, len) == *bytes));
            }
        });
    }
}

#[test]
fn time_out_after_any_byte_of_a_record_loses_nothing() {
    let (mut server, mut client) = connected();
    client.get_ref().behave(|behaviour| {
        behaviour.stall_one_in = 2;
        behaviour.at_most = 1;
    });
    write_all(&mut server, &pattern(1000));
    assert_eq!(read_exact(&mut client, 1000), pattern(1000));
    write_all(&mut client, &pattern(1000));
    assert_eq!(read_exact(&mut server, 1000), pattern(1000));
}

#[test]
fn payload_that_was_taken_is_bounded_and_kept_until_there_is_room() {
    let (mut server, mut client) = connected();
    server
        .get_ref()
        .behave(|behaviour| behaviour.capacity = 1000);
    server
        .set_write_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let bytes = pattern(1 << 20);
    let taken = server.write(&bytes).unwrap();
    assert!(taken > 0 && taken <= 64 << 10, "{taken}");
    for _ in 0..3 {
        assert!(is_would_block(&server.write(&bytes).unwrap_err()));
        assert!(is_would_block(&server.flush().unwrap_err()));
    }
    let reader = thread::spawn(move || read_exact(&mut client, 1 << 20));
    write_all(&mut server, &bytes[taken..]);
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn time_outs_are_those_that_were_set() {
    let (server, _client) = connected();
    assert_eq!(server.read_timeout().unwrap(), None);
    assert_eq!(server.write_timeout().unwrap(), None);
    server.set_read_timeout(Some(TIME)).unwrap();
    server.set_write_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(server.read_timeout().unwrap(), Some(TIME));
    assert_eq!(server.write_timeout().unwrap(), Some(PATIENCE));
}

#[test]
fn what_is_shown_of_a_stream_is_the_one_beneath() {
    let (server, _client) = connected();
    let shown = format!("TlsStream {{ socket: {:?}, .. }}", server.get_ref());
    assert_eq!(format!("{server:?}"), shown);
}

#[test]
fn time_out_bounds_a_call_however_many_pieces_a_record_comes_in() {
    let (mut server, mut client) = connected();
    server.write_all(&pattern(10_000)).unwrap();
    let sealed = server.get_ref().not_read();
    client.get_ref().behave(|behaviour| *behaviour = SLOW);
    client.set_read_timeout(Some(TIME)).unwrap();
    let started = Instant::now();
    assert!(is_would_block(&client.read(&mut [0]).unwrap_err()));
    assert!(started.elapsed() >= TIME);
    let read = sealed - server.get_ref().not_read();
    assert!((1..=MOST).contains(&read), "{read}");
    // What was left of it for the last piece is not what stays set.
    assert_eq!(client.get_ref().read_timeout(), Some(TIME));
    client
        .get_ref()
        .behave(|behaviour| *behaviour = Behaviour::default());
    assert_eq!(read_exact(&mut client, 10_000), pattern(10_000));
}

#[test]
fn time_out_bounds_a_write_that_the_peer_takes_in_pieces() {
    let (mut server, _client) = connected();
    server.get_ref().behave(|behaviour| *behaviour = SLOW);
    server.set_write_timeout(Some(TIME)).unwrap();
    let started = Instant::now();
    assert_eq!(server.write(&pattern(10_000)).unwrap(), 10_000);
    assert!(started.elapsed() >= TIME);
    let written = server.get_ref().not_read();
    assert!((1..=MOST).contains(&written), "{written}");
    assert_eq!(server.get_ref().write_timeout(), Some(TIME));
}

#[test]
fn answer_of_a_server_is_written_within_its_time() {
    let (server, _client) = connected();
    let pipe = server.get_ref().clone();
    pipe.behave(|behaviour| *behaviour = SLOW);
    let limits = Limits::default().time(TIME);
    let request = Request::get("/").header("host", "a").body(()).unwrap();
    let pending = PendingUpgrade::from_parts(server, Vec::new(), &request, &limits);
    let page = Response::builder().status(404).body(pattern(40_000));
    let error = pending.refuse(&page.unwrap()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TimedOut);
    let written = pipe.not_read();
    assert!((1..=MOST).contains(&written), "{written}");
}

/// A byte with each call, which takes its time.
const SLOW: Behaviour = Behaviour {
    capacity: 1 << 16,
    at_most: 1,
    stall_one_in: 0,
    takes: Duration::from_millis(5),
};
/// A limit of time.
const TIME: Duration = Duration::from_millis(100);
/// What a slow stream moves within it, however slow the machine is besides: a call takes its time at least, and the
/// last one may begin when hardly any is left. A limit for each call would let all of a record through, and one that
/// begins anew, twice as much.
const MOST: usize = 21;

#[test]
fn vectored_write_is_sealed_together() {
    let (mut server, mut client) = connected();
    let slices = [b"ab".as_slice(), b"", b"cde"].map(IoSlice::new);
    assert_eq!(server.write_vectored(&slices).unwrap(), 5);
    assert_eq!(server.write_vectored(&[]).unwrap(), 0);
    assert_eq!(server.write(&[]).unwrap(), 0);
    // One record is opened by one read.
    let mut buf = [0; 9];
    assert_eq!(client.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"abcde");
    assert_eq!(client.read(&mut []).unwrap(), 0);
}

#[test]
fn one_read_gives_all_records_that_have_arrived() {
    let (mut server, mut client) = connected();
    for number in 0..100 {
        server.write_all(&[number]).unwrap();
    }
    let mut buf = [0; 200];
    assert_eq!(client.read(&mut buf).unwrap(), 100);
    assert!(buf[..100].iter().copied().eq(0..100));
}

#[test]
fn reader_that_has_to_answer_does_not_wait_for_a_writer_that_is_stuck() {
    let (server, mut client) = with_bare_client();
    let (mut reader, mut writer) = (server.duplicate().unwrap(), server);
    let pipe = writer.get_ref().clone();
    let stuck = thread::spawn(move || writer.write_all(&pattern(1 << 20)));
    pipe.wait_for_stuck_writer();
    client.client.write_all(NOT_SEALED).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        tell.send(reader.read(&mut [0]).unwrap_err()).unwrap();
        reader
    });
    let error = told.recv_timeout(PATIENCE / 3).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.get_ref().unwrap().is::<rustls::Error>());
    // It fails again in the same way, and the writer's next payload too; the alert goes out.
    let mut reader = reader.join().unwrap();
    assert_eq!(
        reader.read(&mut [0]).unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
    let mut sink = Vec::new();
    let error = client.stream().read_to_end(&mut sink).unwrap_err();
    assert_eq!(error.to_string(), BAD_RECORD.to_string());
    let error = stuck.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(sink == pattern(1 << 20)[..sink.len()]);
}

#[test]
fn reader_with_a_time_out_does_not_wait_for_a_full_socket() {
    let (mut server, mut client) = with_bare_client();
    server
        .get_ref()
        .behave(|behaviour| behaviour.capacity = 1000);
    let short = Duration::from_millis(5);
    server.set_write_timeout(Some(short)).unwrap();
    assert_eq!(server.write(&pattern(40_000)).unwrap(), 40_000);
    server.set_write_timeout(Some(PATIENCE)).unwrap();
    server.set_read_timeout(Some(short)).unwrap();
    client.client.write_all(NOT_SEALED).unwrap();
    let started = Instant::now();
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(started.elapsed() < PATIENCE / 3);
    assert_eq!(server.get_ref().write_timeout(), Some(PATIENCE));
    // The next write sends the alert.
    let writer = thread::spawn(move || server.flush());
    let mut sink = Vec::new();
    let error = client.stream().read_to_end(&mut sink).unwrap_err();
    assert_eq!(error.to_string(), BAD_RECORD.to_string());
    assert!(sink == pattern(40_000)[..sink.len()]);
    writer.join().unwrap().unwrap();
}

#[test]
fn reader_that_has_to_answer_does_so_where_nobody_writes() {
    let (mut server, mut client) = with_bare_client();
    client.client.write_all(NOT_SEALED).unwrap();
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let error = client.stream().read(&mut [0]).unwrap_err();
    assert_eq!(error.to_string(), BAD_RECORD.to_string());
}

#[test]
fn payload_before_a_broken_record_or_an_alert_is_read_first() {
    for is_alert in [false, true] {
        let (mut server, mut client) = with_bare_client();
        client.session.writer().write_all(b"last words").unwrap();
        let mut wire = Vec::new();
        if is_alert {
            client.session.read_tls(&mut &*NOT_SEALED).unwrap();
            client.session.process_new_packets().unwrap_err();
        }
        while client.session.wants_write() {
            client.session.write_tls(&mut wire).unwrap();
        }
        if !is_alert {
            wire.extend_from_slice(NOT_SEALED);
        }
        // In one piece.
        client.client.write_all(&wire).unwrap();
        assert_eq!(server.read(&mut [0; 100]).unwrap(), 10);
        for _ in 0..2 {
            let error = server.read(&mut [0; 100]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}

/// A record that cannot be opened, and what it is answered with.
const NOT_SEALED: &[u8] = b"\x17\x03\x03\0\x20not sealed with anybody's key...";
const BAD_RECORD: rustls::Error =
    rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac);

#[test]
fn reader_is_in_nobodys_way_while_it_waits() {
    let (server, mut client) = connected();
    let (mut reader, mut writer) = (server.duplicate().unwrap(), server);
    let reader = thread::spawn(move || read_exact(&mut reader, 4));
    for _ in 0..3 {
        writer.write_all(b"ping").unwrap();
        assert_eq!(read_exact(&mut client, 4), b"ping");
    }
    client.write_all(b"pong").unwrap();
    assert_eq!(reader.join().unwrap(), b"pong");
}

#[test]
fn keys_can_be_changed_while_both_ends_speak() {
    let (mut server, mut client) = with_bare_client();
    for round in 0..3_u8 {
        client.session.refresh_traffic_keys().unwrap();
        client.stream().write_all(&[round]).unwrap();
        assert_eq!(read_exact(&mut server, 1), [round]);
        server.write_all(&[round, round]).unwrap();
        let mut two = [0; 2];
        client.stream().read_exact(&mut two).unwrap();
        assert_eq!(two, [round; 2]);
    }
    // The answer to the last change goes out with the close.
    client.session.refresh_traffic_keys().unwrap();
    client.stream().write_all(b"x").unwrap();
    assert_eq!(read_exact(&mut server, 1), b"x");
    server.shutdown_write().unwrap();
    assert_eq!(client.stream().read(&mut [0]).unwrap(), 0);
}

#[test]
fn shutdown_of_the_writing_side_is_a_clean_end_for_the_peer_alone() {
    let (mut server, mut client) = connected();
    server.write_all(b"last").unwrap();
    server.shutdown_write().unwrap();
    server.shutdown_write().unwrap();
    assert_eq!(
        server.write(b"x").unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), client.read(&mut [0]).unwrap()), ("last", 0));
    client.write_all(b"more").unwrap();
    assert_eq!(read_exact(&mut server, 4), b"more");
}

#[test]
fn end_without_close_notify_is_unexpected_after_all_that_came_before() {
    let (mut server, mut client) = connected();
    server.write_all(b"last").unwrap();
    server.abort().unwrap();
    assert_eq!(read_exact(&mut client, 4), b"last");
    for _ in 0..2 {
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn shutdown_of_both_sides_does_not_wait_for_a_writer_that_is_stuck() {
    let (server, _client) = connected();
    let (other, mut writer) = (server.duplicate().unwrap(), server);
    let pipe = writer.get_ref().clone();
    let stuck = thread::spawn(move || writer.write_all(&pattern(1 << 20)));
    pipe.wait_for_stuck_writer();
    other.abort().unwrap();
    let error = stuck.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn write_to_a_connection_that_is_gone_fails_at_once() {
    let (mut server, client) = connected();
    client.abort().unwrap();
    let error = server.write(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn shutdown_of_a_half_does_not_wait_for_a_close_that_is_stuck() {
    let (server, _client) = connected();
    let pipe = server.get_ref().clone();
    let websocket = WebSocket::server(server, Config::default()).unwrap();
    let (mut reader, mut writer) = websocket.split().unwrap();
    let handle = writer.clone();
    pipe.behave(|behaviour| behaviour.capacity = 0);
    let stuck = thread::spawn(move || writer.close(CloseCode::NORMAL, ""));
    pipe.wait_for_stuck_writer();
    let (result, ended) = mpsc::channel();
    let closing = thread::spawn(move || {
        let shutdown = reader.shutdown(Duration::from_millis(20));
        result.send(shutdown).unwrap();
    });
    let shutdown = ended.recv_timeout(PATIENCE / 2);
    handle.abort().unwrap();
    closing.join().unwrap();
    let shutdown = shutdown.expect("it ends at its deadline").unwrap();
    assert!(!shutdown.clean);
    stuck.join().unwrap().unwrap_err();
}

#[test]
fn what_one_handle_has_read_another_can_go_on_with() {
    let (mut server, client) = connected();
    let (mut first, mut second) = (client.duplicate().unwrap(), client);
    server.write_all(&pattern(40_000)).unwrap();
    assert_eq!(read_exact(&mut first, 10), pattern(10));
    assert!(read_exact(&mut second, 30_000) == pattern(30_010)[10..]);
    assert!(read_exact(&mut first, 9_990) == pattern(40_000)[30_010..]);
}

#[test]
fn server_gives_up_on_a_client_that_says_nothing_or_something_else() {
    let config = Authority::new().server(&["a.example"]);
    let (server, _client) = pipe(Behaviour::default());
    let error = TlsStream::accept(server, config.clone(), Duration::from_millis(20)).unwrap_err();
    assert_eq!(
        (error.kind(), error.fault()),
        (UpgradeErrorKind::TimedOut, Fault::Peer)
    );
    assert_eq!(
        error.to_string(),
        "tls handshake with client was not done within the limit of 20ms"
    );

    let (server, mut client) = pipe(Behaviour::default());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = TlsStream::accept(server, config.clone(), PATIENCE).unwrap_err();
    assert_eq!(
        (error.kind(), error.fault()),
        (UpgradeErrorKind::Tls, Fault::Peer)
    );
    assert_eq!(
        error.to_string(),
        "client does not speak TLS: it has to connect with TLS \
         (received corrupt message of type InvalidContentType)"
    );

    let (server, client) = pipe(Behaviour::default());
    client.abort().unwrap();
    let error = TlsStream::accept(server, config, PATIENCE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "client ended the connection in the tls handshake"
    );
}

#[test]
fn slow_handshake_ends_at_the_deadline_however_much_moves() {
    let (server, client) = pipe(Behaviour::default());
    server.behave(|behaviour| {
        behaviour.at_most = 1;
        behaviour.takes = Duration::from_millis(5);
    });
    let authority = Authority::new();
    let config = authority.server(&["a.example"]);
    thread::spawn(move || TlsStream::connect(client, "a.example", authority.client(), PATIENCE));
    let error = TlsStream::accept(server, config, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TimedOut);
}

#[test]
fn bytes_that_come_with_the_handshake_are_not_lost() {
    let authority = Authority::new();
    let (server, client) = pipe(Behaviour::default());
    let config = authority.server(&["a.example"]);
    // Long enough for what the client sends after its last flight to be there with that.
    server.behave(|behaviour| behaviour.takes = Duration::from_millis(20));
    let client = thread::spawn(move || {
        let mut client =
            TlsStream::connect(client, "a.example", authority.client(), PATIENCE).unwrap();
        client.write_all(&pattern(20_000)).unwrap();
        client
    });
    let mut server = TlsStream::accept(server, config, PATIENCE).unwrap();
    assert!(read_exact(&mut server, 20_000) == pattern(20_000));
    assert!(server.inspect(|session| session.alpn_protocol().is_none()));
    drop(client.join().unwrap());
}
