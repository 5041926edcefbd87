//! The program under way, and servers for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use framewire::handshake::{Acceptor, PendingHandshake};
use framewire::{CloseCode, Config, WebSocket};

/// How long anything here may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A server for one connection, and its URL.
pub(crate) fn server<T: Send + 'static>(
    acceptor: Acceptor,
    serve: impl FnOnce(PendingHandshake<TcpStream>) -> T + Send + 'static,
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

pub(crate) fn open(pending: PendingHandshake<TcpStream>) -> WebSocket<TcpStream> {
    let established = pending.accept().unwrap();
    let websocket = WebSocket::from_established(established, Config::default());
    let websocket = websocket.unwrap();
    let stream = websocket.stream();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    websocket
}

/// Echoes until the client closes, and gives the code with which it did.
pub(crate) fn echo(mut websocket: WebSocket<TcpStream>) -> CloseCode {
    while let Some((message, writer)) = websocket.next_message_and_writer().unwrap() {
        writer.feed(message).unwrap();
    }
    websocket.closed().unwrap().code()
}

pub(crate) fn program(url: &str, options: &[&str]) -> Command {
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
pub(crate) struct Client {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(url: &str, options: &[&str]) -> Self {
        let mut child = program(url, options).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
        }
    }

    pub(crate) fn say(&mut self, text: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(text).unwrap();
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Waits for the end: the exit code, the rest of the output, and what was noted.
    pub(crate) fn end(mut self) -> (i32, String, String) {
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
    pub(crate) fn end_of_input(mut self) -> (i32, String, String) {
        self.stdin = None;
        self.end()
    }

    pub(crate) fn signal(&self, name: &str) {
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

/// A server that answers one request with this: its URL, and the request.
pub(crate) fn answering(answer: impl Into<String>) -> (String, JoinHandle<String>) {
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
