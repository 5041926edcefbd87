//! `TCP_NODELAY` on streams of any type: there is no trait of tokio's to ask them by.

use std::io;

/// Sets the option where the stream is known to be of TCP: tokio's own, or TLS over it. Of any other it is
/// the program's to set, and so it is without the feature `tokio-net`.
pub fn set_nodelay<S: 'static>(stream: &S, nodelay: bool) -> io::Result<()> {
    #[cfg(feature = "tokio-net")]
    if let Some(tcp) = tcp(stream) {
        return tcp.set_nodelay(nodelay);
    }
    let _ = (stream, nodelay);
    Ok(())
}

#[cfg(feature = "tokio-net")]
fn tcp<S: 'static>(stream: &S) -> Option<&tokio::net::TcpStream> {
    let stream: &dyn std::any::Any = stream;
    if let Some(tcp) = stream.downcast_ref() {
        return Some(tcp);
    }
    if let Some(dialled) = stream.downcast_ref::<super::Stream>() {
        return Some(dialled.get_ref());
    }
    #[cfg(feature = "tokio-rustls")]
    {
        use tokio::net::TcpStream;
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
