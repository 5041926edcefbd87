//! A server under load, and how clients reach it.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use framewire::deflate::{Deflate, DeflateConfig, ZlibRs};
use framewire::handshake::Connector;
use framewire::rustls::ALL_VERSIONS;
use framewire::tokio::{Stream, WebSocket};
use framewire::upgrade::Dialer;
use framewire::{Config, Limits};
use tokio::net::TcpStream;

use crate::certificate::Certificate;
use crate::server::{MAX_MESSAGE, Program, Server};

/// A server under load.
pub(super) struct Target {
    name: String,
    server: Server,
    url: String,
    dialer: Dialer,
    plain: Connector,
    compressing: Connector,
}

impl Target {
    /// Starts a server, which takes TLS connections alone if there is a certificate.
    pub(super) fn start(
        program: &Program,
        engine: &str,
        certificate: Option<&Certificate>,
    ) -> Result<Self> {
        let places = PLACES.to_string();
        let mut options = vec!["--engine", engine, "--deflate"];
        options.extend(["--max-connections", &places]);
        options.extend(["--write-timeout", WRITE_TIMEOUT]);
        if let Some(certificate) = certificate {
            options.extend(["--tls-cert", certificate.cert_file()]);
            options.extend(["--tls-key", certificate.key_file()]);
        }
        let server = Server::start_in(&ALLOCATOR, program, &options)?;
        let dialer = match certificate {
            Some(certificate) => Dialer::new().tls(certificate.trusted(ALL_VERSIONS)?),
            None => Dialer::new(),
        };
        let plain = Connector::new().dialer(dialer.clone());
        // As many contexts as there can be connections, since all clients share them.
        let deflate = Deflate::with_engine(DeflateConfig::default(), ZlibRs, PLACES)?;
        let (scheme, suffix) = match certificate {
            Some(_) => ("wss", " with TLS"),
            None => ("ws", ""),
        };
        Ok(Self {
            name: format!("{engine}{suffix}"),
            url: server.url(scheme),
            server,
            dialer,
            compressing: plain.clone().deflate(deflate),
            plain,
        })
    }

    /// Returns the id of the server's process.
    pub(super) fn id(&self) -> u32 {
        self.server.id()
    }

    /// Ends the server as an operator does.
    pub(super) fn stop(self) -> Result<()> {
        self.server.stop().context(self.name)
    }

    /// Opens a connection.
    pub(super) async fn connect(&self, compresses: bool) -> Result<WebSocket<Stream>> {
        let connector = if compresses {
            &self.compressing
        } else {
            &self.plain
        };
        let limits = Limits::default().message(MAX_MESSAGE as u64);
        let config = Config::default().limits(limits);
        let connected = framewire::tokio::connect_with(&self.url, connector, config);
        connected.await.context("cannot connect")
    }

    /// Opens a connection and returns its stream, to send whatever bytes.
    pub(super) async fn connect_raw(&self, compresses: bool) -> Result<Stream> {
        let (stream, leftover) = self.connect(compresses).await?.into_inner();
        if !leftover.is_empty() {
            bail!("the server sent {leftover:?} right after the handshake");
        }
        Ok(stream)
    }

    /// Opens a connection over TLS if the server takes those, without a handshake of WebSocket's.
    pub(super) async fn dial(&self) -> Result<Stream> {
        let uri = self.url.replacen("ws", "http", 1).parse()?;
        let dialed = framewire::tokio::upgrade::dial(&self.dialer, &uri, DIALING).await;
        dialed.context("cannot dial")
    }

    /// Opens a TCP connection, without TLS and a handshake.
    pub(super) async fn connect_tcp(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.server.address()).await;
        stream.context("cannot connect over TCP")
    }

    /// Returns whether the server takes TLS connections.
    pub(super) fn is_secure(&self) -> bool {
        self.url.starts_with("wss")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Has glibc's allocator give back what is freed: larger pieces have a mapping each, and smaller ones share one heap
/// that shrinks. By itself it keeps tens of MiB, more or less of it from one minute to the next.
const ALLOCATOR: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "4096"),
    ("MALLOC_TRIM_THRESHOLD_", "4096"),
    ("MALLOC_TOP_PAD_", "0"),
];
/// How many connections a server takes.
pub(super) const PLACES: usize = 32;
/// How long a client may take nothing, in seconds.
const WRITE_TIMEOUT: &str = "5";
const DIALING: Duration = Duration::from_secs(30);
