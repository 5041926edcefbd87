//! The acceptor and the TLS configuration that the options ask for.

use std::sync::Arc;

use framewire::deflate::{Deflate, DeflateConfig, ZlibRs};
use framewire::handshake::Acceptor;
use framewire::rustls::ServerConfig;

use super::options::{Options, Origin};
use crate::tls;

/// Returns the TLS configuration, if the server takes TLS connections.
pub(crate) fn tls(options: &Options) -> Result<Option<Arc<ServerConfig>>, String> {
    match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => tls::server_config(cert, key).map(Some),
        _ => Ok(None),
    }
}

pub(crate) fn acceptor(options: &Options) -> Result<Acceptor, String> {
    let acceptor = match options.deflate {
        Some(level) => Acceptor::new().deflate(deflate(options, level)?),
        None => Acceptor::new(),
    };
    // Even without a certificate, a proxy in front may have one.
    let acceptor = match options.tls_cert {
        Some(_) => acceptor.secure(true),
        None => acceptor,
    };
    let origins = &options.origin;
    with_origins(acceptor, origins)?
        .ok_or_else(|| "--origin takes any, same, or a list of URLs".to_owned())
}

/// Returns the acceptor for pages of these origins; `None` where `any` or `same` is not the only one.
pub(crate) fn with_origins(
    acceptor: Acceptor,
    origins: &[Origin],
) -> Result<Option<Acceptor>, String> {
    match origins {
        [Origin::Same] => Ok(Some(acceptor)),
        [Origin::Any] => Ok(Some(acceptor.allow_any_origin())),
        _ => {
            let urls: Option<Vec<&str>> = origins.iter().map(Origin::url).collect();
            let allowing = urls.map(|urls| acceptor.allow_origins(urls));
            allowing.transpose().map_err(|error| error.to_string())
        }
    }
}

fn deflate(options: &Options, level: u8) -> Result<Deflate, String> {
    let config = DeflateConfig::default()
        .server_no_context_takeover(options.no_context_takeover)
        .client_no_context_takeover(options.no_context_takeover)
        .server_max_window_bits(options.window_bits)
        .client_max_window_bits(options.window_bits)
        .level(level);
    // A connection has one of each at most.
    let contexts = options.max_connections;
    Deflate::with_engine(config, ZlibRs, contexts).map_err(|error| error.to_string())
}
