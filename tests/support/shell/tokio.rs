//! The tokio front end, as the cases call it: each call waits until the future is done.

use framewire::handshake::{Acceptor, Connector, Established, HandshakeError};
use framewire::protocol::Role;
use framewire::tokio as front;
use framewire::{Config, Socket, WebSocket};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::{Builder, Runtime};

pub mod upgrade {
    use super::{Shelled, Waiting, front, wait};
    use framewire::upgrade::{Dialer, Limits, UpgradeError, Upgraded};
    use http::{HeaderMap, Request, Response, Uri};
    use std::time::Duration;
    use tokio::io::{AsyncRead, AsyncWrite};

    #[derive(Debug)]
    pub struct PendingUpgrade<S>(front::upgrade::PendingUpgrade<S>);

    pub fn receive<S: Shelled>(
        stream: S,
        limits: &Limits,
    ) -> Result<PendingUpgrade<S::In>, UpgradeError> {
        wait(async { front::upgrade::receive(stream.enter(), limits).await }).map(PendingUpgrade)
    }

    pub fn request<S: Shelled, E: From<UpgradeError>>(
        stream: S,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), E>,
    ) -> Result<Upgraded<S::In>, E> {
        wait(async { front::upgrade::request(stream.enter(), request, limits, validate).await })
    }

    pub fn dial(
        dialer: &Dialer,
        uri: &Uri,
        time: Duration,
    ) -> Result<super::Dialled, UpgradeError> {
        wait(front::upgrade::dial(dialer, uri, time)).map(Waiting)
    }

    pub fn dial_and_request(
        dialer: &Dialer,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), UpgradeError>,
    ) -> Result<super::Parts, UpgradeError> {
        let asked = front::upgrade::dial_and_request(dialer, request, limits, validate);
        let (stream, leftover, ..) = wait(asked)?.into_parts();
        Ok(super::Parts(Waiting(stream), leftover))
    }

    impl<S: AsyncRead + AsyncWrite + Unpin> PendingUpgrade<S> {
        pub fn from_parts<T: Shelled<In = S>>(
            stream: T,
            leftover: Vec<u8>,
            request: &Request<impl Sized>,
            limits: &Limits,
        ) -> Self {
            let stream = stream.enter();
            Self(front::upgrade::PendingUpgrade::from_parts(
                stream, leftover, request, limits,
            ))
        }

        pub fn request(&self) -> &Request<()> {
            self.0.request()
        }

        pub fn accept(
            self,
            accepted: &[&str],
            headers: HeaderMap,
        ) -> Result<Upgraded<S>, UpgradeError> {
            wait(self.0.accept(accepted, headers))
        }

        pub fn switch(self, response: Response<()>) -> Result<Upgraded<S>, UpgradeError> {
            wait(self.0.switch(response))
        }

        pub fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, UpgradeError> {
            wait(self.0.refuse(response))
        }
    }
}

/// A stream that this front end takes as another.
pub trait Shelled: Sized {
    type In: AsyncRead + AsyncWrite + Unpin + 'static;

    fn enter(self) -> Self::In;
}

impl Shelled for crate::peer::ScriptedPeer {
    type In = Self;

    fn enter(self) -> Self {
        self
    }
}

impl Shelled for TcpStream {
    type In = Waiting<tokio::net::TcpStream>;

    fn enter(self) -> Self::In {
        self.set_nonblocking(true).unwrap();
        Waiting(tokio::net::TcpStream::from_std(self).unwrap())
    }
}

/// A stream of tokio's with calls that wait for what a socket gives, which [`wait`](crate::wait::wait) would not.
#[derive(Debug)]
pub struct Waiting<S>(S);

impl<S> Deref for Waiting<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Waiting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Waiting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> Read for Waiting<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        wait(self.0.read(buf))
    }
}

impl<S: AsyncWrite + Unpin> Write for Waiting<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        wait(self.0.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        wait(self.0.flush())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for Waiting<S> {
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        wait(self.0.shutdown())
    }
}

/// What came of an upgrade, with calls that wait.
pub struct Parts(Dialled, Vec<u8>);

impl Parts {
    pub fn get_ref(&self) -> &Dialled {
        &self.0
    }

    pub fn into_rewind(self) -> framewire::upgrade::Rewind<Dialled> {
        framewire::upgrade::Rewind::new(self.0, self.1)
    }
}

#[derive(Debug)]
pub struct PendingHandshake<S>(front::handshake::PendingHandshake<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> PendingHandshake<S> {
    pub fn accept(self) -> Result<Established<S>, HandshakeError> {
        wait(self.0.accept())
    }

    pub fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, HandshakeError> {
        wait(self.0.refuse(response))
    }

    pub fn add_header(
        &mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<(), HandshakeError> {
        self.0.add_header(name, value)
    }

    pub fn request(&self) -> &Request<()> {
        self.0.request()
    }

    pub fn is_websocket(&self) -> bool {
        self.0.is_websocket()
    }

    pub fn refusal(&self) -> Option<&HandshakeError> {
        self.0.refusal()
    }
}

/// The stream of a connection that was dialled.
pub type Dialled = Waiting<front::Stream>;

/// I/O calls up to the first read, that one included.
pub const CALLS_TO_READ: usize = 1;

/// What fails when each call in turn does, in that order.
pub const FAILURES_OF_A_REQUEST: &[framewire::upgrade::UpgradeErrorKind] = {
    use framewire::upgrade::UpgradeErrorKind::{Read, Write};
    &[Write, Read]
};

pub fn accept<S: Shelled>(
    acceptor: &Acceptor,
    stream: S,
) -> Result<Established<S::In>, HandshakeError> {
    wait(async { front::handshake::accept(stream.enter(), acceptor).await })
}

pub fn receive<S: Shelled>(
    acceptor: &Acceptor,
    stream: S,
) -> Result<PendingHandshake<S::In>, HandshakeError> {
    wait(async { front::handshake::receive(stream.enter(), acceptor).await }).map(PendingHandshake)
}

pub fn take_over<S: Shelled>(
    acceptor: &Acceptor,
    stream: S,
    leftover: Vec<u8>,
    request: &Request<()>,
) -> PendingHandshake<S::In> {
    let stream = stream.enter();
    PendingHandshake(front::handshake::take_over(
        stream, leftover, request, acceptor,
    ))
}

pub fn connect_stream<S: Shelled>(
    connector: &Connector,
    stream: S,
    uri: &str,
) -> Result<Established<S::In>, HandshakeError> {
    wait(async { front::handshake::connect_stream(stream.enter(), uri, connector).await })
}

pub fn connect(
    connector: &Connector,
    uri: &str,
) -> Result<Established<front::Stream>, HandshakeError> {
    wait(front::handshake::connect(uri, connector))
}

pub fn connect_over(
    connector: &Connector,
    uri: &str,
    mut dial: impl FnMut(&Uri) -> io::Result<TcpStream>,
) -> Result<Established<Waiting<tokio::net::TcpStream>>, HandshakeError> {
    wait(front::handshake::connect_over(uri, connector, |uri| {
        let stream = dial(&uri);
        async { Ok(stream?.enter()) }
    }))
}

pub fn connect_with(
    uri: &str,
    connector: &Connector,
) -> Result<WebSocket<Dialled>, framewire::Error> {
    let parts = connect(connector, uri)?.into_parts();
    let (stream, config) = (Waiting(parts.stream), Config::default());
    WebSocket::with_leftover(stream, &parts.leftover, Role::Client, config)
}

/// Time-outs are not of tokio's streams.
pub fn assert_unarmed(_: &Dialled) {}

/// The version of TLS that was agreed on, if any.
pub fn tls_version(stream: &Dialled) -> Option<framewire::rustls::ProtocolVersion> {
    let front::Stream::Tls(stream) = &**stream else {
        return None;
    };
    stream.get_ref().1.protocol_version()
}

fn wait<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    });
    RUNTIME.block_on(future)
}
