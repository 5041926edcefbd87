//! TLS configurations from the options.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use framewire::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use framewire::rustls::crypto::{CryptoProvider, ring};
use framewire::rustls::pki_types::pem::{self, PemObject as _};
use framewire::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use framewire::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

/// Returns the configuration of a server with a certificate, those between it and its root, and its key, from
/// PEM files.
pub(crate) fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(cert)?;
    let secret = private_key(key)?;
    let builder = ServerConfig::builder_with_provider(provider());
    let config = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| match &error {
            // Only webpki names this error.
            Error::InvalidCertificate(CertificateError::Other(other))
                if other.to_string() == "UnsupportedCertVersion" =>
            {
                let why = "it is of X.509 version 1: make one of version 3, with the host in \
                           subjectAltName";
                unusable(cert, why)
            }
            Error::InvalidCertificate(_) => unusable(cert, error),
            _ => unusable(key, error),
        })?;
    Ok(Arc::new(config))
}

/// Returns the configuration of a client that trusts the root certificates in a PEM file and no others.
pub(crate) fn trusting(roots: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    for root in certificates(roots)? {
        store.add(root).map_err(|error| unusable(roots, error))?;
    }
    let builder = ClientConfig::builder_with_provider(provider());
    let config = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Returns the configuration of a client that takes any certificate, and so cannot tell which server it talks
/// to.
pub(crate) fn trusting_anybody() -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider());
    let config = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(file, error))?;
    if certificates.is_empty() {
        return Err(unusable(file, "no certificate in it"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = fs::read(file).map_err(|error| unusable(file, error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        _ if is_encrypted(&pem) => unusable(
            file,
            "the key is encrypted: write it without a password, as with `openssl pkey -in FILE`",
        ),
        pem::Error::NoItemsFound => unusable(file, "no private key in it"),
        error => unusable(file, error),
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn unusable(file: &Path, error: impl Display) -> String {
    format!("cannot use {}: {error}", file.display())
}

/// Returns whether a PEM key is locked with a password: PKCS #8 (RFC 7468 11), or as OpenSSL used to do (RFC
/// 1421 4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let pem = String::from_utf8_lossy(pem);
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED")
}

/// Accepts any certificate, even one that cannot be parsed, and any signature. Without a trusted certificate, a
/// signature by its key proves nothing.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// Every scheme that a server may have a key for.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]
    }
}
