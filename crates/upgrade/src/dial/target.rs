//! The server that a client wants to reach.

use super::endpoint::{Endpoint, Host};
use crate::error::{UpgradeError, UpgradeErrorKind};
use http::uri::{Authority, Scheme, Uri};

/// What a URI says about the connection to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) secure: bool,
    pub(crate) endpoint: Endpoint,
}

impl Target {
    /// Returns the target of an `http` or `https` URI.
    pub fn of(uri: &Uri) -> Result<Self, UpgradeError> {
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(UpgradeError::invalid("uri is neither http nor https")),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        Self::new(secure, authority)
    }

    /// Returns the target for the authority of a URI.
    pub fn new(secure: bool, authority: &str) -> Result<Self, UpgradeError> {
        let default_port = if secure { 443 } else { 80 };
        let Some(endpoint) = Endpoint::parse(authority, default_port) else {
            return Err(UpgradeError::invalid(
                "authority of the uri is not host[:port]",
            ));
        };
        Ok(Self { secure, endpoint })
    }

    /// Returns what a certificate must be for: a name, or an address without brackets.
    #[must_use]
    pub fn certificate_host(&self) -> String {
        match &self.endpoint.host {
            Host::Name(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// Returns the error for a feature without which there is no TLS.
    pub(crate) fn needs_feature(&self, feature: &str) -> UpgradeError {
        let message = format!(
            "{} is to be reached over tls, which needs the feature `{feature}`",
            self.endpoint
        );
        UpgradeError::new(UpgradeErrorKind::Unsupported, message)
    }
}
