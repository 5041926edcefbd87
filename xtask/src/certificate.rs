//! Self-signed certificates, made for one run.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use framewire::rustls::pki_types::CertificateDer;
use framewire::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rcgen::{CertificateParams, KeyPair};

use crate::project::Project;

/// A self-signed certificate and its key.
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    cert_file: String,
    key_file: String,
}

impl Certificate {
    /// Creates a certificate for some hosts, in PEM files at `target/NAME`.
    pub(crate) fn make(project: &Project, name: &str, hosts: &[&str]) -> Result<Self> {
        let key = KeyPair::generate()?;
        let hosts: Vec<String> = hosts.iter().copied().map(str::to_owned).collect();
        let cert = CertificateParams::new(hosts)?.self_signed(&key)?;
        let directory = project.target_dir(name)?;
        Ok(Self {
            cert_file: write(&directory.join("cert.pem"), &cert.pem())?,
            key_file: write(&directory.join("key.pem"), &key.serialize_pem())?,
            der: cert.into(),
        })
    }

    /// Returns the path of the file with the certificate.
    pub(crate) fn cert_file(&self) -> &str {
        &self.cert_file
    }

    /// Returns the path of the file with the key.
    pub(crate) fn key_file(&self) -> &str {
        &self.key_file
    }

    /// Returns a client configuration that trusts this certificate and no other.
    pub(crate) fn trusted(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

/// Writes a file, and returns its path as an argument for a program.
fn write(path: &Path, pem: &str) -> Result<String> {
    fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.to_str().context("the build directory is not UTF-8")?;
    Ok(path.to_owned())
}
