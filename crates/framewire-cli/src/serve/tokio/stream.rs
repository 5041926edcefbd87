//! A connection's socket, with TLS or without.

use std::io;
use std::sync::Arc;

use framewire::rustls::ServerConfig;
use framewire::tokio::upgrade;
use tokio_rustls::TlsAcceptor;

use super::socket::Socket;

/// The stream of a connection.
pub(super) type Stream = upgrade::Stream<Socket>;

/// Does the TLS handshake if the server has a certificate.
pub(super) async fn accept(socket: Socket, tls: Option<&Arc<ServerConfig>>) -> io::Result<Stream> {
    Ok(match tls {
        Some(config) => {
            let acceptor = TlsAcceptor::from(Arc::clone(config));
            let stream = acceptor.accept(socket).await?;
            Stream::Tls(Box::new(stream.into()))
        }
        None => Stream::Plain(socket),
    })
}
