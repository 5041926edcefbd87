//! The crowd: clients in rooms who talk, and find out whether every message came to every one of them once, in order.

pub mod idle;
pub mod member;
pub mod store;
pub mod tally;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::member::{Member, Shared};
use self::tally::{Faults, Log, quantile};

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the nodes are: `ws://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub url: String,

    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub clients: u32,

    /// How many rooms they share
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub rooms: u32,

    /// How many messages each sends
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: u32,

    /// How many messages each sends in a second; 0 is the next once the one before is stored
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub rate: f64,

    /// How long the text of a message is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub size: usize,

    /// When to give up, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub deadline: u64,
}

/// What the crowd has found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub clients: u32,
    pub rooms: u32,
    pub sent: usize,
    /// How many messages were to come to all clients together.
    pub expected: usize,
    pub delivered: usize,
    pub lost: usize,
    pub duplicated: usize,
    pub disordered: usize,
    /// What is wrong with the rooms as somebody reads them who comes after all is over.
    pub wrong_in_history: usize,
    /// How often a client was told to go with 1001.
    pub moved: u32,
    /// How often a client's connection broke.
    pub broken: u32,
    pub refused: u32,
    pub seconds: f64,
    pub deliveries_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Outcome {
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.lost + self.duplicated + self.disordered + self.wrong_in_history == 0
    }
}

/// Runs the crowd. Prints `progress N` when N percent of the messages are stored.
pub async fn run(options: &Options) -> Result<Outcome> {
    let members = options.clients.div_ceil(options.rooms);
    let total = u64::from(options.clients) * u64::from(options.messages);
    let shared = Arc::new(Shared {
        url: options.url.trim_end_matches('/').to_owned(),
        began: Instant::now(),
        stored: AtomicU64::new(0),
        progress: watch::Sender::new(0),
        incomplete: AtomicUsize::new(options.clients as usize),
        complete: CancellationToken::new(),
        every: (options.rate > 0.0).then(|| Duration::from_secs_f64(1.0 / options.rate)),
        size: options.size,
    });
    let printer = tokio::spawn(print_progress(shared.progress.subscribe(), total));
    // Rooms of their own for each run.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let name = format!("{:x}", now.as_millis());
    let deadline = Instant::now() + Duration::from_secs(options.deadline);
    let mut rooms = Vec::new();
    for room in 0..options.rooms {
        let first = room * members;
        let size = members.min(options.clients.saturating_sub(first));
        if size > 0 {
            rooms.push((format!("{name}-{room}"), size));
        }
    }
    let everyone = rooms.iter().flat_map(|(room, size)| {
        (0..*size).map(|index| {
            let log = Log::new(*size, options.messages);
            Member::new(&shared, room, index, options.messages, log)
        })
    });
    let everyone = until(deadline, everyone.collect()).await?;
    let seconds = everyone.iter().filter_map(|member| member.finished);
    let seconds = seconds.max().unwrap_or_default().as_secs_f64();
    printer.abort();
    let visitors = rooms.iter().map(|(room, size)| {
        let log = Log::new(*size, options.messages);
        Member::new(&shared, room, *size, 0, log)
    });
    let grace = Instant::now() + HISTORY;
    let visitors = until(grace.max(deadline), visitors.collect()).await?;
    Ok(outcome(options, &everyone, &visitors, seconds))
}

/// Runs members until all are done or the time is up.
async fn until(deadline: Instant, members: Vec<Member>) -> Result<Vec<Member>> {
    let mut tasks = JoinSet::new();
    for mut member in members {
        tasks.spawn(async move {
            let _ = timeout(
                deadline.saturating_duration_since(Instant::now()),
                member.run(),
            )
            .await;
            member
        });
    }
    let mut members = Vec::new();
    while let Some(member) = tasks.join_next().await {
        members.push(member.context("a member failed")?);
    }
    members.sort_unstable_by(|one, other| (&one.room, one.index).cmp(&(&other.room, other.index)));
    ensure!(!members.is_empty(), "there are no members");
    Ok(members)
}

fn outcome(options: &Options, everyone: &[Member], visitors: &[Member], seconds: f64) -> Outcome {
    let (mut faults, mut of_history) = (Faults::default(), Faults::default());
    let (mut latencies, mut expected, mut delivered) = (Vec::new(), 0, 0);
    let (mut moved, mut broken, mut refused) = (0, 0, 0);
    let mut errors = BTreeMap::new();
    for member in everyone {
        let first = everyone.iter().find(|other| other.room == member.room);
        faults += member.log.faults(&first.unwrap_or(member).log);
        expected += member.log.expected();
        delivered += member.log.received();
        latencies.extend_from_slice(&member.report.latencies);
        moved += member.report.moved;
        broken += member.report.broken;
        refused += member.report.refused;
        if let Some(error) = &member.report.last_error {
            // A reason that a node gave must not begin a new line.
            *errors
                .entry(error.replace(char::is_control, " "))
                .or_insert(0) += 1;
        }
    }
    for (error, members) in errors {
        eprintln!("{members} members, last: {error}");
    }
    for visitor in visitors {
        let first = everyone.iter().find(|other| other.room == visitor.room);
        of_history += visitor.log.faults(&first.unwrap_or(visitor).log);
    }
    latencies.sort_unstable();
    let millis = |part| f64::from(quantile(&latencies, part)) / 1000.0;
    #[allow(clippy::cast_precision_loss)]
    let rate = delivered as f64 / seconds.max(1e-6);
    Outcome {
        clients: options.clients,
        rooms: options.rooms,
        sent: options.clients as usize * options.messages as usize,
        expected,
        delivered,
        lost: faults.lost,
        duplicated: faults.duplicated,
        disordered: faults.disordered,
        wrong_in_history: of_history.lost + of_history.duplicated + of_history.disordered,
        moved,
        broken,
        refused,
        seconds,
        deliveries_per_second: rate.round(),
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        max_ms: millis(1.0),
    }
}

async fn print_progress(mut stored: watch::Receiver<u64>, total: u64) -> Result<()> {
    for percent in [25, 50, 75, 100] {
        stored
            .wait_for(|stored| stored * 100 >= total * percent)
            .await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "progress {percent}")?;
        stdout.flush()?;
    }
    Ok(())
}

/// How long reading all rooms from their beginning may take.
const HISTORY: Duration = Duration::from_secs(20);
