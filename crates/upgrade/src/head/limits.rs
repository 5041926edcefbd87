//! What a peer may spend of ours before the connection is upgraded.

use std::time::Duration;

/// Bounds on one request or response head.
///
/// ```
/// use framewire_upgrade::Limits;
/// use std::time::Duration;
///
/// let limits = Limits { time: Duration::from_secs(3), ..Limits::default() };
/// assert_eq!(limits.head_bytes, 16 * 1024);
/// assert_eq!(limits.headers, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, from the first to the end of the empty line that closes it. 16 KiB.
    ///
    /// A head of exactly this many bytes is accepted. One that is not complete by then is refused
    /// at that byte: 414 inside the request line (RFC 9112 3), 431 after it (RFC 6585 5). A
    /// decoder keeps at most twice this much, and only what really arrived. No value takes the
    /// request target past 65,534 bytes, the most that an [`http::Uri`] holds: 414.
    pub head_bytes: usize,

    /// Header lines in a head. 100.
    ///
    /// The first byte of one more is refused with 431. No value takes it past 24,576, the most
    /// that an [`http::HeaderMap`] holds.
    pub headers: usize,

    /// Time from the call to the end of the head. 10 s.
    ///
    /// Bounds the whole head, not the silence between two bytes; where a client dials, connecting,
    /// proxies, TLS and redirects are within it too. At a server that speaks TLS, the handshake of TLS
    /// comes before and has a limit of its own, that of `TlsStream::accept`. A server's answer is written
    /// within as long again; what a refused peer still sends is read away for at most as long and
    /// never more than half a second. With [`Duration::MAX`] there is no limit on either head, and
    /// the stream's own time-outs are left alone. The decoders, which do no I/O, do not look at
    /// it.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            headers: 100,
            time: Duration::from_secs(10),
        }
    }
}
