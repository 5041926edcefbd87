//! Whom the client trusts over TLS.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::rustls::version::{TLS12, TLS13};
use framewire::rustls::{ALL_VERSIONS, CertificateError, ClientConfig, Error};
use framewire::upgrade::{Dialer, UpgradeErrorKind};

use super::connection::Connected;
use super::exchange::{echo_all, large_messages, messages};
use super::server::{EchoServer, shut_down};
use super::{Checks, Tls};

pub(crate) fn check(checks: &mut Checks, server: &EchoServer, tls: &Tls) -> Result<()> {
    let trusting = tls.certificate.trusted(ALL_VERSIONS)?;
    let estranged = tls.stranger.trusted(ALL_VERSIONS)?;
    checks.run("a certificate that is not trusted is refused", || {
        let connected = server.connect_by("localhost", "/echo", &connector(&estranged));
        let why = refusal(connected)?;
        ensure!(why == CertificateError::BadSignature, "{why:?}");
        Ok(())
    });
    checks.run("a certificate for the address is trusted", || {
        let connected = server.connect_by("127.0.0.1", "/echo", &connector(&trusting))?;
        shut_down(connected.websocket)?;
        Ok(())
    });
    for version in [&TLS12, &TLS13] {
        let config = tls.certificate.trusted(&[version])?;
        checks.run(format!("messages over {:?}", version.version), || {
            let connected = server.connect_by("localhost", "/echo", &connector(&config))?;
            let spoken = connected.tls;
            ensure!(spoken == Some(version.version), "{spoken:?}");
            let mut websocket = connected.websocket;
            echo_all(websocket.as_mut(), &messages())?;
            echo_all(websocket.as_mut(), &large_messages())?;
            shut_down(websocket)?;
            Ok(())
        });
    }
    Ok(())
}

/// Checks a server whose certificate is for another host.
pub(crate) fn check_host(checks: &mut Checks, elsewhere: &EchoServer) {
    checks.run("a certificate for another host is refused", || {
        let why = refusal(elsewhere.connect("/echo", &Connector::new()))?;
        let is_name = matches!(why, CertificateError::NotValidForNameContext { .. });
        ensure!(is_name, "{why:?}");
        Ok(())
    });
}

/// Why the certificate was not taken.
fn refusal(connected: Result<Connected>) -> Result<CertificateError> {
    let Err(error) = connected else {
        bail!("it was trusted");
    };
    let failed: Option<&HandshakeError> = error.downcast_ref();
    let kind = failed.map(HandshakeError::kind);
    let expected = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls);
    ensure!(kind == Some(expected), "{error:?}");
    let cause = failed.and_then(HandshakeError::cause);
    match cause.and_then(|cause| cause.downcast_ref()) {
        Some(Error::InvalidCertificate(why)) => Ok(why.clone()),
        _ => bail!("{error:?}"),
    }
}

fn connector(config: &Arc<ClientConfig>) -> Connector {
    Connector::new().dialer(Dialer::new().tls(Arc::clone(config)))
}
