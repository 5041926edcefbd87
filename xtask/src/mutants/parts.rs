//! The parts whose code is changed, and the suites that have to notice.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Part {
    /// `framewire::frame`
    Frame,
    /// `framewire::deflate::negotiate`
    Negotiate,
    /// `framewire::protocol`
    Protocol,
    /// `framewire::connection`
    Connection,
    /// `framewire::handshake`
    Handshake,
    /// `framewire-upgrade`
    Upgrade,
}

/// Tests that are built and run together.
pub(super) struct Suites {
    pub(super) features: Option<&'static str>,
    /// Which packages and which of their tests are built, in Cargo's words.
    pub(super) cargo: &'static [&'static str],
    /// Which of these run: all of them unless named.
    pub(super) tests: &'static [&'static str],
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Negotiate => "negotiate",
            Self::Protocol => "protocol",
            Self::Connection => "connection",
            Self::Handshake => "handshake",
            Self::Upgrade => "upgrade",
        }
    }

    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Upgrade => "framewire-upgrade",
            _ => "framewire",
        }
    }

    /// Returns the files of the part.
    pub(super) fn files(self) -> Option<&'static str> {
        match self {
            Self::Frame => Some("crates/framewire/src/frame/**"),
            Self::Negotiate => Some("crates/framewire/src/deflate/negotiate.rs"),
            Self::Protocol => Some("crates/framewire/src/protocol/**"),
            Self::Connection => Some("crates/framewire/src/connection/**"),
            Self::Handshake => Some("crates/framewire/src/handshake/**"),
            Self::Upgrade => None,
        }
    }

    /// Returns the suites that hold the part. Each has to catch what the ones before it have missed, so that the fast
    /// ones are first.
    pub(super) fn suites(self) -> &'static [Suites] {
        match self {
            Self::Negotiate => &[NEGOTIATION, DEFLATE],
            Self::Frame | Self::Protocol | Self::Connection => &[UNIT, CLAUSES, WITHOUT_TLS],
            Self::Handshake => &[UNIT, OPENING, HANDSHAKE, HTTP, DIAL],
            Self::Upgrade => &[UNIT_OF_UPGRADE, OPENING, HANDSHAKE, HTTP, DIAL],
        }
    }
}

const UNIT: Suites = Suites {
    features: Some(
        "framewire/simd,framewire/handshake,framewire/deflate,framewire/miniz_oxide,framewire/futures",
    ),
    cargo: &["--lib"],
    tests: &[],
};
const UNIT_OF_UPGRADE: Suites = Suites {
    features: Some("framewire-upgrade/tokio-rustls"),
    cargo: &["--lib"],
    tests: &[],
};
const CLAUSES: Suites = Suites {
    features: Some("framewire/simd"),
    cargo: &["--package=framewire-tests", "--test=clauses"],
    tests: &[],
};
/// What the RFCs say of the opening handshake.
const OPENING: Suites = Suites {
    tests: &["rfc6455_4", "rfc8441"],
    ..CLAUSES
};
const NEGOTIATION: Suites = Suites {
    features: None,
    cargo: &["--package=framewire-tests", "--test=deflate"],
    tests: &["negotiation"],
};
const DEFLATE: Suites = Suites {
    tests: &[],
    ..NEGOTIATION
};
const HANDSHAKE: Suites = Suites {
    features: Some("framewire-tests/tls"),
    cargo: &["--package=framewire-tests", "--test=handshake"],
    tests: &[],
};
/// What needs neither TLS nor a server of others.
const WITHOUT_TLS: Suites = Suites {
    features: Some("framewire/simd"),
    cargo: &[
        "--package=framewire-tests",
        "--test=behaviour",
        "--test=blocking",
        "--test=budget",
        "--test=deflate",
        "--test=tokio",
    ],
    tests: &[],
};
const HTTP: Suites = Suites {
    features: Some("framewire-tests/http"),
    cargo: &["--package=framewire-tests", "--test=http"],
    tests: &[],
};
/// The way to a server.
const DIAL: Suites = Suites {
    features: Some("framewire-tests/tls"),
    cargo: &["--package=framewire-tests", "--test=dial"],
    tests: &[],
};
