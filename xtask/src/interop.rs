//! Third-party clients against `framewire serve`, and our client against third-party servers.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::interop_client::{self, Tls};
use crate::interop_upgrade;
use crate::process;
use crate::project::Project;
use crate::server::{ENGINES, MAX_MESSAGE, Program, Server};

/// Check both ends against Python's `websockets` and npm's `ws`, with and without TLS
///
/// The server with each engine, and the client by each front end; what negotiation there can be of
/// compression, with one of each.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Check the server alone, and all of it with this engine, as `framewire serve --engine` names it
    #[arg(long, value_name = "NAME", conflicts_with = "front_end")]
    engine: Option<String>,

    /// Check the client alone, by this front end
    #[arg(long, value_name = "NAME")]
    front_end: Option<FrontEnd>,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let certificate =
        |name: &str, hosts: &[&str]| Certificate::make(project, &format!("interop/{name}"), hosts);
    let tls = Tls {
        certificate: certificate("certificate", &["localhost", "127.0.0.1"])?,
        stranger: certificate("stranger", &["localhost", "127.0.0.1"])?,
        elsewhere: certificate("elsewhere", &["elsewhere.example"])?,
    };
    let (engines, front_ends) = match (options.engine.as_deref(), options.front_end) {
        (None, None) => (&ENGINES[..], &FrontEnd::ALL[..]),
        (Some(engine), _) => (&[engine][..], &[][..]),
        (None, Some(front_end)) => (&[][..], &[front_end][..]),
    };
    let program = Program::build(project)?;
    let mut failures = Vec::new();
    for peer in [Peer::python(project)?, Peer::node(project)?] {
        for (number, engine) in engines.iter().enumerate() {
            let target = Target {
                program: &program,
                engine,
            };
            failures.extend(peer.client(&target, false, None).err());
            failures.extend(peer.client(&target, true, None).err());
            failures.extend(peer.client(&target, true, Some(&tls)).err());
            // The engine plays no part in it, and it takes as long as all the others.
            if number == 0 {
                failures.extend(peer.client_of_compression(&target).err());
            }
        }
        for front_end in front_ends {
            failures.extend(peer.server(*front_end, None).err());
            failures.extend(peer.server(*front_end, Some(&tls)).err());
        }
    }
    if options.engine.is_none() {
        failures.extend(interop_upgrade::run(project).err());
    }
    match failures.into_iter().next() {
        Some(first) => bail!(first),
        None => Ok(()),
    }
}

/// `framewire serve` with an engine.
struct Target<'a> {
    program: &'a Program,
    engine: &'a str,
}

impl Target<'_> {
    fn start(&self, options: &[&str]) -> Result<Server> {
        let engine = ["--engine", self.engine];
        Server::start(self.program, &[&engine, options].concat())
    }
}

/// A third-party library, and the scripts that use it.
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

    /// Runs the peer's client against a server, with or without compression.
    fn client(&self, target: &Target<'_>, compression: bool, tls: Option<&Tls>) -> Result<()> {
        let (how, options): (_, &[&str]) = if compression {
            ("with compression", &["--deflate"])
        } else {
            ("without compression", &[])
        };
        let (library, engine, over) = (self.library, target.engine, over(tls));
        println!("{library} as a client of {engine}, {how}{over}:");
        let mut client = self.script("client");
        let server = if let Some(Tls { certificate, .. }) = tls {
            let (cert, key) = (certificate.cert_file(), certificate.key_file());
            let tls = ["--tls-cert", cert, "--tls-key", key];
            let server = target.start(&[options, &tls].concat())?;
            client.args([&server.url_by_name("wss"), "--ca", cert]);
            server
        } else {
            let server = target.start(options)?;
            client.arg(server.url("ws"));
            server
        };
        client.arg(MAX_MESSAGE.to_string()).args(options);
        process::run(&mut client, SUITE).and(server.stop())
    }

    /// Runs the peer's client against servers that compress in all possible ways.
    fn client_of_compression(&self, target: &Target<'_>) -> Result<()> {
        let (library, engine) = (self.library, target.engine);
        println!("{library} as a client of {engine}, of compression:");
        let mut client = self.script("client_deflate");
        client.arg(MAX_MESSAGE.to_string());
        let mut servers = Vec::new();
        for options in WAYS_TO_COMPRESS {
            let words: Vec<&str> = options.split_whitespace().collect();
            let server = target.start(&words)?;
            client.arg(format!("{} {options}", server.url("ws")));
            servers.push(server);
        }
        let mut result = process::run(&mut client, SUITE);
        for server in servers {
            result = result.and(server.stop());
        }
        result
    }

    /// Runs our client, with a front end, against the peer's server.
    fn server(&self, front_end: FrontEnd, tls: Option<&Tls>) -> Result<()> {
        let (library, over) = (self.library, over(tls));
        println!("{library} as a server of {front_end}{over}:");
        let server = |certificate: Option<&Certificate>| {
            let mut server = self.script("server");
            if let Some(certificate) = certificate {
                server.args([certificate.cert_file(), certificate.key_file()]);
            }
            server
        };
        interop_client::run(server, tls, front_end, SUITE)
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        // The scripts are in the repository, in which nothing must be written.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(self.scripts.join(name).with_extension(self.extension));
        command
    }
}

fn over(tls: Option<&Tls>) -> &'static str {
    tls.map_or("", |_| ", over TLS")
}

/// Options of `framewire serve`: each window, with and without context takeover, and levels of all of zlib's
/// strategies.
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
