//! The library's client against `framewire serve`, with proxies of other people's between them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::{Proxies, Proxy, UpgradeErrorKind};
use framewire::{CloseCode, Opcode};

use super::checks::Checks;
use super::server::{EchoServer, shut_down};
use super::{Mode, close_is_echoed, conversation, echo_zeros};
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::server::MAX_MESSAGE;
use crate::tally::Tally;

/// A way to `framewire serve`.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    /// Where the server is, or what stands in front of it.
    pub(crate) address: SocketAddr,
    /// What is shown there, over TLS.
    pub(crate) certificate: Option<&'a Certificate>,
    /// The URL of the proxy that the client uses.
    pub(crate) proxy: Option<&'a str>,
}

impl Way<'_> {
    fn server(self, front_end: FrontEnd) -> Result<EchoServer> {
        let proxies = match self.proxy {
            None => Proxies::default(),
            Some(url) => Proxy::parse(url)?.into(),
        };
        EchoServer::at(self.address, self.certificate, proxies, front_end)
    }
}

/// Runs the checks that a proxy could make a difference to.
pub(crate) fn through(
    way: Way<'_>,
    front_end: FrontEnd,
    compression: bool,
    deadline: Duration,
) -> Result<Tally> {
    let server = way.server(front_end)?;
    let mut checks = Checks::new(deadline);
    let mode = if compression {
        Mode::Compressed
    } else {
        Mode::Plain
    };
    conversation(&mut checks, &server, mode);
    close_is_echoed(&mut checks, &server, mode, |_, _| Ok(()));
    origins(&mut checks, &server);
    if compression {
        compressed(&mut checks, &server);
    }
    Ok(checks.finish())
}

/// The server compares a page's origin with the host of the request, which has to arrive as it was sent.
fn origins(checks: &mut Checks, server: &EchoServer) {
    checks.run("a page of the same origin is let in", || {
        let connector = Connector::new().origin(server.origin())?;
        shut_down(server.connect("/", &connector)?.websocket)?;
        Ok(())
    });
    checks.run("a page of another origin is refused with 403", || {
        let connector = Connector::new().origin("https://elsewhere.example")?;
        let error = failure(server, &connector)?;
        let refused = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused);
        ensure!(error.kind() == refused, "{error:?}");
        ensure!(error.status().is_some_and(|it| it == 403), "{error:?}");
        Ok(())
    });
}

fn compressed(checks: &mut Checks, server: &EchoServer) {
    checks.run("both ends compress", || {
        let mut websocket = Mode::Compressed.connect(server, "/")?;
        let sent = echo_zeros(websocket.as_mut(), 1000)?;
        let received = websocket.traffic().received;
        ensure!(
            sent < 100 && received < 100,
            "1000 zeros were sent in {sent} bytes, and came back in {received}"
        );
        shut_down(websocket)?;
        Ok(())
    });
    checks.run(
        "a message over the limit is answered with close 1009",
        || {
            let mut websocket = Mode::Compressed.connect(server, "/")?;
            websocket.write(&(Opcode::Binary, vec![0; MAX_MESSAGE + 1]))?;
            ensure!(websocket.next_message()?.is_none(), "a message came");
            let closed = websocket.closed().and_then(|closed| closed.peer);
            let code = closed.as_ref().map(|close| close.code);
            ensure!(code == Some(CloseCode::new(1009)), "{closed:?}");
            shut_down(websocket)?;
            Ok(())
        },
    );
}

/// How a proxy refuses.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// An answer in HTTP with one of these statuses.
    Status(&'static [u16]),
    /// An answer that has none.
    Other,
}

/// Checks that no way leads to the server, since a proxy refuses, and that the error says so.
pub(crate) fn refused(
    ways: &[(&str, Way<'_>, Refusal)],
    front_end: FrontEnd,
    deadline: Duration,
) -> Result<Tally> {
    let mut checks = Checks::new(deadline);
    for (name, way, refusal) in ways {
        let server = way.server(front_end)?;
        checks.run(format!("{name}: an error of the kind Proxy"), || {
            let error = failure(&server, &Connector::new())?;
            let proxy = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Proxy);
            ensure!(error.kind() == proxy, "{error:?}");
            let status = error.status().map(|status| status.as_u16());
            let as_expected = match refusal {
                Refusal::Status(expected) => status.is_some_and(|it| expected.contains(&it)),
                Refusal::Other => status.is_none(),
            };
            ensure!(as_expected, "{error:?}");
            Ok(())
        });
    }
    Ok(checks.finish())
}

fn failure(server: &EchoServer, connector: &Connector) -> Result<HandshakeError> {
    match server.connect("/", connector) {
        Ok(_) => bail!("there is a connection"),
        Err(error) => Ok(error.downcast()?),
    }
}
