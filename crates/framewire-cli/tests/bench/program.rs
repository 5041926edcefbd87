//! The program under way, and servers for it.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use framewire::handshake::{Acceptor, PendingHandshake};
use framewire::{Config, Limits, WebSocket};
use serde_json::Value;

/// How long anything here may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A server for so many connections, which are served in a thread each: its URL, and the threads.
pub(crate) fn server<T: Send + 'static>(
    connections: usize,
    serve: impl Fn(TcpStream) -> T + Send + Sync + 'static,
) -> (String, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/path", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    let served = thread::spawn(move || {
        let serve_one = |_| {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.set_write_timeout(Some(DEADLINE)).unwrap();
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream))
        };
        let threads: Vec<_> = (0..connections).map(serve_one).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.collect()
    });
    (url, served)
}

pub(crate) fn receive(stream: TcpStream) -> PendingHandshake<TcpStream> {
    Acceptor::new().receive(stream).unwrap()
}

pub(crate) fn open(stream: TcpStream) -> WebSocket<TcpStream> {
    open_with(stream, &Acceptor::new())
}

pub(crate) fn open_with(stream: TcpStream, acceptor: &Acceptor) -> WebSocket<TcpStream> {
    let established = acceptor.accept(stream).unwrap();
    let config = Config::default().limits(Limits::UNLIMITED);
    WebSocket::from_established(established, config).unwrap()
}

/// Echoes until the client closes, and returns how many messages came. Calls `before` with the number of each.
pub(crate) fn echo(mut websocket: WebSocket<TcpStream>, before: impl Fn(u64)) -> u64 {
    let mut messages = 0;
    while let Some((message, writer)) = websocket.next_message_and_writer().unwrap() {
        before(messages);
        writer.feed(message).unwrap();
        messages += 1;
    }
    messages
}

/// The program under way, killed when this is dropped.
pub(crate) struct Bench {
    child: Child,
}

/// What the program said.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) notes: String,
}

impl Bench {
    pub(crate) fn start(url: &str, options: &[&str]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_framewire"));
        let program = program.args(["bench", url]).args(options);
        let program = program.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = program.stderr(Stdio::piped()).spawn().unwrap();
        Self { child }
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let output = read(self.child.stdout.take().unwrap());
        let notes = read(self.child.stderr.take().unwrap());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < DEADLINE, "the program goes on");
            thread::sleep(Duration::from_millis(5));
        };
        Ended {
            code: status.code().unwrap(),
            output: output.join().unwrap().unwrap(),
            notes: notes.join().unwrap().unwrap(),
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut shell = Command::new("sh");
        let kill = format!("kill -{name} \"$1\"");
        let sent = shell.args(["-c", &kill, "sh", &id]).status();
        assert!(sent.unwrap().success());
    }
}

/// Reads in a thread of its own, so that the program never waits for it.
fn read(mut pipe: impl io::Read + Send + 'static) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    })
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program with `--json` to its end.
pub(crate) fn json(url: &str, options: &[&str]) -> (i32, Value) {
    let options = [options, &["--json"]].concat();
    let ended = Bench::start(url, &options).end();
    let value = serde_json::from_str(&ended.output);
    (
        ended.code,
        value.unwrap_or_else(|error| panic!("{error}: {} {}", ended.output, ended.notes)),
    )
}

pub(crate) fn number(value: &Value, path: &str) -> u64 {
    let number = value.pointer(path).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("{path} in {value}"))
}

/// The kind, the code and the number of each error.
pub(crate) fn errors(value: &Value) -> Vec<(&str, Option<u64>, u64)> {
    let errors = value["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let kind = error["kind"].as_str().unwrap();
            (kind, error["code"].as_u64(), number(error, "/count"))
        })
        .collect()
}
