//! `TCP_NODELAY` on streams of any type: there is no trait of tokio's to ask them by.

use std::io;

/// Sets the option where the stream is known to be of TCP: tokio's own, or TLS over it. Of any other it is
/// the program's to set, and so it is without the feature `tokio-net`.
pub fn set_nodelay<S: 'static>(stream: &S, nodelay: bool) -> io::Result<()> {
    #[cfg(feature = "tokio-net")]
    if let Some(tcp) = super::dial::tcp(stream) {
        return tcp.set_nodelay(nodelay);
    }
    let _ = (stream, nodelay);
    Ok(())
}
