//! The library's client against an echo server of other people's.

mod checks;
mod connection;
mod exchange;
mod metered;
mod server;
mod through;
mod trust;
mod wishes;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::UpgradeErrorKind;
use framewire::{Close, CloseCode, Closed, ErrorKind, Opcode, Side};

use self::checks::Checks;
use self::connection::{Client, Connection};
use self::exchange::{
    check_windows, echo_all, echo_fragmented, echo_pipelined, large_messages, messages,
    ping_between_fragments,
};
use self::server::{EchoServer, shut_down};
use self::wishes::{Wishes, combinations};
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::server::MAX_MESSAGE;
use crate::tally::Tally;

pub(crate) use self::through::{Refusal, Way, refused, through};

/// What a server shows over TLS, what another shows for the same host, and one for another host.
pub(crate) struct Tls {
    pub(crate) certificate: Certificate,
    pub(crate) stranger: Certificate,
    pub(crate) elsewhere: Certificate,
}

/// What a server can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Everything that `conformance/interop/server.py` lists.
    Full,
    /// No fragments, no raw bytes, and compression always or never.
    Basic { compression: bool },
}

pub(crate) const COMPRESSING: Range = Range::Basic { compression: true };
pub(crate) const NOT_COMPRESSING: Range = Range::Basic { compression: false };

/// Starts a server, which may have a certificate to show, and runs every check in its range against it, over TLS those
/// that TLS could make a difference to.
pub(crate) fn run(
    server: impl Fn(Option<&Certificate>) -> Command,
    range: Range,
    tls: Option<&Tls>,
    front_end: FrontEnd,
    deadline: Duration,
) -> Result<Tally> {
    let start = |certificate| EchoServer::start(&mut server(certificate), certificate, front_end);
    let server = start(tls.map(|tls| &tls.certificate))?;
    let mut checks = Checks::new(deadline);
    let modes: &[Mode] = if range == NOT_COMPRESSING {
        &[Mode::Plain]
    } else {
        &[Mode::Plain, Mode::Compressed]
    };
    for mode in modes {
        conversation(&mut checks, &server, *mode);
        if range == Range::Full {
            echoes_in_fragments(&mut checks, &server, *mode);
        }
        close_is_echoed(&mut checks, &server, *mode, |id, close| {
            server.saw_close(id, close)
        });
        server_closes(&mut checks, &server, *mode);
        limits(&mut checks, &server, *mode);
    }
    handshakes(&mut checks, &server);
    if range != COMPRESSING {
        offer_is_declined(&mut checks, &server);
    }
    if let Some(tls) = tls {
        trust::check(&mut checks, &server, tls)?;
        trust::check_host(&mut checks, &start(Some(&tls.elsewhere))?);
    }
    if range == Range::Full {
        // Counts bytes as they are before they come to TLS.
        if tls.is_none() {
            compression(&mut checks, &server);
        }
        violations(&mut checks, &server);
    }
    Ok(checks.finish())
}

/// Whether both ends compress.
#[derive(Clone, Copy)]
enum Mode {
    Plain,
    Compressed,
}

impl Mode {
    fn connect(self, server: &EchoServer, target: &str) -> Result<Client> {
        let (connector, parameter) = match self {
            Self::Plain => (Connector::new(), ""),
            Self::Compressed => (Wishes::default().connector()?, "&deflate"),
        };
        let connected = server.connect(&format!("{target}{parameter}"), &connector)?;
        let is_on = connected.deflate.is_some();
        ensure!(
            is_on == matches!(self, Self::Compressed),
            "compression is on: {is_on}"
        );
        Ok(connected.websocket)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compressed => "compressed",
        }
    }
}

fn conversation(checks: &mut Checks, server: &EchoServer, mode: Mode) {
    let conversations: [(&str, Conversation); 4] = [
        ("messages of all kinds", |websocket| {
            echo_all(websocket, &messages())?;
            echo_all(websocket, &large_messages())?;
            echo_all(websocket, &messages())
        }),
        ("fragmented messages", echo_fragmented),
        ("pipelined messages", echo_pipelined),
        ("pings between fragments", ping_between_fragments),
    ];
    for (name, converse) in conversations {
        converse_at(checks, server, mode, "/echo?", name, converse);
    }
}

fn echoes_in_fragments(checks: &mut Checks, server: &EchoServer, mode: Mode) {
    let (target, name) = ("/echo?fragment=1000", "echoes in fragments");
    converse_at(checks, server, mode, target, name, |websocket| {
        echo_all(websocket, &messages())?;
        echo_all(websocket, &large_messages())
    });
}

fn converse_at(
    checks: &mut Checks,
    server: &EchoServer,
    mode: Mode,
    target: &str,
    name: &str,
    converse: Conversation,
) {
    checks.run(format!("{name}, {}", mode.name()), || {
        let mut websocket = mode.connect(server, target)?;
        converse(websocket.as_mut())?;
        shut_down(websocket)?;
        Ok(())
    });
}

type Conversation = fn(&mut dyn Connection) -> Result<()>;

/// Checks what comes back, and with `seen` what the server saw of a connection that the target named: `CODE REASON`.
fn close_is_echoed(
    checks: &mut Checks,
    server: &EchoServer,
    mode: Mode,
    seen: impl Fn(&str, &str) -> Result<()>,
) {
    let long_reason = "é".repeat(61);
    let codes = [
        (1000, ""),
        (1000, "done"),
        (1001, "leaving"),
        (3000, "registered"),
        (4999, &long_reason),
    ];
    for (code, reason) in codes {
        checks.run(
            format!("close {code} {reason:.10?} is echoed, {}", mode.name()),
            || {
                let id = format!("{}-{code}-{}", mode.name(), reason.len());
                let mut websocket = mode.connect(server, &format!("/echo?id={id}"))?;
                echo_all(websocket.as_mut(), &[(Opcode::Text, b"hi".to_vec())])?;
                websocket.close(CloseCode::new(code), reason)?;
                let end = shut_down(websocket)?;
                ensure!(end.code == CloseCode::new(code), "it echoed {}", end.code);
                ensure!(end.by == Side::Local, "{end:?}");
                seen(&id, &format!("{code} {reason}"))
            },
        );
    }
}

fn server_closes(checks: &mut Checks, server: &EchoServer, mode: Mode) {
    checks.run(format!("the server closes first, {}", mode.name()), || {
        let id = format!("{}-first", mode.name());
        let target = format!("/close?code=4001&reason=bye&id={id}");
        let mut websocket = mode.connect(server, &target)?;
        ensure!(websocket.next_message()?.is_none(), "a message came");
        let close = |reason: &str| Close {
            code: CloseCode::new(4001),
            reason: reason.to_owned(),
        };
        let closed = Closed {
            local: Some(close("")),
            peer: Some(close("bye")),
            by: Side::Peer,
        };
        let seen = websocket.closed();
        ensure!(seen == Some(closed), "{seen:?}");
        shut_down(websocket)?;
        server.saw_close(&id, "4001")
    });
}

fn handshakes(checks: &mut Checks, server: &EchoServer) {
    checks.run("the subprotocol that the server chooses", || {
        let connector = Connector::new().subprotocols(["first", "chosen"])?;
        let connected = server.connect("/echo", &connector)?;
        let subprotocol = connected.subprotocol.as_deref();
        ensure!(subprotocol == Some("chosen"), "it chose {subprotocol:?}");
        shut_down(connected.websocket)?;
        Ok(())
    });
    checks.run("a refusal is an error with its status and body", || {
        let Err(error) = server.connect("/refuse", &Connector::new()) else {
            bail!("it was not refused");
        };
        let error: HandshakeError = error.downcast()?;
        let refused = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused);
        ensure!(error.kind() == refused, "{error:?}");
        ensure!(error.status().is_some_and(|it| it == 403), "{error:?}");
        let body = error.response().context("no response")?.body();
        ensure!(body == b"not for you\n", "{}", body.escape_ascii());
        Ok(())
    });
}

fn offer_is_declined(checks: &mut Checks, server: &EchoServer) {
    checks.run("an offer of compression that is declined", || {
        let connected = server.connect("/echo", &Wishes::default().connector()?)?;
        ensure!(connected.deflate.is_none(), "compression is on");
        let mut websocket = connected.websocket;
        echo_all(websocket.as_mut(), &messages())?;
        shut_down(websocket)?;
        Ok(())
    });
}

fn compression(checks: &mut Checks, server: &EchoServer) {
    for (ours, theirs) in combinations() {
        checks.run(format!("we want {ours}, the server {theirs}"), || {
            let connected = server.connect(&theirs.target(), &ours.connector()?)?;
            let agreed = ours.and(theirs).check(&connected)?;
            let mut websocket = connected.websocket;
            check_windows(websocket.as_mut(), agreed)?;
            echo_all(websocket.as_mut(), &messages())?;
            shut_down(websocket)?;
            Ok(())
        });
    }
    for level in 0..=9 {
        let memory_level = level.max(1);
        let config = DeflateConfig::default()
            .level(level)
            .memory_level(memory_level);
        checks.run(
            format!("level {level}, memory level {memory_level}"),
            || {
                let mut websocket = compressing(server, config)?;
                echo_all(websocket.as_mut(), &messages())?;
                echo_all(websocket.as_mut(), &large_messages())?;
                shut_down(websocket)?;
                Ok(())
            },
        );
    }
    checks.run("messages under the threshold are sent as they are", || {
        let mut websocket = compressing(server, DeflateConfig::default().threshold(1000))?;
        for _ in 0..3 {
            ensure!(
                echo_zeros(websocket.as_mut(), 999)? > 999,
                "999 bytes are compressed"
            );
            ensure!(
                echo_zeros(websocket.as_mut(), 1000)? < 100,
                "1000 bytes are not compressed"
            );
        }
        shut_down(websocket)?;
        Ok(())
    });
    checks.run("compression is switched off and on", || {
        let mut websocket = compressing(server, DeflateConfig::default())?;
        for _ in 0..3 {
            websocket.set_compression(false);
            ensure!(echo_zeros(websocket.as_mut(), 1000)? > 1000, "it is on");
            websocket.set_compression(true);
            ensure!(echo_zeros(websocket.as_mut(), 1000)? < 100, "it is off");
        }
        shut_down(websocket)?;
        Ok(())
    });
}

fn compressing(server: &EchoServer, config: DeflateConfig) -> Result<Client> {
    let connector = Connector::new().deflate(Deflate::new(config)?);
    Ok(server.connect("/echo?deflate", &connector)?.websocket)
}

/// Has zeros echoed, and gives the number of bytes in which they were sent.
fn echo_zeros(websocket: &mut dyn Connection, len: usize) -> Result<usize> {
    let before = websocket.traffic().sent;
    echo_all(websocket, &[(Opcode::Binary, vec![0; len])])?;
    Ok(websocket.traffic().sent - before)
}

/// How much a message may hold.
fn limits(checks: &mut Checks, server: &EchoServer, mode: Mode) {
    checks.run(format!("a message at the limit, {}", mode.name()), || {
        let target = format!("/zeros?bytes={MAX_MESSAGE}");
        let mut websocket = mode.connect(server, &target)?;
        let message = websocket.next_message()?.context("no message")?;
        let len = message.payload().len();
        ensure!(len == MAX_MESSAGE, "it came with {len} bytes");
        let received = websocket.traffic().received;
        ensure!(
            (received < MAX_MESSAGE / 100) == matches!(mode, Mode::Compressed),
            "{received} bytes came"
        );
        shut_down(websocket)?;
        Ok(())
    });
    let id = format!("limit-{}", mode.name());
    let target = format!("/zeros?bytes={}&id={id}", MAX_MESSAGE + 1);
    let name = format!("a message over the limit, {}", mode.name());
    refuses(checks, server, &name, mode, &target, &id, 1009);
}

/// Checks that what a server sends is answered with the code of a Close frame, of which the server knows.
fn refuses(
    checks: &mut Checks,
    server: &EchoServer,
    name: &str,
    mode: Mode,
    target: &str,
    id: &str,
    code: u16,
) {
    checks.run(format!("{name} is answered with close {code}"), || {
        let mut websocket = mode.connect(server, target)?;
        let Err(error) = websocket.next_message() else {
            bail!("there was no error");
        };
        let is_violation = matches!(error.kind(), ErrorKind::Violation(_));
        let as_expected = error.close_code() == Some(CloseCode::new(code));
        ensure!(is_violation && as_expected, "{error:?}");
        // How that ends is for the server to say.
        websocket.shutdown()?;
        drop(websocket);
        server.saw_close(id, &code.to_string())
    });
}

/// What no server should send, and the code of the Close frame that answers it.
fn violations(checks: &mut Checks, server: &EchoServer) {
    let raw = |hex: &str| format!("/raw?hex={hex}");
    let violations = [
        (
            "a block of the reserved type",
            Mode::Compressed,
            raw("c10106"),
            1007,
        ),
        (
            "a stored block whose lengths differ",
            Mode::Compressed,
            raw("c10a0005000000 68656c6c6f"),
            1007,
        ),
        (
            "a distance from before the first message",
            Mode::Compressed,
            raw("c105 ca40620300"),
            1007,
        ),
        (
            "text that is not UTF-8 once it is inflated",
            Mode::Compressed,
            raw("c108 000200fdffc32800"),
            1007,
        ),
        (
            "RSV1 on a continuation",
            Mode::Compressed,
            raw("410100 c000"),
            1002,
        ),
        ("RSV1 on a ping", Mode::Compressed, raw("c900"), 1002),
        ("RSV2", Mode::Compressed, raw("a100"), 1002),
        (
            "RSV1 where nothing was agreed on",
            Mode::Plain,
            raw("c100"),
            1002,
        ),
        ("a masked frame", Mode::Plain, raw("818000000000"), 1002),
    ];
    for (number, (name, mode, target, code)) in violations.into_iter().enumerate() {
        let id = format!("violation-{number}");
        let target = format!("{}&id={id}", target.replace(' ', ""));
        refuses(checks, server, name, mode, &target, &id, code);
    }
}
