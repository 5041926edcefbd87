//! The TLS handshake of a client, by a deadline.

use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::{Deadline, Wire as _};
use crate::tls::{broken, check_alpn, refused, server_name, unusable};
use crate::tokio::wire::{TokioWire, by};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
    deadline: Deadline,
) -> Result<TlsStream<TcpStream>, UpgradeError> {
    let connecting = TlsConnector::from(config).connect(server_name(host)?, stream);
    match by(deadline, connecting).await {
        Some(Ok(stream)) => match check_alpn(host, stream.get_ref().1.alpn_protocol()) {
            Ok(()) => Ok(stream),
            Err(error) => {
                TokioWire::new(stream, deadline).end();
                Err(error)
            }
        },
        Some(Err(error)) => Err(failed(host, error, deadline)),
        None => Err(deadline.error_for(&format!("tls handshake with {host}"))),
    }
}

/// Returns the error for a handshake. tokio-rustls wraps the errors of rustls in those of the stream.
fn failed(host: &str, error: io::Error, deadline: Deadline) -> UpgradeError {
    let was_never_begun = error.kind() == io::ErrorKind::Other;
    match error.downcast::<rustls::Error>() {
        Ok(error) if was_never_begun => unusable(error),
        Ok(error) => refused(host, error),
        Err(error) => broken(
            host,
            deadline.error(error, UpgradeErrorKind::Io, "stream"),
            deadline,
        ),
    }
}
