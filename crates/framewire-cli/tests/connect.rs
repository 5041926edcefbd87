//! `framewire connect` as a user has it: the program itself, against servers in the test.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use framewire::blocking::PingReply;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{Acceptor, Pending};
use framewire::protocol::Role;
use framewire::{CloseCode, Config, ErrorKind, Opcode, WebSocket};
use http::Response;

/// How long anything here may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server for one connection, and its URL.
fn server<T: Send + 'static>(
    acceptor: Acceptor,
    serve: impl FnOnce(Pending<TcpStream>) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/path", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        serve(acceptor.receive(stream).unwrap())
    });
    (url, served)
}

fn open(pending: Pending<TcpStream>) -> WebSocket<TcpStream> {
    let established = pending.accept().unwrap();
    let websocket = WebSocket::from_established(established, Role::Server, Config::default());
    let websocket = websocket.unwrap();
    let stream = websocket.stream();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    websocket
}

/// Echoes until the client closes, and gives the code with which it did.
fn echo(mut websocket: WebSocket<TcpStream>) -> CloseCode {
    loop {
        let echoed = websocket
            .next_message_and_writer()
            .and_then(|(message, writer)| writer.feed_message(message.opcode(), message.payload()));
        if let Err(error) = echoed {
            websocket.flush().ok();
            match error.kind() {
                ErrorKind::Closed(closed) => return closed.code(),
                _ => panic!("{error}"),
            }
        }
    }
}

fn program(url: &str, options: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_framewire"));
    program
        .args(["connect", url])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

/// The program under way, killed when this is dropped.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    fn start(url: &str, options: &[&str]) -> Self {
        let mut child = program(url, options).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
        }
    }

    fn say(&mut self, text: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(text).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Waits for the end: the exit code, the rest of the output, and what was noted.
    fn end(mut self) -> (i32, String, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < DEADLINE, "the program goes on");
            thread::sleep(Duration::from_millis(5));
        };
        let (mut output, mut notes) = (String::new(), String::new());
        self.stdout.read_to_string(&mut output).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut notes).unwrap();
        (status.code().unwrap(), output, notes)
    }

    /// Ends the input, and waits as [`end`](Self::end) does.
    fn end_of_input(mut self) -> (i32, String, String) {
        self.stdin = None;
        self.end()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = format!("kill -{name} \"$1\"");
        let mut shell = Command::new("sh");
        let sent = shell.args(["-c", &kill, "sh", &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_are_text_messages_both_ways() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let mut client = Client::start(&url, &[]);
    client.say("hello\n".as_bytes());
    assert_eq!(client.line(), "hello\n");
    client.say("zwölf\r\n\nlast, without a line break".as_bytes());
    let (code, output, notes) = client.end_of_input();
    assert_eq!(output, "zwölf\n\nlast, without a line break\n");
    assert_eq!(code, 0, "{notes}");
    assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    assert!(notes.contains(&format!("connected to {url}")), "{notes}");
}

#[test]
fn a_line_that_is_not_text_is_not_sent() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let mut client = Client::start(&url, &[]);
    client.say(b"\xFF\nafter\n");
    assert_eq!(client.line(), "after\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0);
    assert!(
        notes.contains("not sent: text that is not UTF-8"),
        "{notes}"
    );
    served.join().unwrap();
}

fn send_binary(pending: Pending<TcpStream>) {
    let mut websocket = open(pending);
    for payload in [&b"\x00\x0f\xf0"[..], b"abc"] {
        websocket.write_message(Opcode::Binary, payload).unwrap();
    }
    websocket.write_message(Opcode::Text, b"text").unwrap();
    websocket.shutdown(DEADLINE).unwrap();
}

#[test]
fn binary_messages_are_printed_in_hexadecimal() {
    let (url, served) = server(Acceptor::new(), send_binary);
    let (code, output, _) = Client::start(&url, &[]).end();
    assert_eq!((code, &output[..]), (0, "000ff0\n616263\ntext\n"));
    served.join().unwrap();
}

#[test]
fn binary_messages_go_into_a_file_as_they_are() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connect-binary");
    let (url, served) = server(Acceptor::new(), send_binary);
    let options = ["--binary", file.to_str().unwrap()];
    let (code, output, _) = Client::start(&url, &options).end();
    assert_eq!((code, &output[..]), (0, "text\n"));
    assert_eq!(std::fs::read(&file).unwrap(), b"\x00\x0f\xf0abc");
    served.join().unwrap();
}

#[test]
fn options_are_what_the_server_is_asked() {
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    let acceptor = Acceptor::new()
        .allow_any_origin()
        .deflate(deflate)
        .subprotocols(["b"])
        .unwrap();
    let (url, served) = server(acceptor, |pending| {
        let headers = pending.request().headers().clone();
        let established = pending.accept().unwrap();
        assert!(established.deflate().is_some());
        assert_eq!(established.subprotocol(), Some("b"));
        headers
    });
    let options = [
        "--header",
        "X-One: 1",
        "-H",
        "X-Two: a: b",
        "--subprotocol",
        "a",
        "--subprotocol",
        "b",
        "--origin",
        "https://a.example",
        "--deflate=9",
    ];
    let client = Client::start(&url, &options);
    let headers = served.join().unwrap();
    for (name, value) in [
        ("x-one", "1"),
        ("x-two", "a: b"),
        ("origin", "https://a.example"),
        ("sec-websocket-protocol", "a, b"),
    ] {
        assert_eq!(headers[name], value);
    }
    // The server was gone without a word.
    assert_eq!(client.end().0, 2);
}

#[test]
fn a_refused_handshake_ends_with_1() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let response = Response::builder().status(403).body("not you").unwrap();
        pending.refuse(&response).unwrap();
    });
    let (code, output, notes) = Client::start(&url, &[]).end();
    assert_eq!((code, &output[..]), (1, ""));
    assert!(notes.contains("403"), "{notes}");
    served.join().unwrap();
}

#[test]
fn the_body_of_a_refusal_is_shown_and_a_terminal_obeys_none_of_it() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let body = format!(
            "members only\n\n\x1b[2J\u{9b}31m\u{202e}see /login\n{}",
            "x\n".repeat(99)
        );
        let response = Response::builder().status(403).body(body).unwrap();
        pending.refuse(&response).unwrap();
    });
    let (code, output, notes) = Client::start(&url, &[]).end();
    served.join().unwrap();
    assert_eq!((code, &output[..]), (1, ""));
    let lines: Vec<_> = notes.lines().collect();
    assert!(lines[0].contains("403 Forbidden"), "{notes}");
    assert_eq!(lines[1], "framewire: | members only");
    assert!(lines[2].ends_with("see /login"), "{notes}");
    assert!(!notes.contains(['\x1b', '\u{9b}', '\u{202e}']), "{notes}");
    assert_eq!((lines.len(), lines[11]), (12, "framewire: | …"));
}

#[test]
fn the_body_of_a_proxys_refusal_is_shown() {
    let (proxy, asked) = answering("HTTP/1.1 407 x\r\nContent-Length: 12\r\n\r\nwho are you?");
    let options = ["--proxy", &proxy];
    let (code, _, notes) = Client::start("ws://a.invalid/", &options).end();
    assert_eq!(code, 1);
    assert!(
        notes.contains("407") && notes.contains("framewire: | who are you?"),
        "{notes}"
    );
    assert!(asked.join().unwrap().starts_with("CONNECT a.invalid:80 "));
}

/// A server that answers one request with this: its URL, and the request.
fn answering(answer: impl Into<String>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.into();
    let asked = thread::spawn(move || {
        let mut client = BufReader::new(listener.accept().unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(client.read_line(&mut head).unwrap(), 0, "{head}");
        }
        client.get_mut().write_all(answer.as_bytes()).unwrap();
        head
    });
    (url, asked)
}

#[test]
fn the_program_names_itself_unless_told_otherwise() {
    let version = concat!("framewire/", env!("CARGO_PKG_VERSION"));
    for (options, agent) in [(&[][..], version), (&["-H", "user-agent: me"], "me")] {
        let (url, asked) = answering("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
        let url = url.replace("http", "ws");
        assert_eq!(Client::start(&url, options).end().0, 1);
        let head = asked.join().unwrap().to_ascii_lowercase();
        assert!(head.contains(&format!("user-agent: {agent}\r\n")), "{head}");
        assert_eq!(head.matches("user-agent").count(), 1, "{head}");
    }
}

#[test]
fn another_place_can_be_connected_to_than_the_url_names() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let host = pending.request().headers()["host"].clone();
        (host, echo(open(pending)))
    });
    let place = url
        .strip_prefix("ws://")
        .and_then(|url| url.strip_suffix("/path"))
        .unwrap();
    let mut client = Client::start("ws://a.invalid:81/path", &["--connect-to", place]);
    client.say(b"hello\n");
    assert_eq!(client.line(), "hello\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    assert_eq!(served.join().unwrap().0, "a.invalid:81");

    let (code, _, notes) = Client::start(&url, &["--connect-to", "localhost"]).end();
    assert_eq!(code, 1);
    assert!(notes.contains("HOST:PORT"), "{notes}");
}

fn redirecting(location: &str) -> (String, JoinHandle<String>) {
    let head = format!("HTTP/1.1 302 x\r\nLocation: {location}\r\nSet-Cookie: a=b\r\n");
    let (url, asked) = answering(format!("{head}Content-Length: 0\r\n\r\n"));
    (url.replace("http", "ws"), asked)
}

#[test]
fn redirects_are_followed_as_often_as_is_asked_for() {
    let (end, served) = server(Acceptor::new(), |pending| {
        let headers = pending.request().headers().clone();
        (headers, echo(open(pending)))
    });
    let (url, asked) = redirecting(&end);
    let options = ["--follow", "1", "-H", "Authorization: secret"];
    let mut client = Client::start(&url, &options);
    client.say(b"hello\n");
    assert_eq!(client.line(), "hello\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    assert!(notes.contains(&format!("connected to {end}")), "{notes}");
    assert!(asked.join().unwrap().contains("secret"));
    let (headers, _) = served.join().unwrap();
    for name in ["authorization", "cookie"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
    assert!(headers.contains_key("user-agent"), "{headers:?}");
}

#[test]
fn redirects_that_are_not_followed_say_why() {
    for (location, options, words) in [
        ("/there", &[][..], "/there"),
        (
            "ftp://a/",
            &["--follow", "9"],
            "\"ftp://a/\" cannot be used",
        ),
        ("/a", &["--follow", "0"], "server redirects to ws://"),
    ] {
        let (url, asked) = redirecting(location);
        let (code, _, notes) = Client::start(&url, options).end();
        assert_eq!(code, 1);
        assert!(notes.contains(words), "{notes}");
        asked.join().unwrap();
    }
}

#[test]
fn an_answer_that_comes_after_the_end_of_the_input_can_be_waited_for() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        assert_eq!(websocket.next_message().unwrap().text(), Some("question"));
        let (sender, pings) = mpsc::channel();
        websocket.on_ping(move |_| {
            let _ = sender.send(());
            PingReply::Pong
        });
        // The client sends nothing else: each read takes what has come, and says whether it closed.
        let patience = Duration::from_millis(10);
        websocket.stream().set_read_timeout(Some(patience)).unwrap();
        for _ in 0..3 {
            while pings.try_recv().is_err() {
                let error = websocket.next_message().unwrap_err();
                assert!(error.is_would_block(), "{error}");
            }
        }
        websocket.stream().set_read_timeout(Some(DEADLINE)).unwrap();
        websocket.write_message(Opcode::Text, b"answer").unwrap();
        websocket.shutdown(DEADLINE).unwrap();
    });
    let options = ["--wait", "1000", "--ping-interval", "0.25"];
    let mut client = Client::start(&url, &options);
    client.say(b"question\n");
    let (code, output, notes) = client.end_of_input();
    served.join().unwrap();
    assert_eq!((code, &output[..]), (0, "answer\n"), "{notes}");
}

#[test]
fn the_wait_for_answers_ends_with_its_time_or_a_signal() {
    for (seconds, signal) in [("0.05", None), ("1000", Some("INT"))] {
        let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
        let mut client = Client::start(&url, &["--wait", seconds]);
        client.say(b"hello\n");
        client.stdin = None;
        assert_eq!(client.line(), "hello\n");
        if let Some(signal) = signal {
            client.signal(signal);
        }
        let (code, _, notes) = client.end();
        assert_eq!(code, 0, "{notes}");
        assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    }
}

#[test]
fn no_server_ends_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 1);
    assert!(notes.contains("refused"), "{notes}");
}

#[test]
fn a_close_that_complains_ends_with_2() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        let complaint = CloseCode::POLICY_VIOLATION;
        websocket.close(complaint, "go\naway").unwrap();
        websocket.next_message().unwrap_err();
    });
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 2);
    assert!(
        notes.contains("1008") && notes.contains("go away"),
        "{notes}"
    );
    served.join().unwrap();
}

#[test]
fn a_lost_connection_ends_with_2() {
    let (url, served) = server(Acceptor::new(), |pending| drop(open(pending)));
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 2, "{notes}");
    served.join().unwrap();
}

#[test]
fn a_signal_closes_the_connection() {
    for signal in ["INT", "TERM"] {
        let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
        let mut client = Client::start(&url, &[]);
        client.say(b"are you there?\n");
        client.line();
        client.signal(signal);
        let (code, _, notes) = client.end();
        assert_eq!(code, 0, "{notes}");
        assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_server() {
    let (done, waits) = mpsc::channel::<()>();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let mut websocket = open(pending);
        websocket.write_message(Opcode::Text, b"hello").unwrap();
        // Reads nothing, and so never answers the Close frame.
        let _ = waits.recv();
    });
    let mut client = Client::start(&url, &[]);
    client.line();
    client.signal("INT");
    let started = Instant::now();
    loop {
        client.signal("INT");
        if let Some(status) = client.child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(130));
            break;
        }
        assert!(started.elapsed() < DEADLINE);
        thread::sleep(Duration::from_millis(5));
    }
    drop(done);
    served.join().unwrap();
}

#[test]
fn a_server_without_a_pong_is_given_up() {
    let (done, waits) = mpsc::channel::<()>();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let websocket = open(pending);
        let _ = waits.recv();
        drop(websocket);
    });
    let (code, _, notes) = Client::start(&url, &["--ping-interval", "0.05"]).end();
    assert_eq!(code, 2);
    assert!(notes.contains("no pong within 50ms"), "{notes}");
    drop(done);
    served.join().unwrap();
}

#[test]
fn pings_keep_a_connection_open() {
    let (sender, pings) = mpsc::channel();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let mut websocket = open(pending);
        websocket.on_ping(move |_| {
            let _ = sender.send(());
            PingReply::Pong
        });
        websocket.next_message().unwrap_err();
    });
    let client = Client::start(&url, &["--ping-interval", "0.05", "--quiet"]);
    for _ in 0..3 {
        pings.recv_timeout(DEADLINE).unwrap();
    }
    let (code, _, notes) = client.end_of_input();
    assert_eq!((code, &notes[..]), (0, ""));
    served.join().unwrap();
}

/// A proxy for one connection: its URL, and what it was asked for.
fn proxy() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:secret@{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let mut client = BufReader::new(listener.accept().unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).unwrap();
        }
        let mut client = client.into_inner();
        let target = head.split_whitespace().nth(1).unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut client, &mut server);
        head
    });
    (url, asked)
}

#[test]
fn a_proxy_is_gone_through() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let (proxy, asked) = proxy();
    let mut client = Client::start(&url, &["--proxy", &proxy]);
    client.say(b"through the proxy\n");
    assert_eq!(client.line(), "through the proxy\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    served.join().unwrap();
    let head = asked.join().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("connect 127.0.0.1:"), "{head}");
    // RFC 7617 2: me:secret.
    assert!(
        head.contains("proxy-authorization: basic bwu6c2vjcmv0"),
        "{head}"
    );
}

#[test]
fn a_proxy_that_is_none_ends_with_1() {
    let (code, _, notes) = Client::start("ws://127.0.0.1:1/", &["--proxy", "ftp://a"]).end();
    assert_eq!(code, 1);
    assert!(notes.contains("proxy"), "{notes}");
}

/// A server that reads nothing after the handshake, until the sender is dropped.
fn stuck_server() -> (String, mpsc::Sender<()>) {
    let (done, waits) = mpsc::channel::<()>();
    let (url, _) = server(Acceptor::new(), move |pending| {
        let websocket = open(pending);
        let _ = waits.recv();
        drop(websocket);
    });
    (url, done)
}

/// More than all buffers on the way take.
fn say_much(client: &mut Client) {
    let mut stdin = client.stdin.take().unwrap();
    // Ends with the program.
    let mut line = vec![b'a'; 1 << 20];
    line.push(b'\n');
    thread::spawn(move || while stdin.write_all(&line).is_ok() {});
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let (url, _done) = stuck_server();
    let mut client = Client::start(&url, &["--write-timeout", "0.3"]);
    say_much(&mut client);
    let (code, _, notes) = client.end();
    assert_eq!(code, 2);
    assert!(notes.contains("cannot send"), "{notes}");
}

#[test]
fn a_server_that_takes_nothing_does_not_hold_up_a_signal() {
    let (url, _done) = stuck_server();
    let mut client = Client::start(&url, &["--close-timeout", "0.3"]);
    say_much(&mut client);
    // Handled from the handshake on.
    let mut notes = BufReader::new(client.child.stderr.take().unwrap());
    let mut connected = String::new();
    notes.read_line(&mut connected).unwrap();
    client.child.stderr = Some(notes.into_inner());
    client.signal("TERM");
    let (code, _, notes) = client.end();
    assert_eq!(code, 2);
    assert!(
        notes.contains("no answer to the close within 300ms"),
        "{notes}"
    );
}

#[test]
fn a_message_that_cannot_be_written_is_not_lost_without_a_word() {
    let full = || std::fs::File::create("/dev/full").unwrap();
    for binary in [false, true] {
        let (url, served) = server(Acceptor::new(), move |pending| {
            let mut websocket = open(pending);
            let opcode = if binary { Opcode::Binary } else { Opcode::Text };
            websocket.write_message(opcode, b"hello").unwrap();
            let _ = websocket.shutdown(DEADLINE);
        });
        let options = if binary {
            &["--binary", "/dev/full"][..]
        } else {
            &[]
        };
        let mut program = program(&url, options);
        if !binary {
            program.stdout(full());
        }
        let output = program.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(notes.contains("cannot write a message"), "{notes}");
        served.join().unwrap();
    }
}

#[test]
fn a_file_is_left_alone_where_there_is_no_connection() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connect-kept");
    std::fs::write(&file, "kept").unwrap();
    let options = ["--binary", file.to_str().unwrap()];
    let (code, _, _) = Client::start("ws://127.0.0.1:1/", &options).end();
    assert_eq!(code, 1);
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[test]
fn input_that_cannot_be_read_is_said() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let directory = std::fs::File::open("/").unwrap();
    let output = program(&url, &[]).stdin(directory).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("cannot read the input"), "{notes}");
    assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
}
