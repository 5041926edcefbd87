//! The two ends under way, and the TCP connections on both sides of them.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use framewire::handshake::{Connector, HandshakeError};
use framewire::{Config, WebSocket};

pub(crate) use crate::process::DEADLINE;
use crate::process::{self, wait};

pub(crate) const SUBPROTOCOL: &str = "framewire.tunnel.1";

/// One end, killed when this is dropped.
pub(crate) struct End {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Receiver<String>,
}

impl End {
    /// A server end that may connect to `target`.
    pub(crate) fn server(target: SocketAddr, options: &[&str]) -> Self {
        let allowed = format!("{target}");
        let mut arguments = vec!["--listen", "ws://127.0.0.1:0", "--allow", &allowed];
        arguments.extend(options);
        Self::start(&arguments)
    }

    /// A client end for this server end.
    pub(crate) fn client(server: &Self, options: &[&str]) -> Self {
        Self::client_of(&format!("ws://{}/", server.address), options)
    }

    pub(crate) fn client_of(url: &str, options: &[&str]) -> Self {
        let mut arguments = vec!["--listen", "tcp://127.0.0.1:0", "--connect", url];
        arguments.extend(options);
        Self::start(&arguments)
    }

    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(program(arguments))
    }

    /// An end that may have this many files open.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_files(most: usize, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh"])
            .args([&most.to_string(), env!("CARGO_BIN_EXE_framewire")]);
        Self::of(tunnel(shell, arguments))
    }

    fn of(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // The test is over where nobody listens.
                let _ = sender.send(line.unwrap());
            }
        });
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.trim_end().split_once("://"))
            .and_then(|(_, address)| address.trim_end_matches('/').parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("printed {line:?} and {:?}", log.iter().collect::<Vec<_>>());
        };
        Self {
            child,
            address,
            log,
        }
    }

    /// The next line of the log, without the address of the peer.
    pub(crate) fn logged(&self) -> String {
        let line = self.log.recv_timeout(DEADLINE).unwrap();
        let (peer, rest) = line.split_once(' ').unwrap();
        assert!(peer.parse::<SocketAddr>().is_ok(), "{line}");
        rest.to_owned()
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        timed(TcpStream::connect(self.address).unwrap())
    }

    /// Connects to a server end as another program does.
    pub(crate) fn websocket(&self, query: &str) -> WebSocket<TcpStream> {
        self.try_websocket(query, &Connector::new()).unwrap()
    }

    /// Connects to a server end as a client end does.
    pub(crate) fn speaking(&self) -> WebSocket<TcpStream> {
        let connector = Connector::new().subprotocols([SUBPROTOCOL]).unwrap();
        self.try_websocket("", &connector).unwrap()
    }

    pub(crate) fn try_websocket(
        &self,
        query: &str,
        connector: &Connector,
    ) -> Result<WebSocket<TcpStream>, HandshakeError> {
        let uri = format!("ws://{}/{query}", self.address);
        let established = connector.connect_stream(self.tcp(), &uri)?;
        let websocket = WebSocket::from_established(established, Config::default()).unwrap();
        timed(websocket.stream().try_clone().unwrap());
        Ok(websocket)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        process::signal(&self.child, name);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    /// How many of this many files are not open: one more is what a new file takes.
    #[cfg(target_os = "linux")]
    pub(crate) fn free_files(&self, most: usize) -> usize {
        let path = |file| format!("/proc/{}/fd/{file}", self.child.id());
        let is_open = |file| std::fs::symlink_metadata(path(file)).is_ok();
        (0..most).filter(|&file| !is_open(file)).count()
    }

    /// Resident memory in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib = line.trim().strip_suffix(" kB").unwrap();
        kib.parse::<usize>().unwrap() * 1024
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends, and the service behind them.
pub(crate) struct Pair {
    pub(crate) service: TcpListener,
    pub(crate) server: End,
    pub(crate) client: End,
}

impl Pair {
    pub(crate) fn start(options: &[&str]) -> Self {
        let service = listener();
        let server = End::server(service.local_addr().unwrap(), options);
        let client = End::client(&server, options);
        Self {
            service,
            server,
            client,
        }
    }

    /// A connection through both: the side of the user, and that of the service.
    pub(crate) fn connect(&self) -> (TcpStream, TcpStream) {
        let user = self.client.tcp();
        (user, accept(&self.service))
    }
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    listener().local_addr().unwrap()
}

/// The next connection that comes in time.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = eventually("a connection", || try_accept(listener));
    timed(accepted)
}

/// Ends a server end, which therefore connects to nothing any more: nothing may have come to any of these.
pub(crate) fn expect_no_connection(mut end: End, listeners: &[TcpListener]) {
    end.signal("TERM");
    assert_eq!(end.wait().code(), Some(0));
    for listener in listeners {
        assert!(try_accept(listener).is_none());
    }
}

fn try_accept(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(false).unwrap();
            Some(stream)
        }
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            None
        }
    }
}

fn timed(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub(crate) fn program(arguments: &[&str]) -> Child {
    tunnel(Command::new(env!("CARGO_BIN_EXE_framewire")), arguments)
}

fn tunnel(mut program: Command, arguments: &[&str]) -> Child {
    program
        .arg("tunnel")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Tries until it works.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(result) = attempt() {
            return result;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come");
}

pub(crate) fn say(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// The next bytes have to be these.
pub(crate) fn hear(mut stream: &TcpStream, bytes: &[u8]) {
    let mut heard = vec![0; bytes.len()];
    stream.read_exact(&mut heard).unwrap();
    assert!(heard == bytes, "other bytes than were sent");
}

/// All that comes until the clean end of the stream.
pub(crate) fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The stream has to be reset, whatever comes before.
pub(crate) fn expect_reset(mut stream: impl Read) {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => panic!("it ended well"),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                return;
            }
        }
    }
}

/// Sends until the other side takes no more for a while: how much it took. A program that only stands still is waited
/// for: it takes no more than the buffers of one connection.
pub(crate) fn fill(stream: &TcpStream, burst: &[u8]) -> usize {
    let started = Instant::now();
    let mut sent = 0;
    while sent <= taken_unread() {
        assert!(started.elapsed() < DEADLINE, "it takes {sent} bytes alone");
        sent += fill_once(stream, burst);
    }
    sent
}

/// How much a connection takes from which nobody reads.
fn taken_unread() -> usize {
    static TAKEN: OnceLock<usize> = OnceLock::new();
    *TAKEN.get_or_init(|| {
        let listener = listener();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _unread = accept(&listener);
        fill_once(&stream, &[0; 16_384])
    })
}

fn fill_once(mut stream: &TcpStream, burst: &[u8]) -> usize {
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut sent = 0;
    while sent < MOST {
        match stream.write(burst) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                assert!(kinds.contains(&error.kind()), "{error}");
                return sent;
            }
        }
    }
    panic!("it takes whatever comes");
}

/// More than all buffers of the system on the way take.
const MOST: usize = 64 << 20;
