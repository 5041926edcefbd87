//! The examples do what they say.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use async_io::Async;
use framewire::frame::Rsv;
use framewire::handshake::{Acceptor, Connector};
use framewire::{CloseCode, Config, Opcode, Side, WebSocket};
use framewire::{Error, ErrorKind};
use futures_lite::future;
use support::loopback::PATIENCE;
use support::pattern;

macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(dead_code, reason = "its main is for the command line")]
        mod $name;
    };
}
example!(axum, "../../crates/framewire/examples/axum.rs");
example!(broadcast, "../../crates/framewire/examples/broadcast.rs");
example!(client, "../../crates/framewire/examples/client.rs");
example!(
    custom_engine,
    "../../crates/framewire/examples/custom_engine.rs"
);
example!(
    echo_server,
    "../../crates/framewire/examples/echo_server.rs"
);
example!(event_loop, "../../crates/framewire/examples/event_loop.rs");
example!(futures_io, "../../crates/framewire/examples/futures_io.rs");
example!(relay, "../../crates/framewire/examples/relay.rs");

/// Runs a server for as long as the tests run.
fn serve<T>(run: impl FnOnce(TcpListener) -> T + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || drop(run(listener)));
    address
}

fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    shake_hands(TcpStream::connect(address).unwrap(), address)
}

fn shake_hands(stream: TcpStream, address: SocketAddr) -> WebSocket<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let uri = format!("ws://{address}/");
    framewire::connect_stream(stream, &uri).unwrap()
}

/// Messages of all sizes there and back, a Ping in between, and a clean end.
fn assert_echoes(address: SocketAddr) {
    let mut websocket = connect(address);
    for len in [0, 1, 125, 126, 5000, 70_000, 1 << 20] {
        websocket.write(pattern(len)).unwrap();
        websocket.ping(b"?").unwrap();
        let message = websocket.next_message().unwrap().unwrap();
        assert!(message.payload() == pattern(len), "{len}");
    }
    websocket
        .write_frame(false, Rsv::NONE, Opcode::Text, b"in ")
        .unwrap();
    websocket
        .write_frame(true, Rsv::NONE, Opcode::Continuation, b"pieces")
        .unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("in pieces")
    );
    let shutdown = websocket.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean);
    assert_eq!(
        (shutdown.code, shutdown.by),
        (CloseCode::NORMAL, Side::Local)
    );
}

#[test]
fn echo_server_echoes() {
    let address = serve(|listener| echo_server::run(&listener));
    assert_echoes(address);
    assert_echoes(address);
}

#[test]
fn client_sends_its_arguments_and_gets_them_back() {
    let address = serve(|listener| echo_server::run(&listener));
    let uri = format!("ws://{address}/");
    let texts = ["hello", "", "w\u{f6}rld"].map(str::to_owned);
    assert_eq!(client::run(&uri, &texts).unwrap(), texts);
    assert!(client::run(&uri, &[]).unwrap().is_empty());
}

#[test]
fn custom_engine_saves_most_of_what_is_said() {
    let (said, sent) = custom_engine::run().unwrap();
    assert!(sent < said / 2, "{said} bytes went as {sent}");
}

#[test]
fn event_loop_serves_many_connections_at_once() {
    let address = serve(event_loop::run);
    let mut websockets: Vec<_> = (0..30).map(|_| connect(address)).collect();
    for round in 0..3_u8 {
        for websocket in &mut websockets {
            websocket.write([round]).unwrap();
        }
        for websocket in websockets.iter_mut().rev() {
            assert_eq!(
                websocket.next_message().unwrap().unwrap().payload(),
                [round]
            );
        }
    }
    assert_echoes(address);
}

#[test]
fn event_loop_answers_a_violation_and_goes_on_serving() {
    let address = serve(event_loop::run);
    let websocket = connect(address);
    let (stream, _) = websocket.into_inner();
    (&stream).write_all(&[0xFF]).unwrap();
    let mut websocket = WebSocket::client(stream, Config::default()).unwrap();
    assert!(websocket.next_message().unwrap().is_none());
    let closed = websocket.closed().unwrap();
    assert_eq!(closed.code(), CloseCode::PROTOCOL_ERROR);
    assert_echoes(address);
}

#[test]
fn futures_io_serves_many_connections_at_once() {
    let address = serve(|listener| futures_io::run(listener, PATIENCE));
    let mut websockets: Vec<_> = (0..30).map(|_| connect(address)).collect();
    for websocket in websockets.iter_mut().rev() {
        websocket.write("hello").unwrap();
        assert_eq!(
            websocket.next_message().unwrap().unwrap().text(),
            Some("hello")
        );
    }
    assert_echoes(address);
}

#[test]
fn futures_io_answers_a_violation_before_it_ends() {
    let address = serve(|listener| futures_io::run(listener, PATIENCE));
    let (stream, _) = connect(address).into_inner();
    (&stream).write_all(&[0xFF]).unwrap();
    let mut websocket = WebSocket::client(stream, Config::default()).unwrap();
    assert!(websocket.next_message().unwrap().is_none());
    let closed = websocket.closed().unwrap();
    assert_eq!(closed.code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn futures_io_ends_who_says_nothing() {
    let address = serve(|listener| futures_io::run(listener, Duration::from_millis(100)));
    let mut websocket = connect(address);
    assert!(websocket.next_message().unwrap().is_none());
    let closed = websocket.closed().unwrap();
    assert_eq!(
        (closed.code(), closed.by),
        (CloseCode::GOING_AWAY, Side::Peer)
    );
}

/// No byte comes before a read was dropped at its first wait, as `select!` and time-outs do.
#[test]
fn a_read_of_futures_io_that_is_dropped_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (go_on, goes_on) = mpsc::channel();
    let peer = thread::spawn(move || {
        let (mut stream, _) = connect(address).into_inner();
        stream.set_nodelay(true).unwrap();
        // A Ping, and RFC 6455 5.7: a masked text message, "Hello".
        for byte in b"\x89\x80\0\0\0\0\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" {
            goes_on.recv().unwrap();
            stream.write_all(&[*byte]).unwrap();
        }
        let mut answer = [0; 2 + 2];
        stream.read_exact(&mut answer).unwrap();
        answer
    });
    let stream = Async::new(listener.accept().unwrap().0).unwrap();
    let (acceptor, config) = (Acceptor::new(), Config::default());
    let mut websocket =
        future::block_on(futures_io::WebSocket::accept(stream, &acceptor, &config)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut dropped = 0;
    let text = loop {
        assert!(Instant::now() < deadline);
        let polled = future::block_on(future::poll_once(websocket.next_message()));
        if let Some(next) = polled {
            break next.unwrap().0.text().map(str::to_owned);
        }
        dropped += 1;
        // The peer may have sent all of it.
        let _ = go_on.send(());
    };
    assert_eq!(text.as_deref(), Some("Hello"));
    assert!(dropped >= 17, "{dropped} were dropped");
    let closing = websocket.close(CloseCode::NORMAL, "");
    // The peer is gone without a Close.
    assert!(future::block_on(closing).is_err());
    assert_eq!(peer.join().unwrap(), *b"\x8A\0\x88\x02");
}

#[test]
fn event_loop_waits_for_no_handshake() {
    let address = serve(event_loop::run);
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (head, rest) = request.split_at(30);
    waiting.write_all(head.as_bytes()).unwrap();
    assert_echoes(address);
    // RFC 6455 5.7: a masked text message, "Hello", right behind the request.
    let message = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    waiting.write_all(rest.as_bytes()).unwrap();
    waiting.write_all(message).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n\x81\x05Hello") {
        let mut byte = [0];
        waiting.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

/// A connection that waits to be taken is, once there is room for it.
#[cfg(target_os = "linux")]
#[test]
fn servers_go_on_when_they_could_take_no_connection() {
    for server in ["broadcast", "echo_server", "event_loop", "futures_io"] {
        let server = few_files::Server::start(server);
        let mut waiting: Vec<_> = (0..=few_files::FILES)
            .map(|_| TcpStream::connect(server.address).unwrap())
            .collect();
        server.wait_until_open_files(|count| count == few_files::FILES);
        let last = waiting.pop().unwrap();
        drop(waiting);
        server.wait_until_open_files(|count| count < few_files::FILES / 2);
        let mut websocket = shake_hands(last, server.address);
        websocket.write("hello").unwrap();
        assert_eq!(
            websocket.next_message().unwrap().unwrap().text(),
            Some("hello")
        );
    }
}

/// A server in a process of its own, which may have few open files.
#[cfg(target_os = "linux")]
mod few_files {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::{env, fs};

    use super::*;

    pub(super) const FILES: usize = 32;
    const NAME: &str = "FRAMEWIRE_TEST_EXAMPLE";

    #[test]
    #[ignore = "runs for ever, in the process that `Server` starts"]
    fn process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("\naddress {}", listener.local_addr().unwrap());
        let ended = match env::var(NAME).unwrap().as_str() {
            "broadcast" => broadcast::run(&listener),
            "echo_server" => echo_server::run(&listener),
            "event_loop" => event_loop::run(listener),
            "futures_io" => futures_io::run(listener, PATIENCE),
            other => panic!("{other}"),
        };
        ended.unwrap();
    }

    pub(super) struct Server {
        process: Child,
        pub(super) address: SocketAddr,
    }

    impl Server {
        pub(super) fn start(name: &str) -> Self {
            let mut process = Command::new("sh")
                .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" \"$@\"")])
                .arg(env::current_exe().unwrap())
                .args([
                    "--exact",
                    "blocking::few_files::process",
                    "--ignored",
                    "--nocapture",
                ])
                .env(NAME, name)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let lines = BufReader::new(process.stdout.take().unwrap()).lines();
            let address = lines.map(Result::unwrap).find_map(|line| {
                let address = line.strip_prefix("address ")?;
                Some(address.parse().unwrap())
            });
            let address = address.unwrap();
            Self { process, address }
        }

        pub(super) fn wait_until_open_files(&self, is_so: impl Fn(usize) -> bool) {
            let deadline = Instant::now() + PATIENCE;
            while !is_so(self.open_files()) {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
        }

        /// How many files are open that the limit binds: what was inherited may have a higher number.
        fn open_files(&self) -> usize {
            let files = fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap();
            let numbers = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            numbers
                .filter(|number| number.parse::<usize>().unwrap() < FILES)
                .count()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            // It may have ended by itself, which the test has seen.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

#[test]
fn relay_passes_on_messages_of_any_size_and_the_close() {
    let upstream = serve(|listener| echo_server::run(&listener)).to_string();
    let address = serve(move |listener| relay::run(&listener, &upstream).is_ok());
    assert_echoes(address);
}

#[test]
fn broadcast_gives_what_anyone_says_to_everyone() {
    let address = serve(|listener| broadcast::run(&listener));
    let mut members: Vec<_> = (0..4).map(|_| connect(address)).collect();
    // Whoever hears itself is in the room, and so is everyone once the last has been heard.
    for (number, member) in members.iter_mut().enumerate() {
        let text = format!("{number} is here");
        member.write(&text).unwrap();
        while member.next_message().unwrap().unwrap().text() != Some(&text) {}
    }
    let gone = members.swap_remove(1);
    drop(gone);
    members[0].write("to all").unwrap();
    for member in &mut members {
        while member.next_message().unwrap().unwrap().text() != Some("to all") {}
    }
    let mut quits = members.swap_remove(1);
    quits.write("/quit").unwrap();
    while quits.next_message().unwrap().is_some() {}
    let closed = quits.closed().unwrap();
    assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
    members[0].write("without them").unwrap();
    for member in &mut members {
        while member.next_message().unwrap().unwrap().text() != Some("without them") {}
    }
}

#[test]
fn axum_application_has_a_page_and_a_chat() {
    use std::io::{Read as _, Write as _};

    let address = serve(|listener| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            axum::run(tokio::net::TcpListener::from_std(listener).unwrap()).await
        })
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.contains("new WebSocket("),
        "{page}"
    );

    let page = Connector::new()
        .origin(format!("http://{address}"))
        .unwrap();
    let mut members: Vec<_> = (0..3).map(|_| join(address, &page).unwrap()).collect();
    for (number, member) in members.iter_mut().enumerate() {
        let text = format!("{number} is here");
        member.write(&text).unwrap();
        while member.next_message().unwrap().unwrap().text() != Some(&text) {}
    }
    members[0].write("to all").unwrap();
    for member in &mut members {
        while member.next_message().unwrap().unwrap().text() != Some("to all") {}
    }
    let other = Connector::new().origin("https://a.example").unwrap();
    let Err(ErrorKind::Handshake(refused)) = join(address, &other).map_err(Error::into_kind) else {
        panic!("a page of another origin was let in");
    };
    assert_eq!(refused.status().unwrap(), 403);
}

fn join(address: SocketAddr, connector: &Connector) -> Result<WebSocket<TcpStream>, Error> {
    let stream = TcpStream::connect(address).unwrap();
    let uri = format!("ws://{address}/chat");
    let websocket = framewire::connect_stream_with(stream, &uri, connector, Config::default())?;
    websocket.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(websocket)
}
