//! Programs of Debian's packages that serve, as processes of our own: proxies with a configuration of our own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::debian;
use crate::process::Running;
use crate::project::Project;

/// A proxy, and how it is run in the foreground.
pub(crate) struct Software {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) program: &'static str,
    /// The option with which it prints its version.
    pub(crate) version: &'static str,
    /// Its configuration in `conformance/interop/proxies`, and files that go with it.
    pub(crate) files: &'static [&'static str],
    pub(crate) arguments: &'static [&'static str],
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

/// A proxy that is installed.
pub(crate) struct Installed<'a> {
    project: &'a Project,
    software: &'a Software,
    program: PathBuf,
}

impl Software {
    pub(crate) fn install<'a>(&'a self, project: &'a Project) -> Result<Installed<'a>> {
        Ok(Installed {
            project,
            software: self,
            program: debian::program(self.program, self.package)?,
        })
    }
}

impl Installed<'_> {
    pub(crate) fn version(&self) -> Result<String> {
        debian::version(&self.program, self.software.version)
    }

    /// Returns the folder below `target/` in which it runs.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let name = format!("interop/proxies/{}", self.software.name);
        self.project.target_dir(&name)
    }

    /// Starts it with some values in its files, and waits until it takes connections at the ports.
    pub(crate) fn start(&self, values: &[(&str, String)], ports: &[u16]) -> Result<Daemon> {
        let folder = self.folder()?;
        let folder_name = folder
            .to_str()
            .context("the build directory is not UTF-8")?;
        let values = [&[("FOLDER", folder_name.to_owned())], values].concat();
        for file in self.software.files {
            let template = self.project.path("conformance/interop/proxies").join(file);
            let text = fs::read_to_string(template).context(*file)?;
            fs::write(folder.join(file), filled(&text, &values)).context(*file)?;
        }
        let mut command = Command::new(&self.program);
        command
            .args(self.software.arguments.iter().map(|it| filled(it, &values)))
            .envs(
                self.software
                    .environment
                    .iter()
                    .map(|(name, it)| (name, filled(it, &values))),
            );
        Daemon::start(&mut command, &folder.join("output.txt"), ports)
    }
}

/// A program that serves.
pub(crate) struct Daemon {
    process: Running,
}

impl Daemon {
    /// Starts it, and waits until it takes connections at the ports. What it prints is in the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path, ports: &[u16]) -> Result<Self> {
        let output = File::create(log).with_context(|| log.display().to_string())?;
        command
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output));
        let daemon = Self {
            process: Running::spawn(command)?,
        };
        daemon
            .ready(ports)
            .with_context(|| fs::read_to_string(log).unwrap_or_default())?;
        Ok(daemon)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.child().id()
    }

    /// Nothing but a connection tells that a port is open.
    fn ready(&self, ports: &[u16]) -> Result<()> {
        let started = Instant::now();
        for port in ports {
            while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))).is_err() {
                if let Some(status) = self.process.ended()? {
                    bail!("it ended with {status}");
                }
                if started.elapsed() > START {
                    bail!("it takes no connections after {} s", START.as_secs());
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Ends it, in any way.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.terminate()?;
        self.process.wait(END).context("after SIGTERM").map(drop)
    }
}

/// Returns ports that are free now.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are open at once, so that no two are the same.
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Puts values in the places of their names, which stand between @ signs.
pub(crate) fn filled(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("@{name}@"), value)
    })
}

const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(20);
