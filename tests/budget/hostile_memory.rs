//! What a hostile peer costs a server in resident memory: over TCP, with the server in a process
//! of its own so that the peer does not count.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, ErrorKind as Kind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use framewire::handshake::{Acceptor, Connector};
use framewire::protocol::{Limits, Role};
use framewire::{Config, Error, Opcode};
use support::frames::{BINARY, CONTINUATION, FIN, Length, PING, frame, to};
use support::loopback::PATIENCE;
use support::pattern;

/// The most that the peak may lie over what was resident before.
const MOST: u64 = 1 << 20;

/// How long a server that cannot write is given to show that it takes no more.
const STALL: Duration = Duration::from_millis(300);

const UNLIMITED: &str = "FRAMEWIRE_TEST_SERVER_UNLIMITED";

/// Echoes the messages of one connection. Run by the other tests, in a process of its own.
#[test]
#[ignore = "is the server of the other tests"]
fn server_process() {
    let Ok(unlimited) = env::var(UNLIMITED) else {
        return;
    };
    let mut config = Config::default();
    if unlimited == "yes" {
        config.limits = Limits::UNLIMITED;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("\nport {}", listener.local_addr().unwrap().port());
    let (stream, _) = listener.accept().unwrap();
    let error = serve(stream, config).unwrap_err();
    println!("ended: {error}");
    // Stays for its memory to be looked at.
    let _ = std::io::stdin().read(&mut [0]);
}

fn serve(stream: TcpStream, config: Config) -> Result<(), Error> {
    let mut websocket = framewire::accept_with(stream, &Acceptor::new(), config)?;
    websocket.stream().set_read_timeout(Some(PATIENCE))?;
    websocket.stream().set_write_timeout(Some(PATIENCE))?;
    loop {
        let (message, writer) = websocket.next_message_and_writer()?;
        writer.write_message(message.opcode(), message.payload())?;
    }
}

/// A server and a connection to it, past the handshake and a first echo.
struct Server {
    process: Child,
    lines: BufReader<ChildStdout>,
    stream: TcpStream,
    resident: u64,
}

impl Server {
    fn start(unlimited: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "hostile_memory::server_process",
                "--ignored",
                "--nocapture",
            ])
            .env(UNLIMITED, unlimited)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let port = line_after(&mut lines, "port ");
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let connector = Connector::new();
        let uri = format!("ws://127.0.0.1:{port}/");
        let mut client =
            framewire::connect_stream_with(stream, &uri, &connector, Config::default()).unwrap();
        client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        client.stream().set_write_timeout(Some(PATIENCE)).unwrap();
        for len in [20, 8192] {
            client.write_message(Opcode::Binary, &pattern(len)).unwrap();
            assert_eq!(client.next_message().unwrap().payload(), pattern(len));
        }
        let (stream, leftover) = client.into_inner();
        assert!(leftover.is_empty());
        let resident = kib(&process, "VmRSS:");
        Self {
            process,
            lines,
            stream,
            resident,
        }
    }

    /// Sends the same until the server takes no more, or enough was sent. Says how much.
    fn flood(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_write_timeout(Some(STALL)).unwrap();
        let mut sent = 0;
        while sent < 64 << 20 {
            match self.stream.write(&bytes[sent % bytes.len()..]) {
                Ok(len) => sent += len,
                Err(error) if error.kind() == Kind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        sent
    }

    /// Ends the connection and checks how the peak of the server's memory compares.
    fn end(mut self) -> String {
        drop(self.stream);
        let how = line_after(&mut self.lines, "ended: ");
        let peak = kib(&self.process, "VmHWM:");
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
        let grown = peak.saturating_sub(self.resident);
        println!(
            "{how}: from {} to {peak} bytes, {grown} more",
            self.resident
        );
        assert!(
            grown < MOST,
            "{how}: from {} to {peak} bytes",
            self.resident
        );
        how
    }
}

/// What follows a word at the beginning of a line of the server's.
fn line_after(lines: &mut impl BufRead, word: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no {word}");
        if let Some(rest) = line.strip_prefix(word) {
            return rest.trim_end().to_owned();
        }
    }
}

/// A figure of the process's, in bytes.
fn kib(process: &Child, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse::<u64>().unwrap() * 1024
}

#[test]
fn a_peer_that_pings_and_never_reads() {
    let mut server = Server::start("no");
    let pings = frame(Role::Client, FIN | PING, &pattern(125)).repeat(500);
    let sent = server.flood(&pings);
    assert!(sent > 100_000, "{sent}");
    server.end();
}

#[test]
fn a_peer_that_sends_messages_to_an_echo_and_never_reads() {
    let mut server = Server::start("no");
    let message = frame(Role::Client, FIN | BINARY, &pattern(8192));
    let sent = server.flood(&message);
    assert!(sent > 100_000, "{sent}");
    server.end();
}

#[test]
fn a_message_of_130_000_fragments_of_one_byte() {
    let mut server = Server::start("no");
    let mut bytes = frame(Role::Client, BINARY, b"x");
    bytes.extend(frame(Role::Client, CONTINUATION, b"x").repeat(129_998));
    bytes.extend(frame(Role::Client, FIN | CONTINUATION, b"x"));
    server.stream.write_all(&bytes).unwrap();
    let mut echo = vec![0; 10 + 130_000];
    server.stream.read_exact(&mut echo).unwrap();
    assert_eq!(
        echo[..10],
        [FIN | BINARY, 127, 0, 0, 0, 0, 0, 1, 0xFB, 0xD0]
    );
    server.end();
}

#[test]
fn a_message_of_300_000_empty_fragments() {
    let mut server = Server::start("no");
    let mut bytes = frame(Role::Client, BINARY, b"");
    bytes.extend(frame(Role::Client, CONTINUATION, b"").repeat(300_000));
    bytes.extend(frame(Role::Client, FIN | CONTINUATION, b"end"));
    server.stream.write_all(&bytes).unwrap();
    let mut echo = [0; 5];
    server.stream.read_exact(&mut echo).unwrap();
    assert_eq!(echo, [FIN | BINARY, 3, b'e', b'n', b'd']);
    server.end();
}

#[test]
fn a_declared_length_of_2_to_the_62_with_ten_bytes_and_no_limit() {
    let mut server = Server::start("yes");
    let frame = to(Role::Server, FIN | BINARY, [7; 10]).with_length(Length::Declared(1 << 62));
    server.stream.write_all(&frame.bytes()).unwrap();
    assert_eq!(server.end(), "connection ended without a close frame");
}
