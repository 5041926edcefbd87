//! What a cluster delivers by the number of its nodes, and what it takes for that.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::setting::{Cluster, Programs};
use super::{Options, Talk};
use crate::idle_memory::{allow_files, resident_at_rest};
use crate::process::{self, Running};

/// Measures clusters of one node and more: as fast as clients are answered, and at a message each second.
pub(super) fn by_nodes(programs: &Programs<'_>, options: &Options) -> Result<()> {
    println!(
        "\n{} clients in {} rooms; clients, nodes, NATS and HAProxy share {} processors",
        options.clients,
        options.rooms,
        std::thread::available_parallelism()?
    );
    println!(
        "| nodes | load | deliveries/s | p50 ms | p99 ms \
         | node: µs a delivery | HAProxy: µs a delivery | NATS: µs a message |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for nodes in 1..=options.nodes {
        for (load, rate, messages) in [
            ("1 a second", 1, options.messages),
            ("all they can", 0, options.messages * 5),
        ] {
            let talk = Talk {
                options,
                messages,
                rate,
            };
            let cluster = Cluster::start(programs, nodes, options.clients)?;
            let before = cluster.processor_times()?;
            let outcome = talk.run(programs, &cluster.url(), |_| Ok(()))?;
            let after = cluster.processor_times()?;
            cluster.stop()?;
            outcome.check()?;
            let each = |index: usize, count: u64| {
                let taken: Duration = after[index].saturating_sub(before[index]);
                taken.as_micros() / u128::from(count.max(1))
            };
            let (delivered, sent) = (outcome.count("delivered")?, outcome.count("sent")?);
            println!(
                "| {nodes} | {load} | {} | {:.1} | {:.1} | {} | {} | {} |",
                outcome.number("deliveries_per_second")?,
                outcome.number("p50_ms")?,
                outcome.number("p99_ms")?,
                each(0, delivered),
                each(2, delivered),
                each(1, sent),
            );
        }
    }
    Ok(())
}

/// Measures how fast NATS stores messages that no node follows.
pub(super) fn storing(programs: &Programs<'_>) -> Result<()> {
    let cluster = Cluster::start(programs, 1, 100)?;
    let before = cluster.processor_times()?[1];
    let mut store = Command::new(programs.crowd());
    store.args(["store", "--nats", &cluster.nats_url()]);
    let rate = process::output(store.args(["--messages", &STORED.to_string()]), STORING)?;
    let taken = cluster.processor_times()?[1].saturating_sub(before);
    cluster.stop()?;
    println!(
        "\nNATS alone stores {} messages a second, with {} µs of a processor for each",
        rate.trim(),
        taken.as_micros() / u128::from(STORED)
    );
    Ok(())
}

/// Measures the memory of a node for each client that says nothing.
pub(super) fn at_rest(programs: &Programs<'_>) -> Result<()> {
    allow_files(AT_REST + OTHER_FILES)?;
    let cluster = Cluster::start(programs, 1, 100)?;
    let (node, url) = (cluster.node(0)?, cluster.url_of_node(0));
    // What a node needs once is not counted.
    drop(Idle::connect(programs, &url, WARM_UP)?);
    let before = resident_at_rest(node)?;
    let idle = Idle::connect(programs, &url, AT_REST)?;
    let after = resident_at_rest(node)?;
    drop(idle);
    cluster.stop()?;
    println!(
        "\n{} bytes of a node's memory for each of {AT_REST} clients at rest in {IDLE_ROOMS} rooms, \
         beside {} KiB without them",
        after.saturating_sub(before).div_ceil(AT_REST),
        before / 1024
    );
    Ok(())
}

/// Clients that say nothing, for as long as this lives.
struct Idle(#[expect(dead_code, reason = "they end with it")] Running);

impl Idle {
    fn connect(programs: &Programs<'_>, url: &str, clients: usize) -> Result<Self> {
        let mut command = Command::new(programs.crowd());
        command
            .args(["idle", "--url", url])
            .args(["--clients", &clients.to_string()])
            .args(["--rooms", &IDLE_ROOMS.to_string()]);
        let crowd = Running::spawn(command.stdout(Stdio::piped()))?;
        let (line, _) = crowd.first_line(CONNECTED)?;
        ensure!(
            line == format!("idle {clients}"),
            "the crowd printed {line:?}"
        );
        Ok(Self(crowd))
    }
}

const STORED: u32 = 100_000;
const STORING: Duration = Duration::from_secs(90);
const AT_REST: usize = 5000;
const WARM_UP: usize = 100;
const IDLE_ROOMS: usize = 50;
const OTHER_FILES: usize = 200;
const CONNECTED: Duration = Duration::from_secs(120);
