use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use framewire::ErrorKind;
use framewire::handshake::Connector;

use crate::server::{DEADLINE, Engine, Server, eventually, is_ended};

with_all_engines_at_once! {
    a_full_server_answers_503_until_a_connection_ends,
    a_full_server_still_has_its_page,
    half_sent_handshakes_keep_nobody_out,
    without_file_descriptors_it_serves_those_it_has_and_goes_on,
}

fn a_full_server_answers_503_until_a_connection_ends(engine: Engine) {
    let server = Server::start(engine, &["--max-connections", "2"]);
    let first = server.connect();
    let _second = server.connect();
    let error = server.try_connect(&Connector::new()).unwrap_err();
    let ErrorKind::Handshake(refusal) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(refusal.status().unwrap(), 503);
    drop(first);
    eventually("a free place", || {
        server.try_connect(&Connector::new()).ok()
    });
}

fn a_full_server_still_has_its_page(engine: Engine) {
    let server = Server::start(engine, &["--max-connections", "1"]);
    let _only = server.connect();
    let answer = server.answer("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "));
}

fn half_sent_handshakes_keep_nobody_out(engine: Engine) {
    let server = Server::start(engine, &["--max-connections", "1"]);
    let mut waiting: Vec<TcpStream> = (0..400).map(|_| server.tcp()).collect();
    for stream in &mut waiting {
        // The server has ended the oldest of them already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n");
    }
    // Sooner than the limit of time ends any of them.
    let started = Instant::now();
    server.connect();
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(is_ended(&mut waiting[0]));
}

fn without_file_descriptors_it_serves_those_it_has_and_goes_on(engine: Engine) {
    let (server, log) = Server::start_with_few_files(engine, 48);
    let uri = format!("ws://{}/", server.address);
    let second = Some(Duration::from_secs(1));
    // Until it says that none is left, whether or not there is a client that waits for one.
    let mut open = Vec::new();
    let mut lines = Vec::new();
    while !lines.iter().any(|line: &String| line.starts_with(FAILURE)) {
        let stream = server.tcp();
        stream.set_read_timeout(second).unwrap();
        open.extend(framewire::connect_stream(stream, &uri));
        assert!(open.len() < 48);
        lines.extend(log.so_far());
    }
    // These wait in the listener's queue.
    let queued: Vec<TcpStream> = (0..8).map(|_| server.tcp()).collect();
    // One that tries again and again uses up all that it gets of any such time, on a busy machine a fifth or so.
    let rests = (0..3).any(|_| {
        let before = server.cpu_time();
        // What it spends while nothing happens is counted: it is time itself that has to pass.
        thread::sleep(Duration::from_millis(500));
        server.cpu_time().saturating_sub(before) <= Duration::from_millis(20)
    });
    assert!(rests, "half a second with hardly any processor time");
    for websocket in &mut open {
        websocket.stream().set_read_timeout(Some(DEADLINE)).unwrap();
        websocket.write("still").unwrap();
        let echo = websocket.next_message().unwrap().unwrap();
        assert_eq!(echo.text(), Some("still"));
    }
    lines.extend(log.so_far());
    lines.retain(|line| line.starts_with(FAILURE));
    // It says so once, and has not ended each handshake for another that there was not. On a busy machine it may have
    // ended one or two that took too long.
    assert!(lines.len() <= 3, "{lines:?}");
    drop((open, queued));
    eventually("a connection", || {
        server.try_connect(&Connector::new()).ok()
    });
}

const FAILURE: &str = "cannot take connections: ";
