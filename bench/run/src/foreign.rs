//! Servers that are not written in Rust, set up below `target/`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::lines::Abilities;
use crate::process;
use crate::project::Project;
use crate::results::{Results, Role, Subject};
use crate::server::Server;

/// Returns those that can be set up here, and notes the others.
pub(crate) fn servers(
    project: &Project,
    certificate: &(PathBuf, PathBuf),
    results: &mut Results,
) -> Vec<Server> {
    let mut servers = Vec::new();
    match node(project, certificate) {
        Ok(server) => servers.push(server),
        Err(error) => results.note(format!("npm ws is left out: {error:#}")),
    }
    match python(project, certificate) {
        Ok(both) => servers.extend(both),
        Err(error) => results.note(format!("the Python servers are left out: {error:#}")),
    }
    servers
}

fn node(project: &Project, certificate: &(PathBuf, PathBuf)) -> Result<Server> {
    let folder = project.node("bench/node", "bench/servers/node")?;
    let version = "JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version";
    let version = output(
        Command::new("node")
            .args(["-p", version])
            .current_dir(&folder),
    )?;
    let words = vec![PathBuf::from("node"), folder.join("server.js")];
    let subject = subject("npm-ws", "npm ws", &version);
    Ok(Server::of_script(
        subject,
        words,
        Abilities::SERVER,
        certificate.clone(),
    ))
}

fn python(project: &Project, certificate: &(PathBuf, PathBuf)) -> Result<Vec<Server>> {
    let python = project.python("bench/venv", "bench/servers/python/requirements.txt")?;
    let bare = Abilities {
        deflate: false,
        takeover: false,
        ..Abilities::SERVER
    };
    [("picows", bare), ("websockets", Abilities::SERVER)]
        .into_iter()
        .map(|(package, abilities)| {
            let version =
                format!("from importlib.metadata import version; print(version('{package}'))");
            let version = output(Command::new(&python).args(["-c", &version]))?;
            let script = format!("bench/servers/python/{package}_server.py");
            let words = vec![python.clone(), project.path(&script)];
            let subject = subject(
                &format!("python-{package}"),
                &format!("Python {package}"),
                &version,
            );
            Ok(Server::of_script(
                subject,
                words,
                abilities,
                certificate.clone(),
            ))
        })
        .collect()
}

fn output(command: &mut Command) -> Result<String> {
    let output = process::output(command, Duration::from_secs(20)).context("version")?;
    ensure!(!output.trim().is_empty(), "it has no version");
    Ok(output.trim().to_owned())
}

fn subject(name: &str, package: &str, version: &str) -> Subject {
    Subject {
        name: name.to_owned(),
        krate: package.to_owned(),
        version: version.to_owned(),
        kind: "simple".to_owned(),
        role: Role::Peer,
        foreign: true,
    }
}
