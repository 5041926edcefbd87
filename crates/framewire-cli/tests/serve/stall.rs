//! Peers that take nothing, or little, of what they are sent.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use framewire::WebSocket;
use framewire::protocol::Role;
use socket2::{Domain, Socket, Type};
use support::frames::{BINARY, FIN, frame};

use crate::server::{DEADLINE, Engine, Server, eventually, is_reset};

with_all_engines_at_once! {
    one_that_takes_nothing_is_ended_and_others_are_served,
    one_that_takes_nothing_and_sends_nothing_more_is_ended,
    one_that_takes_a_little_at_a_time_is_not_ended,
    one_that_floods_and_never_reads_is_ended_soon_after_the_limit,
}

/// What the system buffers does not put it off. That would do so each time, and a slow machine does now and then.
fn one_that_floods_and_never_reads_is_ended_soon_after_the_limit(engine: Engine) {
    let limit = Duration::from_secs(4);
    let server = Server::start(engine, &["--write-timeout", "4"]);
    let waited: Vec<_> = (0..3)
        .map(|_| flood_until_ended(&server))
        .take_while(|waited| {
            assert!(*waited >= limit, "{waited:?}");
            *waited >= limit * 3 / 2
        })
        .collect();
    assert!(waited.len() < 3, "{waited:?}");
}

fn flood_until_ended(server: &Server) -> Duration {
    let mut stream = server.connect_raw();
    let message = frame(Role::Client, FIN | BINARY, &vec![7; 64 << 10]);
    let started = Instant::now();
    while stream.write_all(&message).is_ok() {
        assert!(started.elapsed() < DEADLINE, "it goes on");
    }
    started.elapsed()
}

fn one_that_takes_nothing_and_sends_nothing_more_is_ended(engine: Engine) {
    let server = Server::start(engine, &["--write-timeout", "0.5"]);
    let mut stream = server.connect_raw();
    stream
        .write_all(&frame(Role::Client, FIN | BINARY, &vec![7; LARGE]))
        .unwrap();
    eventually("a reset", || is_reset(&stream).then_some(()));
    server.connect();
}

fn one_that_takes_nothing_is_ended_and_others_are_served(engine: Engine) {
    let server = Server::start(engine, &["--write-timeout", "0.5"]);
    let mut other = server.connect();
    let mut flooding = server.connect_raw();
    let (started, ended) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let burst = frame(Role::Client, FIN | BINARY, &[7; 8192]).repeat(8);
            let error = loop {
                if let Err(error) = flooding.write_all(&burst) {
                    break error;
                }
            };
            ended.store(true, Ordering::Relaxed);
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
        });
        while !ended.load(Ordering::Relaxed) && started.elapsed() < DEADLINE {
            other.write("me too").unwrap();
            let echo = other.next_message().unwrap().unwrap();
            assert_eq!(echo.text(), Some("me too"));
        }
    });
    assert!(started.elapsed() >= Duration::from_millis(500));
    other.write("still").unwrap();
    let echo = other.next_message().unwrap().unwrap();
    assert_eq!(echo.text(), Some("still"));
}

fn one_that_takes_a_little_at_a_time_is_not_ended(engine: Engine) {
    let (small, large) = (vec![7; 8 << 10], vec![7; LARGE]);
    for (payload, count) in [(&small, LARGE / small.len()), (&large, 1)] {
        let mut limits = [0.5, 2.0, 8.0].into_iter();
        // A busy machine may let a limit pass between two reads: then a longer one is tried.
        while let Err(pause) = take_a_little(engine, limits.next().unwrap(), payload, count) {
            println!("{pause:?} have passed between two reads");
        }
    }
}

/// Has messages echoed, and takes little for two and a half times the limit, in seconds, and then the rest. Fails with
/// the longest time between two reads where that is as long as the limit.
fn take_a_little(engine: Engine, limit: f64, payload: &[u8], count: usize) -> Result<(), Duration> {
    let server = Server::start(engine, &["--write-timeout", &limit.to_string()]);
    let websocket = connect_with_small_buffer(&server);
    let limit = Duration::from_secs_f64(limit);
    let mut longest = Duration::ZERO;
    let end = thread::scope(|scope| {
        let mut reading = websocket.stream();
        let message = frame(Role::Client, FIN | BINARY, payload);
        let mut writing = websocket.stream();
        let written = scope.spawn(move || (0..count).try_for_each(|_| writing.write_all(&message)));
        let started = Instant::now();
        let mut little = vec![0; LITTLE];
        let mut taken = 0;
        while started.elapsed() < 5 * limit / 2 {
            let last = Instant::now();
            reading.read_exact(&mut little)?;
            taken += LITTLE;
            // It is time itself that has to pass.
            thread::sleep(limit / 10);
            longest = longest.max(last.elapsed());
        }
        let header = if payload.len() < 1 << 16 { 4 } else { 10 };
        let mut rest = vec![0; count * (payload.len() + header) - taken];
        reading.read_exact(&mut rest)?;
        written.join().unwrap()
    });
    if end.is_err() && longest >= limit {
        return Err(longest);
    }
    end.unwrap();
    Ok(())
}

/// One whose system takes a little at a time, too.
fn connect_with_small_buffer(server: &Server) -> WebSocket<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(128 << 10).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let socket: TcpStream = socket.into();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    let uri = format!("ws://{}/", server.address);
    framewire::connect_stream(socket, &uri).unwrap()
}

/// Its echo is more than the system holds.
const LARGE: usize = 16 << 20;
const LITTLE: usize = 64 << 10;
