//! An echo server of other people's, running, and connections to it.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use framewire::blocking::Shutdown;
use framewire::handshake::{Connector, Established};
use framewire::protocol::Role;
use framewire::rustls::ALL_VERSIONS;
use framewire::upgrade::{Dialer, Stream};
use framewire::{Config, Socket, WebSocket};

use super::Tls;
use crate::process::Running;
use crate::server::MAX_MESSAGE;

/// A server that does what the target of a request asks for; `conformance/interop/server.py` has
/// the list.
pub(crate) struct EchoServer {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    dialer: Dialer,
    _process: Running,
    /// Open until the server has ended.
    _stdout: BufReader<ChildStdout>,
}

impl EchoServer {
    pub(crate) fn start(command: &mut Command, tls: Option<&Tls>) -> Result<Self> {
        let (scheme, dialer) = match tls {
            None => ("ws", Dialer::new()),
            Some(tls) => {
                let config = tls.certificate.trusted(ALL_VERSIONS)?;
                ("wss", Dialer::new().tls(config))
            }
        };
        let process = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, stdout) = process.first_line(START)?;
        let address = line
            .parse()
            .with_context(|| format!("the server printed {line:?} instead of HOST:PORT"))?;
        Ok(Self {
            address,
            scheme,
            dialer,
            _process: process,
            _stdout: stdout,
        })
    }

    pub(crate) fn handshake(
        &self,
        target: &str,
        connector: &Connector,
    ) -> Result<Established<Stream>> {
        let connector = connector.clone().dialer(self.dialer.clone());
        Ok(connector.connect(&self.url("localhost", target))?)
    }

    /// The URL of a target, with this as the host.
    pub(crate) fn url(&self, host: &str, target: &str) -> String {
        format!("{}://{host}:{}{target}", self.scheme, self.address.port())
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
pub(crate) fn open(established: Established<Stream>) -> Result<Client> {
    let mut config = Config::default();
    config.limits.message = MAX_MESSAGE as u64;
    let deflate = established.deflate().cloned();
    let (stream, leftover) = established.into_parts();
    let metered = Metered {
        stream,
        received: leftover.len(),
        sent: 0,
    };
    let mut websocket = WebSocket::with_leftover(metered, &leftover, Role::Client, config)?;
    if let Some(negotiated) = deflate {
        websocket.set_deflate(&negotiated);
    }
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

/// A stream that counts the bytes of its frames.
pub(crate) struct Metered {
    stream: Stream,
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buf)?;
        self.received += len;
        Ok(len)
    }
}

impl Write for Metered {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = self.stream.write_vectored(bufs)?;
        self.sent += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Socket for Metered {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }
}

const START: Duration = Duration::from_secs(20);
/// How long the server may take to go on.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
