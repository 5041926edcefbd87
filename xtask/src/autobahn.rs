//! Autobahn|Testsuite, which judges every frame that an endpoint sends back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::process;
use crate::project::Project;
use crate::server::Server;

/// Run Autobahn|Testsuite
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which end of the connection is under test
    #[arg(long)]
    role: Role,

    /// Where the reports go: index.html with a wire log for each case
    /// [default: target/autobahn/ROLE]
    #[arg(long, value_name = "DIR")]
    full_output: Option<PathBuf>,

    /// Patterns such as 1.* or 9.1.6; one that begins with ! leaves out [default: !12.* !13.*]
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// `framewire serve` is under test
    Server,
}

impl Options {
    /// What CI runs for one role.
    pub(crate) fn default_selection(role: Role) -> Self {
        Self {
            role,
            full_output: None,
            cases: Vec::new(),
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
        if options.cases.is_empty() {
            command.args(WITHOUT_COMPRESSION);
        } else {
            command.args(&options.cases);
        }
        command
    };
    match options.role {
        Role::Server => {
            let server = Server::start(project)?;
            process::run(&mut suite(&server.url("ws")), SUITE)?;
            server.stop()?;
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

const AGENT: &str = "framewire";

/// permessage-deflate is not negotiated.
const WITHOUT_COMPRESSION: [&str; 2] = ["!12.*", "!13.*"];

const INSTALLATION: Duration = Duration::from_secs(300);
const SUITE: Duration = Duration::from_secs(1800);
