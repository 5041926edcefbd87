//! What the other end must have: a certificate for its name, and a protocol that is spoken here.

use crate::error::{UpgradeError, UpgradeErrorKind};
use rustls::pki_types::ServerName;

/// Returns a host as a name for TLS.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, UpgradeError> {
    ServerName::try_from(host.to_owned()).map_err(|error| {
        let message = format!("{host:?} is no name that a certificate could be for");
        UpgradeError::new(UpgradeErrorKind::InvalidArgument, message).with_cause(error)
    })
}

/// Fails where the protocol agreed on is not spoken here (RFC 7301 3.2: only that one may be spoken).
pub(crate) fn check_alpn(host: &str, agreed: Option<&[u8]>) -> Result<(), UpgradeError> {
    let Some(protocol) = agreed.filter(|protocol| *protocol != b"http/1.1") else {
        return Ok(());
    };
    let message = format!(
        "{host} and the tls configuration agreed on {}, which is not http/1.1",
        protocol.escape_ascii()
    );
    Err(UpgradeError::new(UpgradeErrorKind::Tls, message))
}
