//! A client over TLS: sends its arguments as messages, and prints what comes back.
//!
//! `cargo run -p framewire --example tokio_tls_client --features tokio-rustls -- wss://echo.example/ hello` trusts the
//! roots of the platform. With `--tls-ca ROOTS.pem` before the URI it trusts those in that file instead.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{env, path::Path};

use framewire::Config;
use framewire::handshake::Connector;
use framewire::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use framewire::rustls::{ClientConfig, RootCertStore, crypto::ring};
use framewire::upgrade::Dialer;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let mut dialer = Dialer::new();
    if arguments
        .first()
        .is_some_and(|argument| argument == "--tls-ca")
        && arguments.len() > 2
    {
        dialer = dialer.tls(trusting(arguments[1].as_ref())?);
        arguments.drain(..2);
    }
    let [uri, texts @ ..] = &arguments[..] else {
        return Err("[--tls-ca ROOTS.pem] URI TEXT…".into());
    };
    for text in run(uri, texts, dialer).await? {
        println!("{text}");
    }
    Ok(())
}

pub(crate) async fn run(uri: &str, texts: &[String], dialer: Dialer) -> Result<Vec<String>> {
    let connector = Connector::new().dialer(dialer);
    let mut websocket = framewire::tokio::connect_with(uri, &connector, Config::default()).await?;
    let mut answers = Vec::new();
    for text in texts {
        websocket.write(text).await?;
        if let Some(message) = websocket.next_message().await? {
            answers.push(message.text().unwrap_or("(binary)").to_owned());
        }
    }
    websocket.shutdown(Duration::from_secs(10)).await?;
    Ok(answers)
}

/// Returns a configuration that trusts the roots in a PEM file and no others.
pub(crate) fn trusting(roots: &Path) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots)? {
        store.add(root?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
