//! Servers: ours, peers and floors, each in a process of its own.

use std::ffi::OsString;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cores::{Core, Cores};
use crate::lines::{self, Abilities, Listed};
use crate::process::Running;
use crate::results::Subject;

/// A server that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) subject: Subject,
    program: Program,
    abilities: Abilities,
}

#[derive(Debug, Clone)]
enum Program {
    /// One of `framewire-bench-servers`.
    Bench(PathBuf),
    /// `framewire serve` with an engine.
    Framewire {
        program: PathBuf,
        engine: &'static str,
        /// PEM files with a certificate and its key.
        certificate: (PathBuf, PathBuf),
    },
    Script {
        words: Vec<PathBuf>,
        certificate: (PathBuf, PathBuf),
    },
}

/// How the connections of a server are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) tls: bool,
    pub(crate) deflate: Option<Takeover>,
    /// Each message goes to all connections.
    pub(crate) broadcast: bool,
    /// It is a client, and the load is its server.
    pub(crate) client: bool,
}

/// Whether a message is compressed after those before it, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takeover {
    No,
    Yes,
}

impl Takeover {
    const fn argument(self) -> &'static str {
        match self {
            Self::No => "no-takeover",
            Self::Yes => "takeover",
        }
    }
}

impl Variant {
    /// Returns the options that servers and load both have for this.
    pub(crate) fn options(self) -> Vec<&'static str> {
        let mut options = Vec::new();
        if self.tls {
            options.push("--tls");
        }
        if let Some(takeover) = self.deflate {
            options.extend(["--deflate", takeover.argument()]);
        }
        options
    }

    fn options_of_framewire(self) -> Vec<&'static str> {
        match self.deflate {
            None => Vec::new(),
            Some(Takeover::Yes) => vec!["--deflate"],
            Some(Takeover::No) => vec!["--deflate", "--no-context-takeover"],
        }
    }
}

impl Server {
    pub(crate) fn of_bench(listed: Listed, program: PathBuf) -> Self {
        Self {
            abilities: listed.abilities,
            subject: listed.into(),
            program: Program::Bench(program),
        }
    }

    pub(crate) fn of_framewire(
        subject: Subject,
        program: PathBuf,
        engine: &'static str,
        certificate: (PathBuf, PathBuf),
    ) -> Self {
        Self {
            subject,
            program: Program::Framewire {
                program,
                engine,
                certificate,
            },
            abilities: Abilities {
                broadcast: false,
                ..Abilities::SERVER
            },
        }
    }

    /// `words` are what is before the options on the command line.
    pub(crate) fn of_script(
        subject: Subject,
        words: Vec<PathBuf>,
        abilities: Abilities,
        certificate: (PathBuf, PathBuf),
    ) -> Self {
        let program = Program::Script { words, certificate };
        Self {
            subject,
            program,
            abilities,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.subject.name
    }

    /// Returns whether it does the opening handshake by itself.
    pub(crate) fn does_handshakes(&self) -> bool {
        self.abilities.handshake
    }

    pub(crate) fn has(&self, variant: Variant) -> bool {
        let Abilities {
            handshake: _,
            tls,
            deflate,
            takeover,
            broadcast,
            client,
        } = self.abilities;
        let compresses = match variant.deflate {
            None => true,
            Some(Takeover::No) => deflate,
            Some(Takeover::Yes) => takeover,
        };
        (client || !variant.client)
            && compresses
            && (tls || !variant.tls)
            && (broadcast || !variant.broadcast)
    }

    /// Returns the command line of its client, less an address and a number of connections.
    pub(crate) fn client(&self, cores: &Cores) -> Option<Vec<OsString>> {
        let Program::Bench(program) = &self.program else {
            return None;
        };
        let mut line: Vec<OsString> = cores
            .words(Core::Server)
            .into_iter()
            .map(Into::into)
            .collect();
        line.extend([program.into(), "client".into(), self.name().into()]);
        Some(line)
    }

    pub(crate) fn start(&self, cores: &Cores, variant: Variant) -> Result<Started> {
        let mut command = self.command(cores, variant);
        let process = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, stdout) = process.first_line(START)?;
        let address = lines::address(&line)
            .with_context(|| format!("it printed {line:?} instead of where it listens"))?;
        Ok(Started {
            process,
            address,
            _stdout: stdout,
        })
    }

    fn command(&self, cores: &Cores, variant: Variant) -> Command {
        match &self.program {
            Program::Bench(program) => {
                let mut command = cores.command(Core::Server, program);
                command.args(["run", self.name()]).args(variant.options());
                if variant.broadcast {
                    command.arg("--broadcast");
                }
                command
            }
            Program::Framewire {
                program,
                engine,
                certificate: (cert, key),
            } => {
                let mut command = cores.command(Core::Server, program);
                command
                    .args([
                        "serve",
                        "--quiet",
                        "--listen",
                        "127.0.0.1:0",
                        "--engine",
                        engine,
                    ])
                    .args(["--max-connections", MAX_CONNECTIONS])
                    .args(variant.options_of_framewire());
                if variant.tls {
                    command
                        .arg("--tls-cert")
                        .arg(cert)
                        .arg("--tls-key")
                        .arg(key);
                }
                command
            }
            Program::Script {
                words,
                certificate: (cert, key),
            } => {
                let mut command = cores.command(Core::Server, &words[0]);
                command.args(&words[1..]).args(variant.options());
                if variant.broadcast {
                    command.arg("--broadcast");
                }
                command.env("TLS_CERT", cert).env("TLS_KEY", key);
                command
            }
        }
    }
}

/// A server that runs until this is dropped.
pub(crate) struct Started {
    process: Running,
    pub(crate) address: String,
    /// Open until the server has ended, since a server that cannot print may behave in another way.
    _stdout: BufReader<ChildStdout>,
}

impl Started {
    pub(crate) fn id(&self) -> u32 {
        self.process.child().id()
    }
}

const MAX_CONNECTIONS: &str = "30000";
const START: Duration = Duration::from_secs(20);
