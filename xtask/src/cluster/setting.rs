//! NATS, the nodes and `HAProxy`, running.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::interop::daemon::{Daemon, filled, free_ports};
use crate::interop::debian;
use crate::process;
use crate::project::Project;

/// What a cluster is made of.
pub(super) struct Programs<'a> {
    project: &'a Project,
    nats: PathBuf,
    haproxy: PathBuf,
}

impl<'a> Programs<'a> {
    /// Installs what is missing, and builds the example.
    pub(super) fn build(project: &'a Project) -> Result<Self> {
        let nats = debian::program("nats-server", "nats-server")?;
        let haproxy = debian::program("haproxy", "haproxy")?;
        println!("building examples/cluster: minutes, the first time");
        let manifest = "examples/cluster/Cargo.toml";
        let mut build = project.cargo(&["build", "--release", "--locked", "--quiet"]);
        process::run(build.args(["--manifest-path", manifest]), BUILD)?;
        Ok(Self {
            project,
            nats,
            haproxy,
        })
    }

    pub(super) fn versions(&self) -> Result<String> {
        let nats = debian::version(&self.nats, "--version")?;
        let haproxy = debian::version(&self.haproxy, "-v")?;
        Ok(format!("nats-server {nats}, HAProxy {haproxy}"))
    }

    pub(super) fn crowd(&self) -> PathBuf {
        self.project.target("release/crowd")
    }

    fn node(&self) -> PathBuf {
        self.project.target("release/node")
    }
}

/// A cluster that runs.
pub(super) struct Cluster<'a> {
    programs: &'a Programs<'a>,
    folder: PathBuf,
    nats_port: u16,
    port: u16,
    /// `None` is killed.
    nodes: Vec<(u16, Option<Daemon>)>,
    /// `None` is ended.
    nats: Option<Daemon>,
    haproxy: Daemon,
}

impl<'a> Cluster<'a> {
    /// Starts NATS with an empty store, the nodes, and `HAProxy` for this many clients.
    pub(super) fn start(programs: &'a Programs<'a>, nodes: u16, clients: u32) -> Result<Self> {
        let folder = programs.project.target_dir("cluster")?;
        let store = folder.join(STORE);
        if store.exists() {
            fs::remove_dir_all(&store).context("the store of the run before")?;
        }
        let [nats_port, port] = free_ports::<2>()?;
        let nats = start_nats(programs, &folder, nats_port)?;
        let mut running = Vec::new();
        for _ in 0..nodes {
            let [port] = free_ports()?;
            let index = running.len();
            let node = start_node(programs, &folder, index, port, nats_port)?;
            running.push((port, Some(node)));
        }
        let ports = running.iter().map(|(port, _)| *port).collect::<Vec<_>>();
        let haproxy = start_haproxy(programs, &folder, port, &ports, clients)?;
        Ok(Self {
            programs,
            folder,
            nats_port,
            port,
            nodes: running,
            nats: Some(nats),
            haproxy,
        })
    }

    /// Returns where NATS is.
    pub(super) fn nats_url(&self) -> String {
        nats_url(self.nats_port)
    }

    /// Returns where clients connect.
    pub(super) fn url(&self) -> String {
        url(self.port)
    }

    /// Returns where clients connect to a node, past `HAProxy`.
    pub(super) fn url_of_node(&self, index: usize) -> String {
        url(self.nodes[index].0)
    }

    /// Ends a node with SIGTERM, and starts it again at the same port.
    pub(super) fn restart(&mut self, index: usize) -> Result<()> {
        let (port, node) = &mut self.nodes[index];
        if let Some(node) = node.take() {
            node.stop()?;
        }
        let started = start_node(self.programs, &self.folder, index, *port, self.nats_port)?;
        *node = Some(started);
        Ok(())
    }

    /// Kills a node.
    pub(super) fn kill(&mut self, index: usize) -> Result<()> {
        let node = self.nodes[index].1.take();
        node.context("the node is killed").map(drop)
    }

    /// Ends NATS with SIGTERM, and starts it again with what it has stored.
    pub(super) fn restart_nats(&mut self) -> Result<()> {
        if let Some(nats) = self.nats.take() {
            nats.stop()?;
        }
        let started = start_nats(self.programs, &self.folder, self.nats_port)?;
        self.nats = Some(started);
        Ok(())
    }

    /// Returns the processor time of the nodes together, of NATS and of `HAProxy`.
    pub(super) fn processor_times(&self) -> Result<[Duration; 3]> {
        let mut nodes = Duration::ZERO;
        for node in self.nodes.iter().filter_map(|(_, node)| node.as_ref()) {
            nodes += processor_time(node.id())?;
        }
        Ok([
            nodes,
            processor_time(self.nats.as_ref().context("NATS is ended")?.id())?,
            processor_time(self.haproxy.id())?,
        ])
    }

    /// Returns the process of a node.
    pub(super) fn node(&self, index: usize) -> Result<u32> {
        let node = self.nodes[index].1.as_ref();
        Ok(node.context("the node is killed")?.id())
    }

    /// Ends everything, in order.
    pub(super) fn stop(self) -> Result<()> {
        for (_, node) in self.nodes {
            if let Some(node) = node {
                node.stop()?;
            }
        }
        self.haproxy.stop()?;
        self.nats.map_or(Ok(()), Daemon::stop)
    }
}

fn start_nats(programs: &Programs<'_>, folder: &Path, port: u16) -> Result<Daemon> {
    let mut command = Command::new(&programs.nats);
    command
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder.join(STORE));
    Daemon::start(&mut command, &folder.join("nats.txt"), &[port])
}

fn start_node(
    programs: &Programs<'_>,
    folder: &Path,
    index: usize,
    port: u16,
    nats_port: u16,
) -> Result<Daemon> {
    let mut command = Command::new(programs.node());
    command
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--nats", &nats_url(nats_port)]);
    Daemon::start(
        &mut command,
        &folder.join(format!("node-{index}.txt")),
        &[port],
    )
}

fn start_haproxy(
    programs: &Programs<'_>,
    folder: &Path,
    port: u16,
    nodes: &[u16],
    clients: u32,
) -> Result<Daemon> {
    let template = programs.project.path("examples/cluster/haproxy.cfg");
    let text = fs::read_to_string(template).context("haproxy.cfg")?;
    let servers = nodes
        .iter()
        .enumerate()
        .map(|(index, port)| format!("  server node{index} 127.0.0.1:{port}"));
    let values = [
        ("PORT", port.to_string()),
        ("MAX", (clients + 100).to_string()),
        ("NODES", servers.collect::<Vec<_>>().join("\n")),
    ];
    let file = folder.join("haproxy.cfg");
    fs::write(&file, filled(&text, &values)).context("haproxy.cfg")?;
    let mut command = Command::new(&programs.haproxy);
    command.args(["-db", "-f"]).arg(file);
    Daemon::start(&mut command, &folder.join("haproxy.txt"), &[port])
}

/// Returns the time that a process has had processors for, by itself and in the kernel.
fn processor_time(id: u32) -> Result<Duration> {
    let path = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The name, in parentheses, may contain anything.
    let rest = text.rsplit(") ").next().unwrap_or_default();
    let ticks = |index| rest.split(' ').nth(index)?.parse::<u64>().ok();
    let ticks = ticks(11).zip(ticks(12)).context(path)?;
    Ok(Duration::from_millis((ticks.0 + ticks.1) * TICK))
}

fn url(port: u16) -> String {
    format!("ws://{}", SocketAddr::from(([127, 0, 0, 1], port)))
}

fn nats_url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

/// The folder of what NATS stores.
const STORE: &str = "jetstream";
const BUILD: Duration = Duration::from_secs(1800);
/// Of the kernel's accounts, in milliseconds: `getconf CLK_TCK` is 100 on every Linux.
const TICK: u64 = 10;
