//! What a client trusts by default: the platform's root certificates.

use crate::error::{UpgradeError, UpgradeErrorKind};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

/// Returns the configuration that was set, or else the default one.
pub(crate) fn or_default(
    config: Option<&Arc<ClientConfig>>,
) -> Result<Arc<ClientConfig>, UpgradeError> {
    match config {
        Some(config) => Ok(Arc::clone(config)),
        None => default_config(),
    }
}

/// Returns the default configuration: TLS 1.2 and 1.3, the platform's roots, no client certificate, no ALPN.
///
/// It is made once for the process, on first use; the roots are then read from the platform's store. A failure is not
/// stored.
fn default_config() -> Result<Arc<ClientConfig>, UpgradeError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let config = Arc::new(load()?);
    Ok(Arc::clone(CONFIG.get_or_init(|| config)))
}

fn load() -> Result<ClientConfig, UpgradeError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Platforms have roots that cannot be used here; the others are enough.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let error = UpgradeError::new(
            UpgradeErrorKind::Io,
            "this system has no root certificates to trust: install them, or give the dialer a \
             configuration of its own",
        );
        return Err(match found.errors.into_iter().next() {
            Some(source) => error.with_cause(source),
            None => error,
        });
    }
    // Named here, as a program with several providers has no default one.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            UpgradeError::new(UpgradeErrorKind::Tls, "tls cannot be set up").with_cause(error)
        })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
