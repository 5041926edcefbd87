//! squid, tinyproxy and Dante, which our client connects through.

use anyhow::Result;

use super::daemon::{Installed, Software, free_ports};
use super::debian;
use super::library::{SUITE, how};
use super::report::Peer;
use super::setting::Setting;
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::interop_client::{Refusal, Way, refused, through};
use crate::server::Server;

const SQUID: Software = Software {
    name: "squid",
    package: "squid",
    program: "squid",
    version: "-v",
    files: &["squid.conf", "squid.passwords"],
    arguments: &[
        "-N",
        "-d",
        "1",
        "-n",
        "framewire@PORT@",
        "-f",
        "@FOLDER@/squid.conf",
    ],
    environment: &[],
};

const TINYPROXY: Software = Software {
    name: "tinyproxy",
    package: "tinyproxy-bin",
    program: "tinyproxy",
    version: "-v",
    files: &["tinyproxy.conf"],
    arguments: &["-d", "-c", "@FOLDER@/tinyproxy.conf"],
    environment: &[],
};

const DANTE: Software = Software {
    name: "Dante",
    package: "dante-server",
    program: "danted",
    version: "-v",
    files: &[
        "danted.conf",
        "danted.passwd",
        "danted.group",
        "danted.shadow",
    ],
    arguments: &["-f", "@FOLDER@/danted.conf", "-p", "@FOLDER@/pid"],
    // It knows the system's users, and these stand in for them.
    environment: &[
        ("LD_PRELOAD", "libnss_wrapper.so"),
        ("NSS_WRAPPER_PASSWD", "@FOLDER@/danted.passwd"),
        ("NSS_WRAPPER_GROUP", "@FOLDER@/danted.group"),
        ("NSS_WRAPPER_SHADOW", "@FOLDER@/danted.shadow"),
    ],
};

pub(crate) fn squid(setting: &Setting<'_>) -> Result<Vec<Peer>> {
    connect(setting, &SQUID)
}

pub(crate) fn tinyproxy(setting: &Setting<'_>) -> Result<Vec<Peer>> {
    connect(setting, &TINYPROXY)
}

/// CONNECT (RFC 9110 9.3.6) with basic authentication (RFC 7617).
fn connect(setting: &Setting<'_>, software: &Software) -> Result<Vec<Peer>> {
    let installed = software.install(setting.project)?;
    let against = "before the client of both front ends, to `ws://` and `wss://`: CONNECT with basic authentication";
    let mut peer = Peer::new(software.name, installed.version()?, against);
    let servers = Servers::start(setting)?;
    let [port, closed] = free_ports()?;
    let daemon = installed.start(&servers.values(port, closed), &[port])?;
    let url = |user: &str| format!("http://{user}127.0.0.1:{port}");
    for front_end in &setting.front_ends {
        let (anonymous, allowed) = (url(""), url("alice:secret@"));
        let (stranger, wrong) = (url("bob:secret@"), url("alice:wrong@"));
        servers.through(&mut peer, *front_end, &allowed);
        let unauthorized = Refusal::Status(&[401, 407]);
        let ways = [
            (
                "without credentials",
                servers.plain(&anonymous),
                unauthorized,
            ),
            (
                "without credentials, wss",
                servers.secure(&anonymous),
                unauthorized,
            ),
            ("an unknown user", servers.plain(&stranger), unauthorized),
            ("a wrong password", servers.plain(&wrong), unauthorized),
            (
                "a wrong password, wss",
                servers.secure(&wrong),
                unauthorized,
            ),
            (
                "a port that is not allowed",
                at(REFUSED_PORT, &allowed),
                Refusal::Status(&[403]),
            ),
            (
                "a port at which nothing listens",
                at(closed, &allowed),
                Refusal::Status(&[500, 502, 503, 504]),
            ),
        ];
        peer.suite(&format!("before {front_end}, refusing"), || {
            refused(&ways, *front_end, SUITE)
        });
    }
    daemon.stop()?;
    servers.stop()?;
    Ok(vec![peer])
}

/// SOCKS 5 (RFC 1928) without and with a user's name and password (RFC 1929).
pub(crate) fn dante(setting: &Setting<'_>) -> Result<Vec<Peer>> {
    let installed = DANTE.install(setting.project)?;
    debian::library("libnss_wrapper.so", "libnss-wrapper")?;
    let against = "before the client of both front ends, to `ws://` and `wss://`: SOCKS 5 without and with a password";
    let mut peer = Peer::new(DANTE.name, installed.version()?, against);
    let servers = Servers::start(setting)?;
    for method in ["none", "username"] {
        with_method(setting, &servers, &installed, method, &mut peer)?;
    }
    servers.stop()?;
    Ok(vec![peer])
}

fn with_method(
    setting: &Setting<'_>,
    servers: &Servers<'_>,
    installed: &Installed<'_>,
    method: &str,
    peer: &mut Peer,
) -> Result<()> {
    let [port, closed] = free_ports()?;
    let mut values = servers.values(port, closed);
    values.extend([
        ("METHOD", method.to_owned()),
        ("USER", debian::id("-un")?),
        ("UID", debian::id("-u")?),
        ("GID", debian::id("-g")?),
    ]);
    let daemon = installed.start(&values, &[port])?;
    let has_users = method == "username";
    let allowed = if has_users { "alice:secret@" } else { "" };
    let url = |scheme: &str, user: &str| format!("{scheme}://{user}127.0.0.1:{port}");
    let (here, by_proxy) = (url("socks5", allowed), url("socks5h", allowed));
    let (anonymous, wrong) = (url("socks5", ""), url("socks5h", "alice:wrong@"));
    let mut ways = vec![
        (
            "a port that is not allowed",
            at(REFUSED_PORT, &here),
            Refusal::Other,
        ),
        (
            "a port at which nothing listens",
            at(closed, &by_proxy),
            Refusal::Other,
        ),
    ];
    if has_users {
        ways.extend([
            (
                "without credentials",
                servers.plain(&anonymous),
                Refusal::Other,
            ),
            ("a wrong password", servers.plain(&wrong), Refusal::Other),
            (
                "a wrong password, wss",
                servers.secure(&wrong),
                Refusal::Other,
            ),
        ]);
    }
    for front_end in &setting.front_ends {
        for url in [&here, &by_proxy] {
            servers.through(peer, *front_end, url);
        }
        peer.suite(&format!("before {front_end}, refusing"), || {
            refused(&ways, *front_end, SUITE)
        });
    }
    daemon.stop()
}

/// Servers of ours that a proxy leads to.
struct Servers<'a> {
    plain: Server,
    secure: Server,
    certificate: &'a Certificate,
}

impl<'a> Servers<'a> {
    fn start(setting: &'a Setting<'_>) -> Result<Self> {
        let options = [&["--deflate"][..], &setting.tls_options()].concat();
        Ok(Self {
            plain: setting.serve("tokio", &[])?,
            secure: setting.serve("tokio", &options)?,
            certificate: &setting.tls.certificate,
        })
    }

    /// Returns what the configuration of a proxy has to name.
    fn values(&self, port: u16, closed: u16) -> Vec<(&'static str, String)> {
        vec![
            ("PORT", port.to_string()),
            ("PLAIN_PORT", self.plain.address().port().to_string()),
            ("TLS_PORT", self.secure.address().port().to_string()),
            ("CLOSED_PORT", closed.to_string()),
            ("REFUSED_PORT", REFUSED_PORT.to_string()),
        ]
    }

    fn plain<'b>(&'b self, proxy: &'b str) -> Way<'b> {
        at(self.plain.address().port(), proxy)
    }

    fn secure<'b>(&'b self, proxy: &'b str) -> Way<'b> {
        Way {
            address: self.secure.address(),
            certificate: Some(self.certificate),
            proxy: Some(proxy),
        }
    }

    /// Runs the checks of our client through a proxy that lets it pass, to each of the servers.
    fn through(&self, peer: &mut Peer, front_end: FrontEnd, proxy: &str) {
        let scheme = proxy.split(':').next().unwrap_or_default();
        let user = if proxy.contains('@') {
            " with a user"
        } else {
            ""
        };
        for (way, tls) in [(self.plain(proxy), false), (self.secure(proxy), true)] {
            let heading = format!("before {front_end}, {scheme}{user}{}", how(tls, tls));
            peer.suite(&heading, || through(way, front_end, tls, SUITE));
        }
    }

    fn stop(self) -> Result<()> {
        self.plain.stop()?;
        self.secure.stop()
    }
}

/// Returns the way to a port by a proxy.
fn at(port: u16, proxy: &str) -> Way<'_> {
    Way {
        address: ([127, 0, 0, 1], port).into(),
        certificate: None,
        proxy: Some(proxy),
    }
}

/// What no proxy here leads to.
const REFUSED_PORT: u16 = 1;
