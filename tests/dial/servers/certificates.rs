//! An authority made for the test, what it signs, and configurations of both ends.

use framewire::rustls::crypto::ring;
use framewire::rustls::pki_types::pem::PemObject as _;
use framewire::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use framewire::rustls::server::ResolvesServerCertUsingSni;
use framewire::rustls::sign::{CertifiedKey, SingleCertAndKey};
use framewire::rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::named(&name)
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A server's configuration, with a certificate for these names and addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        self.server_valid(names, (2000, 3000))
    }

    /// As `server`, from the first day of a year to that of another.
    pub(crate) fn server_valid(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        let mut params = params(names);
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Arc::new(server_config(certificate.der().clone(), &key))
    }

    /// A server's configuration with a certificate for this name, which only those are shown that name it.
    pub(crate) fn server_that_is_named(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params(&[name]).signed_by(&key, &self.issuer).unwrap();
        let provider = ring::default_provider();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = provider.key_provider.load_private_key(private).unwrap();
        let mut shown = ResolvesServerCertUsingSni::new();
        shown
            .add(
                name,
                CertifiedKey::new(vec![certificate.der().clone()], key),
            )
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }

    /// A server's configuration with the certificate of the authority itself.
    pub(crate) fn server_itself(&self) -> Arc<ServerConfig> {
        let certificate = self.certificate.clone();
        Arc::new(server_config(certificate, self.issuer.key()))
    }

    /// A client's configuration that trusts this authority and nobody else.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.client_config())
    }

    /// As `client`, to be changed.
    pub(crate) fn client_config(&self) -> ClientConfig {
        self.client_of(DEFAULT_VERSIONS)
    }

    /// As `client_config`, with these versions of TLS alone.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// A server's configuration with a certificate that nobody else signed.
pub(crate) fn self_signed(names: &[&str]) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names).self_signed(&key).unwrap();
    Arc::new(server_config(certificate.der().clone(), &key))
}

/// A server's configuration with a certificate of X.509 version 1.
pub(crate) fn version_1() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(VERSION_1_KEY.as_bytes()).unwrap();
    let provider = ring::default_provider();
    let key = provider.key_provider.load_private_key(key).unwrap();
    // The builder would compare the key with the certificate, which it cannot parse.
    let shown = CertifiedKey::new(vec![certificate], key);
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    Arc::new(config)
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Made with OpenSSL 3.0: `openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt
/// -out key.pem`, `openssl req -new -key key.pem -subj /CN=localhost -out request.csr`, `openssl x509 -req
/// -in request.csr -signkey key.pem -days 365000`. Without extensions, that is version 1.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBJDCBywIUXGgo25/fdakzkXMbOiuaZj8I7lAwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzE2MzgyNloYDzMwMjYwMzMwMTYzODI2
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASz468yg+KIVItmtQba6obllJnZ2bfvE9zgVcRlVVUrUyLfR7d4Jq460/RNsw3o
jmhpevov45H8f0W8fX4Q552RMAoGCCqGSM49BAMCA0gAMEUCIBrzc79FwPr0To/F
EWhDFi3zdM+6Ft269P3wcMZygmoHAiEAyqzNwRlTn4ikNUcU4cma1msIgTaVuU9s
rKaVo7NmpdQ=
-----END CERTIFICATE-----
";
const VERSION_1_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPcUtF/me0kICK5JJ
fjsL+X3tUUX6oMG7sitwS13uZi+hRANCAASz468yg+KIVItmtQba6obllJnZ2bfv
E9zgVcRlVVUrUyLfR7d4Jq460/RNsw3ojmhpevov45H8f0W8fX4Q552R
-----END PRIVATE KEY-----
";
