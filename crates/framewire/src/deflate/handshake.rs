//! Compression as an extension of the opening handshake.

use std::error::Error as StdError;
use std::sync::Arc;

use super::{Deflate, Negotiated};
use crate::handshake::{Acceptor, Connector, Established, Extension};
use crate::protocol::Agreement;

impl Acceptor {
    /// Agrees to compress messages with a client whose offer the policy allows. Sets the [extension](Self::extension)
    /// that is used.
    #[must_use]
    pub fn deflate(self, deflate: Deflate) -> Self {
        self.extension(deflate)
    }
}

impl Connector {
    /// Offers to compress messages. Sets the [extension](Self::extension) that is used.
    #[must_use]
    pub fn deflate(self, deflate: Deflate) -> Self {
        self.extension(deflate)
    }
}

impl<S> Established<S> {
    /// Returns the compression agreed on, if any.
    pub fn deflate(&self) -> Option<&Negotiated> {
        self.extension()?.downcast_ref()
    }
}

impl Extension for Deflate {
    fn offer(&self) -> String {
        self.offer()
    }

    fn accept(&self, offered: &[&str]) -> Option<(Arc<dyn Agreement>, String)> {
        let (negotiated, answer) = self.accept(offered.iter().copied())?;
        Some((Arc::new(negotiated), answer))
    }

    fn check(
        &self,
        answered: &[&str],
    ) -> Result<Option<Arc<dyn Agreement>>, Box<dyn StdError + Send + Sync>> {
        let negotiated = self.check(answered.iter().copied())?;
        Ok(negotiated.map(|negotiated| Arc::new(negotiated) as _))
    }
}
