//! `framewire serve`, built and running.

use std::io::BufReader;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, Running};
use crate::project::Project;

/// The largest message that the server under test takes.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;

/// What `framewire serve --engine` takes; the first is its default.
pub(crate) const ENGINES: [&str; 3] = ["tokio", "blocking", "poll"];

/// The program `framewire`, built.
pub(crate) struct Program(PathBuf);

impl Program {
    pub(crate) fn build(project: &Project) -> Result<Self> {
        let build = [
            "build",
            "--release",
            "--quiet",
            "--package",
            "framewire-cli",
        ];
        process::run(&mut project.cargo(&build), BUILD)?;
        Ok(Self(project.target("release/framewire")))
    }
}

/// A server under test, on a free port of the loopback interface.
pub(crate) struct Server {
    process: Running,
    address: SocketAddr,
    /// Open until the server has ended, since a server that cannot print may behave in another way.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the program with `options` and those that every test needs.
    pub(crate) fn start(program: &Program, options: &[&str]) -> Result<Self> {
        Self::start_in(&[], program, options)
    }

    /// Starts as [`start`](Self::start) does, with these environment variables.
    pub(crate) fn start_in(
        environment: &[(&str, &str)],
        program: &Program,
        options: &[&str],
    ) -> Result<Self> {
        let mut command = Command::new(&program.0);
        command.envs(environment.iter().copied());
        command.args([
            "serve",
            "--quiet",
            "--listen",
            "127.0.0.1:0",
            "--max-message",
            &MAX_MESSAGE.to_string(),
        ]);
        command.args(options);
        let process = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, stdout) = process.first_line(START)?;
        let Some(address) = line
            .strip_prefix("listening on ")
            .and_then(|url| url.strip_prefix("ws://").or(url.strip_prefix("wss://")))
            .and_then(|rest| rest.strip_suffix('/'))
        else {
            bail!("the server printed {line:?} instead of where it listens");
        };
        let address = address
            .parse()
            .with_context(|| format!("the server printed {line:?}"))?;
        Ok(Self {
            process,
            address,
            _stdout: stdout,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the server's process.
    pub(crate) fn id(&self) -> u32 {
        self.process.child().id()
    }

    /// Returns the address with a scheme: `ws://HOST:PORT/`.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/", self.address)
    }

    /// Returns the address with a scheme and the host's name: `wss://localhost:PORT/`.
    pub(crate) fn url_by_name(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.address.port())
    }

    /// Ends the server as an operator does, and checks that it ends well.
    pub(crate) fn stop(self) -> Result<()> {
        if let Some(status) = self.process.ended()? {
            bail!("the server ended by itself with {status}");
        }
        self.process.terminate()?;
        let status = self.process.wait(END).context("after SIGTERM")?;
        ensure!(
            status.success(),
            "the server ended with {status} after SIGTERM"
        );
        Ok(())
    }
}

const BUILD: Duration = Duration::from_secs(900);
const START: Duration = Duration::from_secs(10);
const END: Duration = Duration::from_secs(10);
