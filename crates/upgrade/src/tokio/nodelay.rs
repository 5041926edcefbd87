//! `TCP_NODELAY` on streams of any type, as tokio has no trait for it.

use std::io;

/// Sets the option where the stream is known to be of TCP: tokio's own, or TLS over it. On any other stream, and
/// without the feature `tokio-net`, the program sets it.
pub fn set_nodelay<S: 'static>(stream: &S, nodelay: bool) -> io::Result<()> {
    #[cfg(feature = "tokio-net")]
    if let Some(tcp) = super::dial::tcp(stream) {
        return tcp.set_nodelay(nodelay);
    }
    let _ = (stream, nodelay);
    Ok(())
}
