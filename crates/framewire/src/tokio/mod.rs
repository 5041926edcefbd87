//! The tokio front end, over any stream that is `AsyncRead + AsyncWrite`.
