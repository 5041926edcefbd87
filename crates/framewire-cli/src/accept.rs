//! How the program lets clients in: the options that its servers share, and what follows from them.

mod origin;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use framewire::deflate::{Deflate, DeflateConfig, ZlibRs};
use framewire::handshake::Acceptor;
use framewire::rustls::ServerConfig;
use socket2::SockRef;

pub(crate) use self::origin::{Origin, parse_origin, with_origins};

use crate::seconds::parse_seconds;
use crate::tls;

/// How clients are let in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How clients are let in")]
pub(crate) struct Accept {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9001", value_parser = parse_place)]
    pub(crate) listen: String,

    /// How long a client may take nothing of what is sent before its connection is ended
    ///
    /// On systems other than Linux and Android it may be longer, as what they buffer counts as taken.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) write_timeout: Duration,

    /// Which web pages may connect: those of this server, all, or those of the origins listed
    ///
    /// Programs that are not browsers send no origin and may always connect. file:// is for pages opened from a disk,
    /// and null for sandboxed ones: any web page can send that.
    #[arg(
        long,
        value_name = "any|same|URL|null|file://",
        num_args = 1..,
        value_delimiter = ',',
        default_value = "same",
        value_parser = parse_origin,
    )]
    pub(crate) origin: Vec<Origin>,

    /// Compress messages with clients that offer it (permessage-deflate), at level 0 to 9
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u8).range(0..=9),
    )]
    pub(crate) deflate: Option<u8>,

    #[command(flatten)]
    pub(crate) tls: Tls,
}

/// The files of a server over TLS.
#[derive(Debug, Clone, Args)]
pub(crate) struct Tls {
    /// Take TLS connections (`wss://`) and no others, with the certificate in this PEM file
    ///
    /// The certificates between it and its root follow it there.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The private key to the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Accept {
    /// Begins to listen.
    pub(crate) fn listen(&self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind(&self.listen)
            .map_err(|error| format!("cannot listen on {}: {error}", self.listen))?;
        bound_unsent(&listener);
        Ok(listener)
    }

    /// Has the acceptor let those in whom the options name, and compress for so many connections at once with these
    /// parameters, if the options say so.
    pub(crate) fn acceptor(
        &self,
        acceptor: Acceptor,
        config: DeflateConfig,
        connections: usize,
    ) -> Result<Acceptor, String> {
        let config = self.deflate.map(|level| config.level(level));
        let acceptor = with_compression(acceptor, config, connections)?;
        let acceptor = self.tls.secured(acceptor);
        with_origins(acceptor, &self.origin)?
            .ok_or_else(|| "--origin takes any, same, or a list of URLs".to_owned())
    }
}

/// Has the acceptor compress for so many connections at once, if there are parameters.
pub(crate) fn with_compression(
    acceptor: Acceptor,
    config: Option<DeflateConfig>,
    connections: usize,
) -> Result<Acceptor, String> {
    let Some(config) = config else {
        return Ok(acceptor);
    };
    // A connection has one context of each kind at most.
    let deflate = Deflate::with_engine(config, ZlibRs, connections);
    Ok(acceptor.deflate(deflate.map_err(|error| error.to_string())?))
}

impl Tls {
    /// Tells the acceptor that its clients use TLS. Without a certificate this is not known: a proxy in front may have
    /// one.
    pub(crate) fn secured(&self, acceptor: Acceptor) -> Acceptor {
        if self.is_given() {
            acceptor.secure(true)
        } else {
            acceptor
        }
    }

    /// Returns whether connections are made over TLS.
    pub(crate) fn is_given(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// Returns the TLS configuration, if there is to be one.
    pub(crate) fn config(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => tls::server_config(cert, key).map(Some),
            _ => Ok(None),
        }
    }
}

/// Bounds what the system buffers for a peer whose window is closed, for all connections of a listener. What
/// the system then takes is what the peer has made room for, not what fits into a buffer of this end.
pub(crate) fn bound_unsent(listener: &TcpListener) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        // If it cannot be set, a peer that takes nothing is ended later.
        let _ = SockRef::from(listener).set_tcp_notsent_lowat(UNSENT);
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = SockRef::from(listener);
}

/// Takes a host and a port, which are looked up only later.
fn parse_place(text: &str) -> Result<String, String> {
    if let Some((_, place)) = text.split_once("://") {
        let place = place.trim_end_matches('/');
        return Err(format!("this is a URL: HOST:PORT alone, as in {place}"));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let is_host = host.starts_with('[') || !host.is_empty() && !host.contains(':');
    match port.parse::<u16>() {
        Ok(_) if is_host => Ok(text.to_owned()),
        Ok(port) if host.is_empty() => Err(format!("HOST is missing, as in 127.0.0.1:{port}")),
        _ => Err("this is not HOST:PORT, such as 127.0.0.1:9001".to_owned()),
    }
}

pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

/// The most unsent bytes that the system buffers.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::{parse_count, parse_place};

    #[test]
    fn counts_start_at_one() {
        assert_eq!(parse_count("1"), Ok(1));
        assert!(parse_count("0").is_err());
        assert!(parse_count("many").is_err());
    }

    #[test]
    fn places_have_a_host_and_a_port() {
        for place in ["127.0.0.1:0", "localhost:80", "[::1]:65535"] {
            assert_eq!(parse_place(place).as_deref(), Ok(place));
        }
        for (place, advice) in [
            ("9102", "127.0.0.1:9102"),
            (":9102", "127.0.0.1:9102"),
            ("ws://localhost:9102/", "as in localhost:9102"),
            ("localhost", "HOST:PORT"),
            ("localhost:65536", "HOST:PORT"),
            ("localhost:", "HOST:PORT"),
            ("::1", "HOST:PORT"),
            ("", "HOST:PORT"),
        ] {
            let error = parse_place(place).unwrap_err();
            assert!(error.contains(advice), "{place}: {error}");
        }
    }
}
