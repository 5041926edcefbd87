//! The TCP socket beneath a stream.

use super::stream::Stream;
use std::any::Any;
use tokio::net::TcpStream;

/// Returns the socket beneath a stream of any type, where that is tokio's own TCP stream or TLS over it.
pub(crate) fn tcp<S: 'static>(stream: &S) -> Option<&TcpStream> {
    let stream: &dyn Any = stream;
    if let Some(tcp) = stream.downcast_ref() {
        return Some(tcp);
    }
    if let Some(dialled) = stream.downcast_ref::<Stream>() {
        return Some(dialled.get_ref());
    }
    #[cfg(feature = "tokio-rustls")]
    {
        use tokio_rustls::{TlsStream, client, server};
        if let Some(tls) = stream.downcast_ref::<server::TlsStream<TcpStream>>() {
            return Some(tls.get_ref().0);
        }
        if let Some(tls) = stream.downcast_ref::<client::TlsStream<TcpStream>>() {
            return Some(tls.get_ref().0);
        }
        if let Some(tls) = stream.downcast_ref::<TlsStream<TcpStream>>() {
            return Some(tls.get_ref().0);
        }
    }
    None
}
