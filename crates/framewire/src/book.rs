//! The chapters of the book in `docs`, whose code blocks are compiled with the tests.
//!
//! Each chapter with a block of Rust is named here; a test of the examples (`tests/examples/book.rs`) finds one that
//! is not.

#[cfg(feature = "tokio-net")]
mod tutorial {
    #[doc = include_str!("../docs/tutorial/1-echo.md")]
    struct Echo;
    #[doc = include_str!("../docs/tutorial/2-rooms.md")]
    struct Rooms;
    #[doc = include_str!("../docs/tutorial/3-names.md")]
    struct Names;
    #[doc = include_str!("../docs/tutorial/4-slow-members.md")]
    struct SlowMembers;
    #[doc = include_str!("../docs/tutorial/5-orderly-end.md")]
    struct OrderlyEnd;
    #[doc = include_str!("../docs/tutorial/6-tests.md")]
    struct Tests;
}

mod how_to {
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/proxies.md")]
    struct Proxies;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/authentication.md")]
    struct Authentication;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/heartbeat.md")]
    struct Heartbeat;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/broadcast.md")]
    struct Broadcast;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/backpressure.md")]
    struct Backpressure;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/files.md")]
    struct Files;
    #[cfg(all(feature = "deflate", feature = "handshake"))]
    #[doc = include_str!("../docs/how-to/compression.md")]
    struct Compression;
    #[cfg(all(feature = "tokio-net", unix))]
    #[doc = include_str!("../docs/how-to/restart.md")]
    struct Restart;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/how-to/testing.md")]
    struct Testing;
}

mod explanation {
    #[cfg(feature = "std")]
    #[doc = include_str!("../docs/explanation/machine.md")]
    struct Machine;
    #[cfg(feature = "std")]
    #[doc = include_str!("../docs/explanation/buffers.md")]
    struct Buffers;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/explanation/cancel-safety.md")]
    struct CancelSafety;
    #[cfg(feature = "tokio-net")]
    #[doc = include_str!("../docs/explanation/closing.md")]
    struct Closing;
    #[cfg(feature = "handshake")]
    #[doc = include_str!("../docs/explanation/security.md")]
    struct Security;
}

mod coming_from {
    #[cfg(feature = "handshake")]
    #[doc = include_str!("../docs/coming-from-go.md")]
    struct Go;
    #[cfg(all(feature = "futures", feature = "tokio-net"))]
    #[doc = include_str!("../docs/coming-from-tungstenite.md")]
    struct Tungstenite;
    #[cfg(all(feature = "axum", feature = "futures"))]
    #[doc = include_str!("../docs/coming-from-axum.md")]
    struct Axum;
}
