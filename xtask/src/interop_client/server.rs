//! An echo server of other people's, running, and connections to it.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use framewire::blocking::Shutdown;
use framewire::handshake::{Connector, Established};
use framewire::protocol::Role;
use framewire::{Config, Socket, WebSocket};

use crate::process::Running;
use crate::server::MAX_MESSAGE;

/// A server that does what the target of a request asks for; `conformance/interop/server.py` has
/// the list.
pub(crate) struct EchoServer {
    address: SocketAddr,
    _process: Running,
    /// Open until the server has ended.
    _stdout: BufReader<ChildStdout>,
}

impl EchoServer {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let process = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, stdout) = process.first_line(START)?;
        let address = line
            .parse()
            .with_context(|| format!("the server printed {line:?} instead of HOST:PORT"))?;
        Ok(Self {
            address,
            _process: process,
            _stdout: stdout,
        })
    }

    pub(crate) fn handshake(
        &self,
        target: &str,
        connector: &Connector,
    ) -> Result<Established<Metered>> {
        let stream = TcpStream::connect_timeout(&self.address, SILENCE)?;
        stream.set_nodelay(true)?;
        let uri = format!("ws://{}{target}", self.address);
        Ok(connector.handshake(Metered::new(stream), &uri)?)
    }

    pub(crate) fn connect(&self, target: &str, connector: &Connector) -> Result<Client> {
        open(self.handshake(target, connector)?)
    }

    /// Checks how the server saw a connection closed that was named with `id=ID`: `CODE REASON`.
    pub(crate) fn saw_close(&self, id: &str, expected: &str) -> Result<()> {
        let mut websocket = self.connect(&format!("/closed?of={id}"), &Connector::new())?;
        let seen = websocket.next_message()?.text().map(str::to_owned);
        ensure!(
            seen.as_deref().is_some_and(|it| it.starts_with(expected)),
            "the server saw it closed with {seen:?}"
        );
        shut_down(websocket)?;
        Ok(())
    }
}

pub(crate) type Client = WebSocket<Metered>;

/// Makes a connection of what the handshake has left.
pub(crate) fn open(established: Established<Metered>) -> Result<Client> {
    let mut config = Config::default();
    config.limits.message = MAX_MESSAGE as u64;
    let websocket = WebSocket::from_established(established, Role::Client, config)?;
    websocket.stream().set_read_timeout(Some(SILENCE))?;
    websocket.stream().set_write_timeout(Some(SILENCE))?;
    Ok(websocket)
}

/// Completes the closing handshake, which has to be clean, and gives the socket back: the server
/// waits for that.
pub(crate) fn shut_down(mut websocket: Client) -> Result<Shutdown> {
    let end = websocket.shutdown(SILENCE)?;
    ensure!(end.clean, "not a clean end: {end:?}");
    Ok(end)
}

/// A socket that counts its bytes.
pub(crate) struct Metered {
    socket: TcpStream,
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

impl Metered {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            received: 0,
            sent: 0,
        }
    }
}

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.socket.read(buf)?;
        self.received += len;
        Ok(len)
    }
}

impl Write for Metered {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = self.socket.write_vectored(bufs)?;
        self.sent += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Socket for Metered {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_write_timeout(timeout)
    }
}

const START: Duration = Duration::from_secs(20);
/// How long the server may take to go on.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
