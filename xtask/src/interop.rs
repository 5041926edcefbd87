//! Other people's clients against `framewire serve`, and our client against their servers.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::certificate::Certificate;
use crate::interop_client::{self, Tls};
use crate::interop_upgrade;
use crate::process;
use crate::project::Project;
use crate::server::{MAX_MESSAGE, Server};

pub(crate) fn run(project: &Project) -> Result<()> {
    let tls = Tls {
        certificate: Certificate::make(project, "interop/certificate")?,
        stranger: Certificate::make(project, "interop/stranger")?,
    };
    let mut failures = Vec::new();
    for peer in [Peer::python(project)?, Peer::node(project)?] {
        failures.extend(peer.client(project, false, None).err());
        failures.extend(peer.client(project, true, None).err());
        failures.extend(peer.client(project, true, Some(&tls)).err());
        failures.extend(peer.client_of_compression(project).err());
        failures.extend(peer.server(None).err());
        failures.extend(peer.server(Some(&tls)).err());
    }
    failures.extend(interop_upgrade::run(project).err());
    match failures.into_iter().next() {
        Some(first) => bail!(first),
        None => Ok(()),
    }
}

/// A library of other people's, and the scripts that use it.
struct Peer {
    library: &'static str,
    interpreter: PathBuf,
    scripts: PathBuf,
    extension: &'static str,
}

impl Peer {
    fn python(project: &Project) -> Result<Self> {
        Ok(Self {
            library: "Python websockets",
            interpreter: project.python("interop/venv", "conformance/interop/requirements.txt")?,
            scripts: project.path("conformance/interop"),
            extension: "py",
        })
    }

    fn node(project: &Project) -> Result<Self> {
        Ok(Self {
            library: "npm ws",
            interpreter: PathBuf::from("node"),
            scripts: project.node("interop", "conformance/interop")?,
            extension: "mjs",
        })
    }

    /// Its client against a server that compresses or does not.
    fn client(&self, project: &Project, compression: bool, tls: Option<&Tls>) -> Result<()> {
        let (how, options): (_, &[&str]) = if compression {
            ("with compression", &["--deflate"])
        } else {
            ("without compression", &[])
        };
        println!("{} as a client, {how}{}:", self.library, over(tls));
        let mut client = self.script("client");
        let server = if let Some(Tls { certificate, .. }) = tls {
            let (cert, key) = (certificate.cert_file(), certificate.key_file());
            let tls = ["--tls-cert", cert, "--tls-key", key];
            let server = Server::start(project, &[options, &tls].concat())?;
            client.args([&server.url_by_name("wss"), "--ca", cert]);
            server
        } else {
            let server = Server::start(project, options)?;
            client.arg(server.url("ws"));
            server
        };
        client.arg(MAX_MESSAGE.to_string()).args(options);
        process::run(&mut client, SUITE).and(server.stop())
    }

    /// Its client against servers that compress in all the ways there are.
    fn client_of_compression(&self, project: &Project) -> Result<()> {
        println!("{} as a client of compression:", self.library);
        let mut client = self.script("client_deflate");
        client.arg(MAX_MESSAGE.to_string());
        let mut servers = Vec::new();
        for options in WAYS_TO_COMPRESS {
            let words: Vec<&str> = options.split_whitespace().collect();
            let server = Server::start(project, &words)?;
            client.arg(format!("{} {options}", server.url("ws")));
            servers.push(server);
        }
        let mut result = process::run(&mut client, SUITE);
        for server in servers {
            result = result.and(server.stop());
        }
        result
    }

    /// Our client against its server.
    fn server(&self, tls: Option<&Tls>) -> Result<()> {
        println!("{} as a server{}:", self.library, over(tls));
        let mut server = self.script("server");
        if let Some(Tls { certificate, .. }) = tls {
            server.args([certificate.cert_file(), certificate.key_file()]);
        }
        interop_client::run(&mut server, tls, SUITE)
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        // The scripts lie in the repository, which stays as it is.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(self.scripts.join(name).with_extension(self.extension));
        command
    }
}

fn over(tls: Option<&Tls>) -> &'static str {
    tls.map_or("", |_| ", over TLS")
}

/// Options of `framewire serve`: each window, with and without context takeover, and levels of
/// all of zlib's strategies.
const WAYS_TO_COMPRESS: [&str; 8] = [
    "--deflate",
    "--deflate=6 --no-context-takeover",
    "--deflate --window-bits 9",
    "--deflate=6 --window-bits 10",
    "--deflate=9 --window-bits 11",
    "--deflate=4 --window-bits 12",
    "--deflate=6 --window-bits 13",
    "--deflate=9 --window-bits 14 --no-context-takeover",
];

const SUITE: Duration = Duration::from_secs(300);
