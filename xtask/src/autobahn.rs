//! Autobahn|Testsuite, which judges every frame that an endpoint sends back.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::autobahn_client;
use crate::front_end::FrontEnd;
use crate::process::{self, Running};
use crate::project::Project;
use crate::server::{ENGINES, Program, Server};

/// Run Autobahn|Testsuite
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which end of the connection is under test
    #[arg(long)]
    role: Role,

    /// The engine of the server, as `framewire serve --engine` names it [default: that of `serve`]
    #[arg(long, value_name = "NAME", value_parser = ENGINES)]
    engine: Option<String>,

    /// The front end of the client [default: tokio]
    #[arg(long, value_name = "NAME")]
    front_end: Option<FrontEnd>,

    /// Where the reports go: index.html with a wire log for each case
    /// [default: target/autobahn/ROLE-NAME, with the name of the engine or of the front end]
    #[arg(long, value_name = "DIR")]
    full_output: Option<PathBuf>,

    /// Patterns such as 1.* or 9.1.6; one that begins with ! leaves out [default: all]
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// `framewire serve` is under test
    Server,
    /// A client of the library is under test
    Client,
}

impl Options {
    /// Selects these cases, for the server with an engine.
    pub(crate) fn server(engine: &str, cases: &[&str]) -> Self {
        Self {
            engine: Some(engine.to_owned()),
            ..Self::new(Role::Server, cases)
        }
    }

    /// Selects these cases, for the client with a front end.
    pub(crate) fn client(front_end: FrontEnd, cases: &[&str]) -> Self {
        Self {
            front_end: Some(front_end),
            ..Self::new(Role::Client, cases)
        }
    }

    fn new(role: Role, cases: &[&str]) -> Self {
        Self {
            role,
            engine: None,
            front_end: None,
            full_output: None,
            cases: cases.iter().copied().map(str::to_owned).collect(),
        }
    }

    fn tested(&self) -> Result<Tested<'_>> {
        match (self.role, self.engine.as_deref(), self.front_end) {
            (Role::Server, engine, None) => Ok(Tested::Server(engine.unwrap_or(ENGINES[0]))),
            (Role::Server, ..) => bail!("--front-end is for the role client"),
            (Role::Client, None, front_end) => {
                Ok(Tested::Client(front_end.unwrap_or(FrontEnd::ALL[0])))
            }
            (Role::Client, ..) => bail!("--engine is for the role server"),
        }
    }
}

/// The end of the connection that is under test.
#[derive(Clone, Copy)]
enum Tested<'a> {
    /// `framewire serve` with an engine.
    Server(&'a str),
    /// The client with a front end.
    Client(FrontEnd),
}

/// Installs the suite, unless it is there.
pub(crate) fn install(project: &Project) -> Result<()> {
    let mut setup = Command::new("bash");
    setup.arg(project.path(SCRIPTS).join("setup.sh"));
    process::run(setup.arg(project.target(VENV)), INSTALLATION)
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let tested = options.tested()?;
    install(project)?;
    let (scripts, venv) = (project.path(SCRIPTS), project.target(VENV));

    let (role, name) = match tested {
        Tested::Server(engine) => ("server", format!("server-{engine}")),
        Tested::Client(front_end) => ("client", format!("client-{front_end}")),
    };
    let default = || project.target("autobahn").join(name);
    let output = options.full_output.clone().unwrap_or_else(default);
    let suite = |target: &str| {
        let mut command = Command::new("bash");
        command
            .arg(scripts.join("run.sh"))
            .arg(&venv)
            .args([role, target])
            .arg(&output)
            .env("AGENT", AGENT);
        command.args(&options.cases);
        command
    };
    match tested {
        Tested::Server(engine) => {
            let program = Program::build(project)?;
            let server = Server::start(&program, &["--deflate", "--engine", engine])?;
            process::run(&mut suite(&server.url("ws")), SUITE)?;
            server.stop()?;
        }
        Tested::Client(front_end) => {
            let port = free_port()?;
            let suite = Running::spawn(&mut suite(&port.to_string()))?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            wait_until_ready(&suite, address)?;
            autobahn_client::run_all_cases(front_end, address, AGENT, Instant::now() + SUITE)?;
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

/// Returns a port that was free a moment ago: the suite cannot report which one it was given.
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

const SCRIPTS: &str = "conformance/autobahn";
const VENV: &str = "autobahn-venv";
const AGENT: &str = "framewire";

/// All cases but those of compression with the largest messages, which take ten minutes.
pub(crate) const WITHOUT_LARGE_COMPRESSION: &[&str] = &["!1[23].*.([89]|1[03-8])"];
pub(crate) const WITHOUT_COMPRESSION: &[&str] = &["!12.*", "!13.*"];

const INSTALLATION: Duration = Duration::from_secs(300);
const START: Duration = Duration::from_secs(30);
const SUITE: Duration = Duration::from_secs(1800);
const REPORTS: Duration = Duration::from_secs(120);
