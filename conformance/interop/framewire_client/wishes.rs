//! What each end wants of compression, and what they have to agree on (RFC 7692 7.1).

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use framewire::deflate::{Deflate, DeflateConfig, Parameters};
use framewire::handshake::Connector;

use super::connection::Connected;

/// What one end wants; the default is nothing but compression.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: Option<u8>,
    pub(crate) client_max_window_bits: Option<u8>,
}

impl Wishes {
    /// A client of ours that wants this.
    pub(crate) fn connector(self) -> Result<Connector> {
        let deflate = Deflate::new(
            DeflateConfig::default()
                .server_no_context_takeover(self.server_no_context_takeover)
                .client_no_context_takeover(self.client_no_context_takeover)
                .server_max_window_bits(self.server_max_window_bits.unwrap_or(15))
                .client_max_window_bits(self.client_max_window_bits.unwrap_or(15)),
        )?;
        Ok(Connector::new().deflate(deflate))
    }

    /// A request to the server to want this, and echo.
    pub(crate) fn target(self) -> String {
        let parameters = self.parameters();
        format!(
            "/echo?{}",
            [&["deflate".to_owned()], &parameters[..]]
                .concat()
                .join("&")
        )
    }

    /// What both ends want, where the server does not want more than the client: what either
    /// wants limited is limited.
    pub(crate) fn and(self, other: Self) -> Self {
        let narrower = |one: Option<u8>, other: Option<u8>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            _ => one.or(other),
        };
        Self {
            server_no_context_takeover: self.server_no_context_takeover
                || other.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || other.client_no_context_takeover,
            server_max_window_bits: narrower(
                self.server_max_window_bits,
                other.server_max_window_bits,
            ),
            client_max_window_bits: narrower(
                self.client_max_window_bits,
                other.client_max_window_bits,
            ),
        }
    }

    /// Checks that this is what the server has answered, and what the library made of it.
    pub(crate) fn check(self, connected: &Connected) -> Result<Parameters> {
        let headers = connected.response.headers();
        let answer = headers.get("sec-websocket-extensions");
        let answer = answer.context("the server declined")?.to_str()?;
        let mut answered: Vec<&str> = answer.split(';').map(str::trim).collect();
        let mut expected = self.parameters();
        expected.push("permessage-deflate".to_owned());
        expected.sort_unstable();
        answered.sort_unstable();
        // A limit of 15 is none, whether it is there or not.
        answered.retain(|parameter| !parameter.ends_with("=15"));
        expected.retain(|parameter| !parameter.ends_with("=15"));
        ensure!(
            answered == expected,
            "answered {answer:?}, not {expected:?}"
        );

        let negotiated = connected
            .deflate
            .as_ref()
            .context("compression is not on")?;
        let parameters = Parameters::default()
            .server_no_context_takeover(self.server_no_context_takeover)
            .client_no_context_takeover(self.client_no_context_takeover)
            .server_max_window_bits(self.server_max_window_bits.unwrap_or(15))
            .client_max_window_bits(self.client_max_window_bits.unwrap_or(15));
        let found = *negotiated.parameters();
        ensure!(found == parameters, "{found:?} is not {parameters:?}");
        Ok(found)
    }

    /// As they stand in the header.
    fn parameters(self) -> Vec<String> {
        let without_value = |is_wanted: bool, name: &str| is_wanted.then(|| name.to_owned());
        let with_bits = |bits: Option<u8>, name: &str| bits.map(|bits| format!("{name}={bits}"));
        [
            without_value(
                self.server_no_context_takeover,
                "server_no_context_takeover",
            ),
            without_value(
                self.client_no_context_takeover,
                "client_no_context_takeover",
            ),
            with_bits(self.server_max_window_bits, "server_max_window_bits"),
            with_bits(self.client_max_window_bits, "client_max_window_bits"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl fmt::Display for Wishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters();
        if parameters.is_empty() {
            f.write_str("nothing")
        } else {
            f.write_str(&parameters.join(" "))
        }
    }
}

/// Contexts kept or not, in every combination.
pub(crate) const TAKEOVER: [(bool, bool); 4] =
    [(false, false), (false, true), (true, false), (true, true)];

/// What two ends may want of each other.
pub(crate) fn combinations() -> Vec<(Wishes, Wishes)> {
    let mut combinations = Vec::new();
    for ours in TAKEOVER {
        for theirs in TAKEOVER {
            combinations.push((takeover(ours), takeover(theirs)));
        }
    }
    for kept in [true, false] {
        let neither = takeover((!kept, !kept));
        for window in windows() {
            combinations.push((neither.and(window), Wishes::default()));
            combinations.push((neither, window));
        }
    }
    // `ws` refuses offers of less than it wants, so the server never wants more.
    for ours in WINDOW_BITS {
        for theirs in *WINDOW_BITS.start()..=ours {
            combinations.push((
                window(Some(ours), Some(ours)),
                window(Some(theirs), Some(theirs)),
            ));
        }
    }
    combinations
}

/// Each window in each direction, alone and with another in the other direction.
fn windows() -> impl Iterator<Item = Wishes> {
    WINDOW_BITS.flat_map(|bits| {
        [
            window(Some(bits), None),
            window(None, Some(bits)),
            window(Some(bits), Some(24 - bits)),
        ]
    })
}

fn takeover((server, client): (bool, bool)) -> Wishes {
    Wishes {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        ..Wishes::default()
    }
}

fn window(server: Option<u8>, client: Option<u8>) -> Wishes {
    Wishes {
        server_max_window_bits: server,
        client_max_window_bits: client,
        ..Wishes::default()
    }
}

const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;
