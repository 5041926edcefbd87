//! The sockets, plain or with TLS, blocking at first and then not.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// A connection to the server.
pub(crate) trait Stream: Sized {
    /// What connections have in common.
    type Config: Clone;
    /// Bytes can be thrown away for less than reading them.
    const DISCARDS: bool;

    /// Wraps a connected socket. Does not wait.
    fn new(socket: TcpStream, config: &Self::Config) -> Result<Self>;
    fn socket(&self) -> &TcpStream;
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Takes bytes to send, as many as there is room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Sends what [`write`](Self::write) took.
    fn flush(&mut self) -> io::Result<()>;
    /// Throws away up to `bytes` that came, without looking at them, where [`DISCARDS`](Self::DISCARDS).
    fn discard(&mut self, bytes: usize) -> io::Result<usize>;
    /// Returns whether nothing is left to read after `read` bytes came into a buffer that holds `room`.
    fn is_drained(read: usize, room: usize) -> bool;

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

/// Connects, and waits for it. Reads and writes then wait up to [`PATIENCE`].
pub(crate) fn connect<S: Stream>(address: SocketAddr, config: &S::Config) -> Result<S> {
    let socket = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    set_up(&socket)?;
    S::new(socket, config)
}

/// Sets the options of a socket that is used with waiting at first.
pub(crate) fn set_up(socket: &TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(())
}

/// Begins to connect from a loopback address of its own choice, and does not wait.
///
/// A connection that this end closes keeps its port for a minute, so that one address would run out of them.
pub(crate) fn begin_to_connect<S: Stream>(
    to: SocketAddr,
    number: u64,
    config: &S::Config,
) -> Result<S> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    let last = u8::try_from(number % 250)?;
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 1, last + 1), 0));
    rustix::net::bind(&socket, &from)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error).context("connecting"),
    }
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    S::new(socket, config)
}

/// A stream without TLS.
#[derive(Debug)]
pub(crate) struct Plain(TcpStream);

impl Stream for Plain {
    type Config = ();
    const DISCARDS: bool = true;

    fn new(socket: TcpStream, (): &()) -> Result<Self> {
        Ok(Self(socket))
    }

    fn socket(&self) -> &TcpStream {
        &self.0
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn discard(&mut self, bytes: usize) -> io::Result<usize> {
        // The kernel copies nothing with this flag, so the length of the buffer is all that it takes from it.
        thread_local! {
            static UNTOUCHED: RefCell<Vec<u8>> = RefCell::new(vec![0; DISCARD]);
        }
        let result = UNTOUCHED.with_borrow_mut(|buffer| {
            let end = bytes.min(buffer.len());
            rustix::net::recv(&self.0, &mut buffer[..end], RecvFlags::TRUNC)
        });
        Ok(result?.1)
    }

    fn is_drained(read: usize, room: usize) -> bool {
        read < room
    }
}

/// A stream with TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    socket: TcpStream,
    session: ClientConnection,
}

impl Stream for Tls {
    type Config = Arc<ClientConfig>;
    const DISCARDS: bool = false;

    fn new(socket: TcpStream, config: &Self::Config) -> Result<Self> {
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Self { socket, session })
    }

    fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            // The handshake has something to say in between.
            match self.flush() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if self.session.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            self.session
                .process_new_packets()
                .map_err(io::Error::other)?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        match (taken, self.flush()) {
            (0, Err(error)) => Err(error),
            (0, Ok(())) => self.session.writer().write(bytes),
            // What blocks now is flushed later.
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    fn discard(&mut self, _: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    fn is_drained(_: usize, _: usize) -> bool {
        false
    }
}

/// Returns a configuration that takes any certificate, and does each handshake in full.
pub(crate) fn tls() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Trusts every server: they are on loopback, made their certificates a moment ago, and are not told secrets. It
/// checks no signature either, to be less work than the server.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// How much is thrown away at once.
const DISCARD: usize = 4 << 20;
/// How long a read or write may wait while connections are set up.
const PATIENCE: Duration = Duration::from_secs(10);
