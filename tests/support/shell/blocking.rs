//! The blocking front end, as the cases call it.

use framewire::handshake::{Acceptor, Connector, Established, HandshakeError};
use framewire::upgrade::Stream;
use framewire::{Config, Socket, WebSocket};
use http::{Request, Uri};
use std::io;
use std::net::TcpStream;

pub mod upgrade {
    use super::Shelled;
    #[allow(unused_imports, reason = "each test file uses a part of it")]
    pub use framewire::upgrade::PendingUpgrade;
    use framewire::upgrade::{self, Dialer, Limits, Stream, UpgradeError, Upgraded};
    use http::{Request, Response, Uri};
    use std::time::Duration;

    pub fn receive<S: Shelled>(
        stream: S,
        limits: &Limits,
    ) -> Result<PendingUpgrade<S::In>, UpgradeError> {
        upgrade::receive(stream.enter(), limits)
    }

    pub fn request<S: Shelled, E: From<UpgradeError>>(
        stream: S,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), E>,
    ) -> Result<Upgraded<S::In>, E> {
        upgrade::request(stream.enter(), request, limits, validate)
    }

    pub fn dial(dialer: &Dialer, uri: &Uri, time: Duration) -> Result<Stream, UpgradeError> {
        dialer.dial(uri, time)
    }

    pub fn dial_and_request(
        dialer: &Dialer,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), UpgradeError>,
    ) -> Result<Upgraded<Stream>, UpgradeError> {
        dialer.dial_and_request(request, limits, validate)
    }
}

/// A stream that this front end takes, maybe as another.
pub trait Shelled {
    type In: Socket + 'static;

    fn enter(self) -> Self::In;
}

impl<S: Socket + 'static> Shelled for S {
    type In = S;

    fn enter(self) -> S {
        self
    }
}

/// The stream of a connection that was dialled.
pub type Dialled = Stream;

/// I/O calls up to the first read, that one included.
pub const CALLS_TO_READ: usize = 2;

/// What fails when each call in turn does, in that order: time-outs are set, and in the end taken
/// back.
pub const FAILURES_OF_A_REQUEST: &[framewire::upgrade::UpgradeErrorKind] = {
    use framewire::upgrade::UpgradeErrorKind::{Io, Read, Write};
    &[Write, Read, Io]
};

pub fn accept<S: Socket>(acceptor: &Acceptor, stream: S) -> Result<Established<S>, HandshakeError> {
    acceptor.accept(stream)
}

pub fn receive<S: Socket>(
    acceptor: &Acceptor,
    stream: S,
) -> Result<framewire::handshake::PendingHandshake<S>, HandshakeError> {
    acceptor.receive(stream)
}

pub fn take_over<S>(
    acceptor: &Acceptor,
    stream: S,
    leftover: Vec<u8>,
    request: &Request<()>,
) -> framewire::handshake::PendingHandshake<S> {
    acceptor.take_over(stream, leftover, request)
}

pub fn connect_stream<S: Socket>(
    connector: &Connector,
    stream: S,
    uri: &str,
) -> Result<Established<S>, HandshakeError> {
    connector.connect_stream(stream, uri)
}

pub fn connect(connector: &Connector, uri: &str) -> Result<Established<Stream>, HandshakeError> {
    connector.connect(uri)
}

pub fn connect_over(
    connector: &Connector,
    uri: &str,
    dial: impl FnMut(&Uri) -> io::Result<TcpStream>,
) -> Result<Established<TcpStream>, HandshakeError> {
    connector.connect_over(uri, dial)
}

pub fn connect_with(
    uri: &str,
    connector: &Connector,
) -> Result<WebSocket<Dialled>, framewire::Error> {
    framewire::connect_with(uri, connector, Config::default())
}

pub fn assert_unarmed(stream: &Dialled) {
    let stream = stream.get_ref();
    assert_eq!(stream.read_timeout().unwrap(), None);
    assert_eq!(stream.write_timeout().unwrap(), None);
}

/// The version of TLS that was agreed on, if any.
pub fn tls_version(stream: &Dialled) -> Option<framewire::rustls::ProtocolVersion> {
    let Stream::Tls(stream) = stream else {
        return None;
    };
    stream.inspect(|session| session.protocol_version())
}
