//! An echo server, and connections to it.

use std::io::BufReader;
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use framewire::blocking::Shutdown;
use framewire::handshake::Connector;
use framewire::rustls::ALL_VERSIONS;
use framewire::upgrade::{Dialer, Proxies};

use super::connection::{Caller, Client, Connected};
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::process::Running;

/// A server, and the way to it.
pub(crate) struct EchoServer {
    caller: Caller,
    address: SocketAddr,
    scheme: &'static str,
    dialer: Dialer,
    /// The server's process, and its output, open until it has ended.
    _running: Option<(Running, BufReader<ChildStdout>)>,
}

impl EchoServer {
    /// Starts a server that does what the target of a request asks for; `conformance/interop/server.py` has
    /// the list.
    pub(crate) fn start(
        command: &mut Command,
        certificate: Option<&Certificate>,
        front_end: FrontEnd,
    ) -> Result<Self> {
        let process = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, stdout) = process.first_line(START)?;
        let address = line
            .parse()
            .with_context(|| format!("the server printed {line:?} instead of HOST:PORT"))?;
        Ok(Self {
            _running: Some((process, stdout)),
            ..Self::at(address, certificate, Proxies::default(), front_end)?
        })
    }

    /// Returns a server that is running already.
    pub(crate) fn at(
        address: SocketAddr,
        certificate: Option<&Certificate>,
        proxies: impl Into<Proxies>,
        front_end: FrontEnd,
    ) -> Result<Self> {
        let dialer = Dialer::new().proxy(proxies);
        let (scheme, dialer) = match certificate {
            None => ("ws", dialer),
            Some(certificate) => ("wss", dialer.tls(certificate.trusted(ALL_VERSIONS)?)),
        };
        Ok(Self {
            caller: Caller::new(front_end)?,
            address,
            scheme,
            dialer,
            _running: None,
        })
    }

    /// Returns the origin of the pages that the server would have if it had any, but for its scheme.
    pub(crate) fn origin(&self) -> String {
        format!(
            "http{}://localhost:{}",
            &self.scheme[2..],
            self.address.port()
        )
    }

    pub(crate) fn connect(&self, target: &str, connector: &Connector) -> Result<Connected> {
        let connector = connector.clone().dialer(self.dialer.clone());
        self.connect_by("localhost", target, &connector)
    }

    /// Connects by another name of the host, with all that the connector says of TLS.
    pub(crate) fn connect_by(
        &self,
        host: &str,
        target: &str,
        connector: &Connector,
    ) -> Result<Connected> {
        let (scheme, port) = (self.scheme, self.address.port());
        let url = format!("{scheme}://{host}:{port}{target}");
        self.caller.connect(&url, connector)
    }

    /// Checks how the server saw a connection closed that was named with `id=ID`: `CODE REASON`.
    pub(crate) fn saw_close(&self, id: &str, expected: &str) -> Result<()> {
        let connected = self.connect(&format!("/closed?of={id}"), &Connector::new())?;
        let mut websocket = connected.websocket;
        let seen = websocket.next_message()?.context("no answer")?;
        ensure!(
            seen.text().is_some_and(|it| it.starts_with(expected)),
            "the server saw it closed with {:?}",
            seen.text()
        );
        shut_down(websocket)?;
        Ok(())
    }
}

/// Completes the closing handshake, which has to be clean, and gives the socket back: the server
/// waits for that.
pub(crate) fn shut_down(mut websocket: Client) -> Result<Shutdown> {
    let end = websocket.shutdown()?;
    ensure!(end.clean, "not a clean end: {end:?}");
    Ok(end)
}

const START: Duration = Duration::from_secs(20);
