//! A running server, its clients, and what the system says of it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use framewire::handshake::Connector;
use framewire::{Config, WebSocket};

use crate::process::{self, ended};
pub(crate) use crate::process::{DEADLINE, wait};

/// The options that choose it.
pub(crate) type Engine = &'static [&'static str];

pub(crate) const ENGINES: [Engine; 4] = [
    &["--engine", "blocking"],
    &["--engine", "tokio"],
    &["--engine", "tokio", "--threads", "2"],
    &["--engine", "poll"],
];

/// Runs a test with all engines at once, each on a thread of its name.
pub(crate) fn with_all_engines(test: fn(Engine)) {
    let failed: Vec<_> = thread::scope(|scope| {
        let running = ENGINES.map(|engine| {
            let thread = thread::Builder::new().name(engine.join(" "));
            let running = thread.spawn_scoped(scope, move || test(engine)).unwrap();
            (engine, running)
        });
        let ended = running.map(|(engine, running)| (engine, running.join()));
        let failed = ended.into_iter().filter(|(_, ended)| ended.is_err());
        failed.map(|(engine, _)| engine).collect()
    });
    assert!(failed.is_empty(), "failed with {failed:?}");
}

/// A server on a free port, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(engine: Engine, options: &[&str]) -> Self {
        let mut command = program();
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0"])
            .args(engine)
            .args(options);
        Self::started(command)
    }

    /// One that may have this many open files and logs, and what it logs.
    pub(crate) fn start_with_few_files(engine: Engine, files: u32) -> (Self, Log) {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
            .args([env!("CARGO_BIN_EXE_framewire"), "serve"])
            .args(["--listen", "127.0.0.1:0"])
            .args(engine);
        Self::started_logging(command)
    }

    /// One that logs, and what it logs.
    pub(crate) fn start_logging(engine: Engine, options: &[&str]) -> (Self, Log) {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(engine)
            .args(options);
        Self::started_logging(command)
    }

    fn started_logging(mut command: Command) -> (Self, Log) {
        command.stderr(Stdio::piped());
        let mut server = Self::started(command);
        let stderr = BufReader::new(server.child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // The test is over where nobody listens.
                let _ = sender.send(line.unwrap());
            }
        });
        (server, Log { lines })
    }

    fn started(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("listening on ws")
            .map(|rest| rest.trim_start_matches('s'))
            .and_then(|rest| rest.strip_prefix("://"))
            .and_then(|rest| rest.strip_suffix("/\n"));
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server printed {line:?}");
        };
        Self {
            child,
            stdout,
            address,
        }
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    pub(crate) fn connect(&self) -> WebSocket<TcpStream> {
        self.try_connect(&Connector::new()).unwrap()
    }

    pub(crate) fn try_connect(
        &self,
        connector: &Connector,
    ) -> Result<WebSocket<TcpStream>, framewire::Error> {
        let uri = format!("ws://{}/", self.address);
        let websocket =
            framewire::connect_stream_with(self.tcp(), &uri, connector, Config::default())?;
        websocket.stream().set_read_timeout(Some(DEADLINE))?;
        websocket.stream().set_write_timeout(Some(DEADLINE))?;
        Ok(websocket)
    }

    /// A connection past its handshake, to send whatever bytes.
    pub(crate) fn connect_raw(&self) -> TcpStream {
        self.connect().into_inner().0
    }

    /// What the server answers to this before it closes the connection.
    pub(crate) fn answer(&self, request: &str) -> String {
        let mut stream = self.tcp();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Sends a signal by its name: TERM, INT, HUP.
    pub(crate) fn signal(&self, name: &str) {
        process::signal(&self.child, name);
    }

    /// Waits for the end: how it was, and what was printed after the first line.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim()
            .strip_suffix(" kB")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            * 1024
    }

    /// Processor time used so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field, the name, may hold spaces; user and system time are 14 and 15.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a server logs.
pub(crate) struct Log {
    lines: Receiver<String>,
}

impl Log {
    /// The next line.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// The next line has to be this, of a connection from there.
    pub(crate) fn expect(&self, peer: SocketAddr, line: &str) {
        assert_eq!(self.line(), format!("{peer} {line}"));
    }

    /// The lines that are there already.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// What is left once the server has ended.
    pub(crate) fn rest(self) -> Vec<String> {
        self.lines.iter().collect()
    }
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_framewire"))
}

/// Runs the program to its end: exit code and what it said on standard error.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = program();
    program.args(arguments).stdout(Stdio::null());
    ended(program.stderr(Stdio::piped()).spawn().unwrap())
}

/// Tries until it works.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(result) = attempt() {
            return result;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not happen");
}

/// Waits until a count does not grow any more.
pub(crate) fn until_it_rests(count: &AtomicUsize) {
    let mut last = usize::MAX;
    while last != count.load(Ordering::Relaxed) {
        last = count.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(300));
    }
}

/// Whether the peer has ended the connection, with or without a reset.
pub(crate) fn is_ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1024]) {
        Ok(0) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        Ok(_) => false,
    }
}

/// Whether the peer has reset the connection: found out without a read, of which it would take note.
pub(crate) fn is_reset(stream: &TcpStream) -> bool {
    let error = stream.take_error().unwrap();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}
