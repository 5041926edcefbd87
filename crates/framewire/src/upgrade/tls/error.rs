//! What went wrong with TLS, in words that a person can act on.

use crate::upgrade::deadline::Deadline;
use crate::upgrade::{Error, ErrorKind};
use rustls::CertificateError;

/// The error for a handshake with `peer` that rustls ended.
pub(crate) fn refused(peer: &str, error: rustls::Error) -> Error {
    let message = match &error {
        rustls::Error::InvalidCertificate(reason) => certificate(peer, reason),
        rustls::Error::InvalidMessage(_) => {
            format!("{peer} answered with something else than tls")
        }
        rustls::Error::AlertReceived(alert) => {
            format!("{peer} refused the tls handshake: {alert:?}")
        }
        error => format!("tls handshake with {peer} failed: {error}"),
    };
    Error::new(ErrorKind::Tls, message).with_source(error)
}

/// The error for a configuration that rustls does not take.
pub(crate) fn unusable(error: rustls::Error) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("tls configuration cannot be used: {error}"),
    )
    .with_source(error)
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
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("certificate is not for {peer}, but for another host")
        }
        CertificateError::Revoked => format!("certificate of {peer} was revoked"),
        reason => format!("certificate of {peer} is not trusted: {reason}"),
    }
}

/// The error for a handshake with `peer` that the stream ended.
pub(crate) fn broken(peer: &str, error: Error, deadline: Deadline) -> Error {
    match error.kind() {
        ErrorKind::TimedOut => deadline.error_for(&format!("tls handshake with {peer}")),
        ErrorKind::Closed => Error::new(
            ErrorKind::Tls,
            format!("{peer} ended the connection in the tls handshake"),
        ),
        _ => error.of(ErrorKind::Tls, &format!("tls handshake with {peer} failed")),
    }
}
