//! NATS, the nodes and `HAProxy`, running.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
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
    place: Place<'a>,
    port: u16,
    /// `None` is killed.
    nodes: Vec<(u16, Option<Daemon>)>,
    /// `None` is ended.
    nats: Option<Daemon>,
    haproxy: Daemon,
}

/// Where the parts of a cluster are started.
struct Place<'a> {
    programs: &'a Programs<'a>,
    folder: PathBuf,
    nats_port: u16,
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
        let place = Place {
            programs,
            folder,
            nats_port,
        };
        let nats = place.start_nats()?;
        let mut running = Vec::new();
        for index in 0..nodes.into() {
            let [port] = free_ports()?;
            running.push((port, Some(place.start_node(index, port)?)));
        }
        let ports = running.iter().map(|(port, _)| *port).collect::<Vec<_>>();
        let haproxy = place.start_haproxy(port, &ports, clients)?;
        Ok(Self {
            place,
            port,
            nodes: running,
            nats: Some(nats),
            haproxy,
        })
    }

    /// Returns where NATS is.
    pub(super) fn nats_url(&self) -> String {
        self.place.nats_url()
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
        *node = Some(self.place.start_node(index, *port)?);
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
        self.nats = Some(self.place.start_nats()?);
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

impl Place<'_> {
    fn start_nats(&self) -> Result<Daemon> {
        let (port, mut command) = (self.nats_port, Command::new(&self.programs.nats));
        command
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(self.folder.join(STORE));
        self.start(command, "nats", port)
    }

    fn start_node(&self, index: usize, port: u16) -> Result<Daemon> {
        let mut command = Command::new(self.programs.node());
        command
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--nats", &self.nats_url()]);
        self.start(command, &format!("node-{index}"), port)
    }

    fn start_haproxy(&self, port: u16, nodes: &[u16], clients: u32) -> Result<Daemon> {
        let template = self.programs.project.path("examples/cluster/haproxy.cfg");
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
        let file = self.folder.join("haproxy.cfg");
        fs::write(&file, filled(&text, &values)).context("haproxy.cfg")?;
        let mut command = Command::new(&self.programs.haproxy);
        command.args(["-db", "-f"]).arg(file);
        self.start(command, "haproxy", port)
    }

    /// Starts a program that writes to a file of this name, and waits until it listens.
    fn start(&self, mut command: Command, name: &str, port: u16) -> Result<Daemon> {
        let output = self.folder.join(format!("{name}.txt"));
        Daemon::start(&mut command, &output, &[port])
    }

    fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats_port)
    }
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

/// The folder of what NATS stores.
const STORE: &str = "jetstream";
const BUILD: Duration = Duration::from_secs(1800);
/// Of the kernel's accounts, in milliseconds: `getconf CLK_TCK` is 100 on every Linux.
const TICK: u64 = 10;
