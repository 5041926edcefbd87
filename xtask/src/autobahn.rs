//! Autobahn|Testsuite, which judges every frame that an endpoint sends back.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::autobahn_client;
use crate::process::{self, Running};
use crate::project::Project;
use crate::server::Server;

/// Run Autobahn|Testsuite
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which end of the connection is under test
    #[arg(long)]
    role: Role,

    /// The engine of the server that is under test, as `framewire serve --engine` names it
    /// [default: that of `serve`]
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,

    /// Where the reports go: index.html with a wire log for each case
    /// [default: target/autobahn/ROLE]
    #[arg(long, value_name = "DIR")]
    full_output: Option<PathBuf>,

    /// Patterns such as 1.* or 9.1.6; one that begins with ! leaves out [default: all]
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// `framewire serve` is under test
    Server,
    /// A client of the library is under test
    Client,
}

impl Options {
    /// What CI runs for one role: all but the compression cases of the largest messages, which
    /// take ten minutes.
    pub(crate) fn default_selection(role: Role) -> Self {
        Self {
            role,
            engine: None,
            full_output: None,
            cases: vec![WITHOUT_LARGE_COMPRESSION.to_owned()],
        }
    }
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let scripts = project.path("conformance/autobahn");
    let venv = project.target("autobahn-venv");
    process::run(
        Command::new("bash")
            .arg(scripts.join("setup.sh"))
            .arg(&venv),
        INSTALLATION,
    )?;

    let (name, output) = match options.role {
        Role::Server => ("server", project.target("autobahn/server")),
        Role::Client => ("client", project.target("autobahn/client")),
    };
    let output = options.full_output.clone().unwrap_or(output);
    let suite = |target: &str| {
        let mut command = Command::new("bash");
        command
            .arg(scripts.join("run.sh"))
            .arg(&venv)
            .args([name, target])
            .arg(&output)
            .env("AGENT", AGENT);
        command.args(&options.cases);
        command
    };
    match options.role {
        Role::Server => {
            let mut arguments = vec!["--deflate"];
            if let Some(engine) = &options.engine {
                arguments.extend(["--engine", engine]);
            }
            let server = Server::start(project, &arguments)?;
            process::run(&mut suite(&server.url("ws")), SUITE)?;
            server.stop()?;
        }
        Role::Client => {
            let port = free_port()?;
            let suite = Running::spawn(&mut suite(&port.to_string()))?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            wait_until_ready(&suite, address)?;
            autobahn_client::run_all_cases(address, AGENT, Instant::now() + SUITE)?;
            let status = suite.wait(REPORTS)?;
            ensure!(status.success(), "the suite ended with {status}");
        }
    }
    summarize(&scripts, &output)
}

fn summarize(scripts: &Path, output: &Path) -> Result<()> {
    println!("reports: {}", output.join("index.html").display());
    let mut command = Command::new("python3");
    process::run(
        command
            .arg(scripts.join("summarize.py"))
            .arg(output.join("index.json")),
        Duration::from_secs(60),
    )
}

/// A port that was free a moment ago: the suite cannot say which one it was given.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

fn wait_until_ready(suite: &Running, address: SocketAddr) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < START {
        if let Some(status) = suite.ended()? {
            bail!("the suite ended with {status} before a client connected");
        }
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!(
        "the suite did not listen on {address} after {} s",
        START.as_secs()
    )
}

const AGENT: &str = "framewire";

const WITHOUT_LARGE_COMPRESSION: &str = "!1[23].*.([89]|1[03-8])";

const INSTALLATION: Duration = Duration::from_secs(300);
const START: Duration = Duration::from_secs(30);
const SUITE: Duration = Duration::from_secs(1800);
const REPORTS: Duration = Duration::from_secs(120);
