//! Limits on what a peer may cost before the connection is upgraded.

use std::time::Duration;

/// Limits on one request or response head.
///
/// # Examples
/// ```
/// use framewire_upgrade::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().time(Duration::from_secs(3));
/// assert_eq!(limits.head_bytes, 16 * 1024);
/// assert_eq!(limits.headers, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of a head, from the first to the end of the empty line that closes it. Default: 16 KiB.
    ///
    /// A head of exactly this many bytes is accepted. One that is not complete by then is refused at that byte: 414
    /// inside the request line (RFC 9112 3), 431 after it (RFC 6585 5). A decoder stores at most twice this much, and
    /// only what really arrived. Whatever the value, a request target over 65,534 bytes, the most that an
    /// [`http::Uri`] holds, is refused with 414.
    pub head_bytes: usize,

    /// The most header lines in a head. Default: 100.
    ///
    /// The first byte of one more is refused with 431. Whatever the value, 24,576 is the most, as an
    /// [`http::HeaderMap`] holds no more.
    pub headers: usize,

    /// The time from the call to the end of the head. Default: 10 s.
    ///
    /// It bounds the whole head, not the silence between two bytes. Where a client dials, connecting, proxies, TLS and
    /// redirects are within it too. At a server that speaks TLS, the TLS handshake comes before and has a limit of its
    /// own, that of `TlsStream::accept`. A server's answer is written within as long again. What a refused peer still
    /// sends is discarded for at most as long, and never more than half a second. With [`Duration::MAX`] there is no
    /// limit on either head, and the stream's own time-outs are left alone. The decoders, which do no I/O, ignore this
    /// limit.
    pub time: Duration,
}

impl Limits {
    /// Creates the default limits. Unlike [`Default`], it works in constants too.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head_bytes: 16 * 1024,
            headers: 100,
            time: Duration::from_secs(10),
        }
    }

    /// Sets the most bytes of a [head](field@Self::head_bytes), 16 KiB by default.
    #[must_use]
    pub const fn head_bytes(mut self, head_bytes: usize) -> Self {
        self.head_bytes = head_bytes;
        self
    }

    /// Sets the most [header lines](field@Self::headers) in a head, 100 by default.
    #[must_use]
    pub const fn headers(mut self, headers: usize) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the [time](field@Self::time) from the call to the end of the head, 10 s by default.
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
