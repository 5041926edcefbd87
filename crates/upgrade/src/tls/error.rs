//! TLS errors, in words that a person can act on.

use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::Deadline;
use rustls::{CertificateError, InvalidMessage};

/// Returns the error for a handshake with `peer` that rustls ended.
pub(crate) fn refused(peer: &str, error: rustls::Error) -> UpgradeError {
    let message = match &error {
        rustls::Error::InvalidCertificate(reason) => {
            format!("{} ({error})", certificate(peer, reason))
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{peer} does not speak TLS: connect to it without TLS ({error})")
        }
        rustls::Error::InvalidMessage(_) => {
            format!("{peer} answered with something else than tls: {error}")
        }
        rustls::Error::AlertReceived(_) => {
            format!("{peer} refused the tls handshake: {error}")
        }
        error => format!("tls handshake with {peer} failed: {error}"),
    };
    UpgradeError::new(UpgradeErrorKind::Tls, message).with_cause(error)
}

/// Returns the error for a handshake with a client that rustls ended.
pub(crate) fn refused_client(error: rustls::Error) -> UpgradeError {
    if error != rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) {
        return refused("client", error);
    }
    let message = format!("client does not speak TLS: it has to connect with TLS ({error})");
    UpgradeError::new(UpgradeErrorKind::Tls, message).with_cause(error)
}

/// Returns the error for a configuration that rustls does not accept.
pub(crate) fn unusable(error: rustls::Error) -> UpgradeError {
    UpgradeError::new(
        UpgradeErrorKind::InvalidArgument,
        format!("tls configuration cannot be used: {error}"),
    )
    .with_cause(error)
}

fn certificate(peer: &str, reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            format!("certificate of {peer} is not trusted: its issuer is unknown")
        }
        CertificateError::BadSignature => {
            format!("certificate of {peer} is not trusted: its issuer did not sign it")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("certificate of {peer} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("certificate of {peer} is not valid yet")
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("certificate of {peer} names no host: make one with the host in subjectAltName")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("certificate is not for {peer}, but for another host")
        }
        CertificateError::Other(other) => match other.to_string().as_str() {
            // Only webpki names these.
            "CaUsedAsEndEntity" => format!(
                "certificate of {peer} is one of an authority (CA:TRUE), which no server may show: \
                 have it sign one with CA:FALSE for the server"
            ),
            "UnsupportedCertVersion" => format!(
                "certificate of {peer} is of X.509 version 1: make one of version 3, with the host in \
                 subjectAltName"
            ),
            _ => format!("certificate of {peer} is not trusted"),
        },
        CertificateError::Revoked => format!("certificate of {peer} was revoked"),
        _ => format!("certificate of {peer} is not trusted"),
    }
}

/// Returns the error for a handshake with `peer` that the stream ended.
pub(crate) fn broken(peer: &str, error: UpgradeError, deadline: Deadline) -> UpgradeError {
    match error.kind() {
        UpgradeErrorKind::TimedOut => deadline.error_for(&format!("tls handshake with {peer}")),
        UpgradeErrorKind::Closed => UpgradeError::new(
            UpgradeErrorKind::Tls,
            format!("{peer} ended the connection in the tls handshake"),
        ),
        _ => error.of(
            UpgradeErrorKind::Tls,
            &format!("tls handshake with {peer} failed"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_that_was_revoked_is_named_so() {
        let revoked = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        let error = refused("a.example", revoked).to_string();
        assert!(
            error.starts_with("certificate of a.example was revoked ("),
            "{error}"
        );
    }
}
