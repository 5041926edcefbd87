//! The certificate, made when a server starts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// Returns rustls' default configuration, with a certificate for `localhost` that is signed by itself.
pub(crate) fn config() -> Result<Arc<ServerConfig>> {
    let made = certificate()?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

/// Writes a certificate and its key to files.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let made = certificate()?;
    fs::write(directory.join("cert.pem"), made.cert.pem())?;
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(())
}

fn certificate() -> Result<CertifiedKey<KeyPair>> {
    let names = ["localhost".to_owned()];
    Ok(rcgen::generate_simple_self_signed(names)?)
}
