//! How two ends agree on permessage-deflate, and what a connection makes of that.

use super::deflater::Deflater;
use super::inflater::Inflater;
use super::negotiate::{AnswerError, Parameters};
use super::pool::Deflate;
use crate::protocol::{Agreement, MessageDecoder, MessageEncoder, Role};

/// What both ends agreed on, with this end's policy: all that a connection needs.
#[derive(Debug, Clone)]
pub struct Negotiated {
    deflate: Deflate,
    parameters: Parameters,
}

/// The values of the handshake's `Sec-WebSocket-Extensions` headers.
impl Deflate {
    /// Answers a client: returns the agreement on the first offer that can be honoured, and the value of the answer's
    /// header. `None` declines all offers, and the connection goes on without compression.
    ///
    /// `values` are those of the request's headers in their order. Offers with unknown, duplicate or malformed
    /// parameters are declined (RFC 7692 7.1).
    pub fn accept<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Option<(Negotiated, String)> {
        let (parameters, answer) = self.config().accept(values, self.least_bits())?;
        Some((self.negotiated(parameters), answer))
    }

    /// Returns the value of a client's header.
    #[must_use]
    pub fn offer(&self) -> String {
        self.config().offer()
    }

    /// Checks a server's answer to [`offer`](Self::offer). `None` where the server declined.
    ///
    /// # Errors
    /// The server's fault; the client fails the connection.
    pub fn check<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<Negotiated>, AnswerError> {
        let agreed = self.config().check_answer(values, self.least_bits())?;
        Ok(agreed.map(|parameters| self.negotiated(parameters)))
    }

    /// Binds `parameters` to this policy, where they were not agreed on by [`accept`](Self::accept) or
    /// [`check`](Self::check). Window bits under 9 count as 9, and those over 15 as 15.
    #[must_use]
    pub fn negotiated(&self, parameters: Parameters) -> Negotiated {
        Negotiated {
            deflate: self.clone(),
            parameters,
        }
    }
}

impl Negotiated {
    /// Returns the parameters that were agreed on.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Agreement for Negotiated {
    fn encoder(&self, role: Role) -> Box<dyn MessageEncoder> {
        let (takeover, window_bits) = self.parameters.of(role);
        Box::new(Deflater::new(self.deflate.clone(), takeover, window_bits))
    }

    fn decoder(&self, role: Role) -> Box<dyn MessageDecoder> {
        let (takeover, window_bits) = self.parameters.of(match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        });
        Box::new(Inflater::new(self.deflate.clone(), takeover, window_bits))
    }
}
