//! Other people's clients against `framewire serve`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process;
use crate::project::Project;
use crate::server::{MAX_MESSAGE, Server};

pub(crate) fn run(project: &Project) -> Result<()> {
    let python = project.python("interop/venv", "conformance/interop/requirements.txt")?;
    let node_script = project.node("interop", "conformance/interop", "client.mjs")?;
    let server = Server::start(project, &[])?;
    let arguments = [server.url("ws"), MAX_MESSAGE.to_string()];

    println!("Python websockets:");
    let script = project.path("conformance/interop/client.py");
    let python = process::run(Command::new(python).arg(script).args(&arguments), SUITE);
    println!("npm ws:");
    let node = process::run(
        Command::new("node").arg(node_script).args(&arguments),
        SUITE,
    );

    let end = server.stop();
    for result in [python, node, end] {
        if let Err(error) = result {
            bail!(error);
        }
    }
    Ok(())
}

const SUITE: Duration = Duration::from_secs(600);
