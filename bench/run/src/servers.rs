//! Which servers meet the load.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::foreign;
use crate::goals::{POLL, SERVE_BLOCKING, SERVE_TOKIO};
use crate::plan::Plan;
use crate::process;
use crate::programs;
use crate::project::Project;
use crate::results::{Results, Role, Subject};
use crate::run;
use crate::server::Server;

/// Builds the servers that a plan has.
pub(crate) fn all(project: &Project, plan: Plan, results: &mut Results) -> Result<Vec<Server>> {
    let program = programs::build(project, "framewire-bench-servers")?;
    let listed = run::list(&program)?.into_iter();
    let mut servers: Vec<Server> = listed
        .map(|listed| Server::of_bench(listed, program.clone()))
        .collect();
    let framewire = programs::build_framewire(project)?;
    let certificate = certificate(&program, &project.target_dir("bench/certificate")?)?;
    for (name, engine) in ENGINES {
        let subject = Subject {
            krate: "framewire-cli".to_owned(),
            version: results.machine.commit.clone(),
            kind: "batched".to_owned(),
            ..Subject::named(name, Role::Ours)
        };
        servers.push(Server::of_framewire(
            subject,
            framewire.clone(),
            engine,
            certificate.clone(),
        ));
    }
    if !plan.quick {
        servers.extend(foreign::servers(project, &certificate, results));
    }
    Ok(servers)
}

/// Has a certificate for loopback made, and returns the files with it and its key.
fn certificate(program: &Path, directory: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut command = Command::new(program);
    process::run(
        command.arg("certificate").arg(directory),
        Duration::from_secs(20),
    )?;
    Ok((directory.join("cert.pem"), directory.join("key.pem")))
}

/// The engines of `framewire serve`.
const ENGINES: [(&str, &str); 3] = [
    (POLL, "poll"),
    (SERVE_TOKIO, "tokio"),
    (SERVE_BLOCKING, "blocking"),
];
