//! Whom the client trusts over TLS.

use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use framewire::handshake::{self, Connector};
use framewire::rustls::version::{TLS12, TLS13};
use framewire::rustls::{ALL_VERSIONS, CertificateError, ClientConfig, Error, ProtocolVersion};
use framewire::upgrade::{self, Dialer, Stream, TlsStream};

use super::exchange::{echo_all, large_messages, messages};
use super::server::{EchoServer, SILENCE, open, shut_down};
use super::{Checks, Tls};

pub(crate) fn check(checks: &mut Checks, server: &EchoServer, tls: &Tls) -> Result<()> {
    let trusting = tls.certificate.trusted(ALL_VERSIONS)?;
    let estranged = tls.stranger.trusted(ALL_VERSIONS)?;
    checks.run("a certificate that is not trusted is refused", || {
        let connector = connector(&estranged);
        let Err(error) = connector.connect(&server.url("localhost", "/echo")) else {
            bail!("it was trusted");
        };
        let kind = handshake::ErrorKind::Upgrade(upgrade::ErrorKind::Tls);
        ensure!(error.kind() == kind, "{error:?}");
        let why = reason(&error.into())?;
        ensure!(why == CertificateError::BadSignature, "{why:?}");
        Ok(())
    });
    checks.run("a certificate for another host is refused", || {
        let stream = TcpStream::connect_timeout(&server.address, SILENCE)?;
        let config = Arc::clone(&trusting);
        let Err(error) = TlsStream::connect(stream, "elsewhere.example", config, SILENCE) else {
            bail!("it was trusted");
        };
        ensure!(error.kind() == upgrade::ErrorKind::Tls, "{error:?}");
        let why = reason(&error.into())?;
        let is_name = matches!(why, CertificateError::NotValidForNameContext { .. });
        ensure!(is_name, "{why:?}");
        Ok(())
    });
    checks.run("a certificate for the address is trusted", || {
        let connector = connector(&trusting);
        let established = connector.connect(&server.url("127.0.0.1", "/echo"))?;
        shut_down(open(established)?)?;
        Ok(())
    });
    for version in [&TLS12, &TLS13] {
        let config = tls.certificate.trusted(&[version])?;
        checks.run(format!("messages over {:?}", version.version), || {
            let established = connector(&config).connect(&server.url("localhost", "/echo"))?;
            let spoken = spoken(established.get_ref());
            ensure!(spoken == Some(version.version), "{spoken:?}");
            let mut websocket = open(established)?;
            echo_all(&mut websocket, &messages())?;
            echo_all(&mut websocket, &large_messages())?;
            shut_down(websocket)?;
            Ok(())
        });
    }
    Ok(())
}

fn connector(config: &Arc<ClientConfig>) -> Connector {
    Connector::new().dialer(Dialer::new().tls(Arc::clone(config)))
}

/// Why the certificate was not taken.
fn reason(error: &anyhow::Error) -> Result<CertificateError> {
    let source = error.chain().find_map(|source| source.downcast_ref());
    match source {
        Some(Error::InvalidCertificate(why)) => Ok(why.clone()),
        _ => bail!("{error:?}"),
    }
}

fn spoken(stream: &Stream) -> Option<ProtocolVersion> {
    match stream {
        Stream::Tls(stream) => stream.inspect(|session| session.protocol_version()),
        _ => None,
    }
}
