//! How `keep_alive` ends, and that it does not end while the peer answers.

use std::io::{Error as IoError, ErrorKind as Kind};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use framewire::blocking::{KeepAliveEnd, PingReply, ReadHalf};
use framewire::protocol::Role;
use framewire::{CloseCode, Config, ErrorKind, Opcode, WebSocket};
use support::each;
use support::frames::{BINARY, FIN, PING, PONG, frame};
use support::loopback::{PATIENCE, connected, tcp};
use support::oracle::frames_in;
use support::peer::ScriptedPeer;

const SHORT: Duration = Duration::from_millis(2);

/// Reads until the connection ends.
fn read(mut half: ReadHalf<TcpStream>) {
    while let Ok(Some(_)) = half.next_message() {}
}

#[test]
fn it_ends_when_told_to() {
    let (server, _client) = connected(tcp());
    let (_read, write) = server.split().unwrap();
    let beat = write.keep_alive(PATIENCE, PATIENCE);
    let pinging = thread::spawn(move || beat.run());
    write.stop_keep_alive();
    assert!(matches!(pinging.join().unwrap(), KeepAliveEnd::Stopped));
    let beat = write.keep_alive(PATIENCE, PATIENCE);
    write.stop_keep_alive();
    let before_it_runs = beat.run();
    assert!(matches!(before_it_runs, KeepAliveEnd::Stopped));
    let another = write.keep_alive(SHORT, Duration::ZERO).run();
    assert!(matches!(another, KeepAliveEnd::NoPong), "{another:?}");
}

#[test]
fn it_goes_on_while_the_peer_answers() {
    let (server, mut client) = connected(tcp());
    let (half, mut write) = server.split().unwrap();
    let (pinged, pings) = channel();
    client.on_ping(move |payload| {
        let _ = pinged.send(payload.to_vec());
        PingReply::Pong
    });
    thread::scope(|scope| {
        scope.spawn(move || read(half));
        let beat = write.keep_alive(SHORT, PATIENCE);
        let pinging = scope.spawn(move || beat.run());
        let answering = scope.spawn(move || client.next_message().unwrap().is_none());
        let numbers: Vec<_> = (0..20)
            .map(|_| pings.recv_timeout(PATIENCE).unwrap())
            .collect();
        let expected: Vec<_> = (1..=20_u64)
            .map(|number| number.to_be_bytes().to_vec())
            .collect();
        assert_eq!(numbers, expected);
        assert!(!pinging.is_finished());
        write.stop_keep_alive();
        assert!(matches!(pinging.join().unwrap(), KeepAliveEnd::Stopped));
        write.close(CloseCode::NORMAL, "").unwrap();
        assert!(answering.join().unwrap());
    });
}

#[test]
fn a_peer_that_never_answers_is_noticed() {
    let (server, mut client) = connected(tcp());
    client.on_ping(|_| PingReply::Nothing);
    let (half, mut write) = server.split().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || read(half));
        let reading = scope.spawn(move || client.next_message().unwrap().is_none());
        let end = write.keep_alive(SHORT, 10 * SHORT).run();
        assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
        write.close(CloseCode::NORMAL, "").unwrap();
        assert!(reading.join().unwrap());
    });
}

#[test]
fn pongs_that_nobody_asked_for_answer_nothing() {
    let (server, mut client) = connected(tcp());
    client.on_ping(|_| PingReply::Nothing);
    for number in [0, 1, 2, 1000, u64::MAX] {
        client.pong(&number.to_be_bytes()).unwrap();
    }
    client.pong(b"").unwrap();
    client.write("after them").unwrap();
    let (mut half, write) = server.split().unwrap();
    half.next_message().unwrap().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || read(half));
        let end = write.keep_alive(SHORT, 10 * SHORT).run();
        assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
        drop(client);
    });
}

#[test]
fn the_latest_pong_answers_those_before_it() {
    let (server, mut client) = connected(tcp());
    let (half, mut write) = server.split().unwrap();
    let (pinged, pings) = sync_channel(1000);
    let mut seen = 0;
    client.on_ping(move |_| {
        seen += 1;
        let _ = pinged.try_send(());
        // Each fifth alone.
        if seen % 5 == 0 {
            PingReply::Pong
        } else {
            PingReply::Nothing
        }
    });
    thread::scope(|scope| {
        scope.spawn(move || read(half));
        // The first Ping would be overdue before the last of these.
        let beat = write.keep_alive(SHORT, 600 * SHORT);
        let pinging = scope.spawn(move || beat.run());
        scope.spawn(move || client.next_message().map(|_| ()));
        for _ in 0..700 {
            pings.recv_timeout(PATIENCE).unwrap();
        }
        assert!(!pinging.is_finished());
        write.close(CloseCode::NORMAL, "").unwrap();
    });
}

#[test]
fn a_ping_that_cannot_be_written_ends_it() {
    let (server, _client) = connected(tcp());
    let (half, write) = server.split().unwrap();
    half.stream().shutdown(Shutdown::Write).unwrap();
    match write.keep_alive(SHORT, PATIENCE).run() {
        KeepAliveEnd::WriteFailed(error) => {
            assert!(matches!(error.kind(), ErrorKind::Io(e) if e.kind() == Kind::BrokenPipe));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_ends_with_the_connection() {
    type End = fn(ReadHalf<TcpStream>, framewire::WebSocket<TcpStream>);
    let lost: End = |half, client| {
        drop(client);
        read(half);
    };
    let closed: End = |half, mut client| {
        client.close(CloseCode::NORMAL, "").unwrap();
        read(half);
    };
    let violated: End = |half, client| {
        let (stream, _) = client.into_inner();
        std::io::Write::write_all(&mut &stream, b"\xFF\xFF").unwrap();
        read(half);
    };
    let dropped: End = |half, _client| drop(half);
    for end in [lost, closed, violated, dropped] {
        let (server, client) = connected(tcp());
        let (half, write) = server.split().unwrap();
        thread::scope(|scope| {
            let pinging = scope.spawn(|| write.keep_alive(PATIENCE, PATIENCE).run());
            end(half, client);
            let ended = pinging.join().unwrap();
            assert!(matches!(ended, KeepAliveEnd::Ended), "{ended:?}");
        });
    }
}

#[test]
fn a_second_call_stops_the_first() {
    let (server, _client) = connected(tcp());
    let (_half, write) = server.split().unwrap();
    thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| write.keep_alive(PATIENCE, PATIENCE).run()));
        while !calls.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::yield_now();
        }
        write.stop_keep_alive();
        for call in calls {
            assert!(matches!(call.join().unwrap(), KeepAliveEnd::Stopped));
        }
    });
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let (server, client) = connected(tcp());
    let (_half, write) = server.split().unwrap();
    // Else a Ping would fail.
    drop(client);
    match write.keep_alive(Duration::ZERO, PATIENCE).run() {
        KeepAliveEnd::WriteFailed(error) => {
            assert!(matches!(error.kind(), ErrorKind::Config(_)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_longer_than_the_clock_can_tell_are_as_good_as_none() {
    for interval in each([SHORT, Duration::MAX]) {
        let (server, mut client) = connected(tcp());
        let (_half, write) = server.split().unwrap();
        thread::scope(|scope| {
            let beat = write.keep_alive(interval, Duration::MAX);
            let pinging = scope.spawn(move || beat.run());
            if interval == SHORT {
                let mut buf = [0; 8];
                for _ in 0..2 {
                    let frame = client.read_frame(&mut buf).unwrap().unwrap();
                    assert_eq!(frame.header().opcode(), Opcode::Ping);
                }
            }
            write.stop_keep_alive();
            assert!(matches!(pinging.join().unwrap(), KeepAliveEnd::Stopped));
        });
    }
}

/// A stream that is in the middle of writing a binary message until it is told to go on.
struct Busy {
    stream: ScriptedPeer,
    begun: Receiver<()>,
    go_on: Sender<()>,
}

impl Busy {
    fn new(ping: impl Fn() -> Result<(), IoError> + Send + Sync + 'static) -> Self {
        let (begin, has_begun) = channel();
        let (go_on, gate) = channel();
        let gate = Mutex::new(gate);
        let stream = ScriptedPeer::default()
            .blocking()
            .before_writes(move |_, bytes| {
                match bytes[0] {
                    first if first == FIN | BINARY => {
                        begin.send(()).unwrap();
                        gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                    }
                    first if first == FIN | PING => ping()?,
                    _ => {}
                }
                Ok(())
            });
        Self {
            stream,
            begun: has_begun,
            go_on,
        }
    }

    /// How a heartbeat ends whose every Pong is due at once, and that begins during the write.
    fn keep_alive(self) -> (KeepAliveEnd, Vec<u8>) {
        let server = WebSocket::server(self.stream.clone(), Config::default()).unwrap();
        let (_half, mut write) = server.split().unwrap();
        let pinging = write.clone();
        let end = thread::scope(|scope| {
            scope.spawn(|| write.write(b"slow").unwrap());
            self.begun.recv_timeout(PATIENCE).unwrap();
            let (end, ended) = channel();
            let beat = pinging.keep_alive(SHORT, Duration::ZERO);
            scope.spawn(move || end.send(beat.run()).unwrap());
            let early = ended.recv_timeout(10 * SHORT);
            self.go_on.send(()).unwrap();
            assert!(early.is_err(), "{early:?} before any Ping was sent");
            ended.recv_timeout(PATIENCE).unwrap()
        });
        (end, self.stream.written())
    }
}

#[test]
fn the_pong_of_a_ping_that_waits_for_a_write_is_due_once_it_is_sent() {
    let (end, sent) = Busy::new(|| Ok(())).keep_alive();
    assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
    let first_bytes: Vec<_> = frames_in(&sent).iter().map(|(first, _)| *first).collect();
    assert_eq!(first_bytes, [FIN | BINARY, FIN | PING]);
}

#[test]
fn the_error_of_a_ping_that_waited_for_a_write_ends_it() {
    let busy = Busy::new(|| Err(IoError::new(Kind::BrokenPipe, "at the ping itself")));
    match busy.keep_alive().0 {
        KeepAliveEnd::WriteFailed(error) => {
            let ErrorKind::Io(error) = error.kind() else {
                panic!("{error:?}");
            };
            assert_eq!(error.to_string(), "at the ping itself");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ping_that_would_block_has_no_pong_to_wait_for() {
    let blocked = AtomicUsize::new(0);
    let stream = ScriptedPeer::default()
        .blocking()
        .before_writes(move |_, _| match blocked.fetch_add(1, Ordering::SeqCst) {
            0..5 => Err(Kind::WouldBlock.into()),
            _ => Ok(()),
        });
    let server = WebSocket::server(stream.clone(), Config::default()).unwrap();
    let (_half, mut write) = server.split().unwrap();
    write.write("taken").unwrap();
    let end = write.keep_alive(SHORT, Duration::ZERO).run();
    assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
    assert_eq!(frames_in(&stream.written()).last().unwrap().0, FIN | PING);
}

#[test]
fn a_pong_that_comes_before_its_ping_was_written_counts() {
    const PINGS: usize = 3;
    let (note, noted) = channel();
    let noted = Mutex::new(noted);
    // The peer has answered, and the reading half has heard it, before the write is done.
    let stream = ScriptedPeer::default()
        .blocking()
        .before_writes(move |stream, bytes| {
            if bytes[0] == FIN | PING {
                stream.say(frame(Role::Client, FIN | PONG, &bytes[2..]));
                noted.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            Ok(())
        });
    let server = WebSocket::server(stream.clone(), Config::default()).unwrap();
    let (mut half, write) = server.split().unwrap();
    let stopping = write.clone();
    let mut pongs = 0;
    half.on_pong(move |_| {
        pongs += 1;
        if pongs == PINGS {
            stopping.stop_keep_alive();
        }
        note.send(()).unwrap();
    });
    thread::scope(|scope| {
        scope.spawn(move || half.next_message().map(drop).unwrap_err());
        let end = write.keep_alive(SHORT, Duration::ZERO).run();
        write.abort().unwrap();
        assert!(matches!(end, KeepAliveEnd::Stopped), "{end:?}");
    });
    assert_eq!(frames_in(&stream.written()).len(), PINGS);
}
