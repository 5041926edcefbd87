//! Everything that must hold before a change lands, cheapest first.

use std::fmt;
use std::num::NonZero;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::autobahn::{WITHOUT_COMPRESSION, WITHOUT_LARGE_COMPRESSION};
use crate::front_end::FrontEnd;
use crate::project::Project;
use crate::server::Program;
use crate::{
    api, autobahn, bench, browser, clauses, idle_memory, interop, layers, linear, model, no_std,
    process, promises, soak, supply_chain,
};

pub(crate) fn run(project: &Project) -> Result<()> {
    let clock = Clock(Instant::now());
    for step in ONE_BY_ONE {
        clock.time(step, project)?;
    }
    side_by_side(project, &clock)?;
    let count = ONE_BY_ONE.len() + SIDE_BY_SIDE.len();
    println!("\n== all {count} steps passed in {clock}");
    Ok(())
}

/// Runs the steps that mostly wait, or use one core: as many at a time as there are cores, at most [`LANES`]. After the
/// first that fails none is begun.
fn side_by_side(project: &Project, clock: &Clock) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let lane = || {
        while let Some(step) = SIDE_BY_SIDE.get(next.fetch_add(1, Relaxed)) {
            clock
                .time(step, project)
                .inspect_err(|_| next.store(SIDE_BY_SIDE.len(), Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..cores.min(LANES)).map(|_| scope.spawn(lane)).collect();
        let lost = |_| Err(anyhow!("a step has panicked"));
        let ends = lanes.into_iter().map(thread::ScopedJoinHandle::join);
        let ends: Vec<Result<()>> = ends.map(|joined| joined.unwrap_or_else(lost)).collect();
        ends.into_iter().collect()
    })
}

type Step = (&'static str, fn(&Project) -> Result<()>);

/// The time since the beginning, shown as minutes and seconds.
struct Clock(Instant);

impl Clock {
    /// Runs a step, and says how long it took.
    fn time(&self, &(name, step): &Step, project: &Project) -> Result<()> {
        println!("\n== {name} ({self} so far)");
        let own = Self(Instant::now());
        let done = step(project);
        match &done {
            Ok(()) => println!("-- {name}: {own}"),
            // At once: what runs beside it may take minutes yet.
            Err(error) => println!("-- {name}: FAILED after {own}: {error:#}"),
        }
        done.with_context(|| name.to_owned())
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.elapsed().as_secs();
        write!(f, "{}:{:02}", seconds / 60, seconds % 60)
    }
}

const LANES: usize = 2;
/// What uses all cores, and what the others need.
const ONE_BY_ONE: &[Step] = &[
    ("format", format),
    ("lints", lints),
    ("tests", |project| cargo(project, "test")),
    ("tests of what is refused without TLS", |project| {
        cargo(
            project,
            "test -p framewire-upgrade --lib --no-default-features --features=tokio-net",
        )
    }),
    ("no_std", no_std::run),
    ("dependencies", dependencies),
    ("supply chain", |project| {
        supply_chain::run(project, &supply_chain::Options::of_ci())
    }),
    (
        "tests of what checks the layers, the public API, the clauses and the promises",
        |project| cargo(project, "test -p xtask"),
    ),
    ("layers", layers::run),
    ("public API", |project| {
        api::run(project, &api::Options::default())
    }),
    ("clauses of the RFCs", |project| {
        clauses::run(project, &clauses::Options::default())
    }),
    ("tests of what is promised", promises::run),
    ("no unsafe code", no_unsafe_code),
    ("documentation", documentation),
    ("model", model::run),
    ("linear work", linear::run),
    ("the program", |project| Program::build(project).map(drop)),
    ("Autobahn", autobahn::install),
];
/// What compiles is last: Cargo would keep the others waiting.
const SIDE_BY_SIDE: &[Step] = &[
    ("foreign clients and servers", |project| {
        interop::run(project, &interop::Options::of_ci())
    }),
    ("Autobahn, server, tokio", |project| {
        autobahn_server(project, "tokio", WITHOUT_LARGE_COMPRESSION)
    }),
    ("Autobahn, client, tokio", |project| {
        autobahn_client(project, FrontEnd::Tokio, WITHOUT_LARGE_COMPRESSION)
    }),
    ("Autobahn, server, blocking, no compression", |project| {
        autobahn_server(project, "blocking", WITHOUT_COMPRESSION)
    }),
    ("Autobahn, server, poll, no compression", |project| {
        autobahn_server(project, "poll", WITHOUT_COMPRESSION)
    }),
    ("Autobahn, client, blocking, no compression", |project| {
        autobahn_client(project, FrontEnd::Blocking, WITHOUT_COMPRESSION)
    }),
    (
        "memory of connections at rest and after mixed load",
        memory_of_connections,
    ),
    ("browser", browser::run),
    ("instructions for each message", |project| {
        bench::instructions(project, &bench::Instructions::default())
    }),
];

fn cargo(project: &Project, arguments: &str) -> Result<()> {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    process::run(&mut project.cargo(&arguments), CARGO)
}

fn format(project: &Project) -> Result<()> {
    cargo(project, "fmt --all --check")?;
    for manifest in OUTSIDE {
        cargo(
            project,
            &format!("fmt --all --check --manifest-path {manifest}"),
        )?;
    }
    Ok(())
}

fn lints(project: &Project) -> Result<()> {
    cargo(project, "clippy --workspace --all-targets -- -D warnings")?;
    for (package, sets) in FEATURE_SETS {
        for features in sets {
            let options = format!("-p {package} --no-default-features --features={features}");
            cargo(project, &format!("clippy {options} -- -D warnings"))?;
        }
    }
    for features in OF_TESTS {
        let options = format!("--no-default-features --features={features}");
        cargo(
            project,
            &format!("clippy -p framewire-tests {options} --all-targets -- -D warnings"),
        )?;
    }
    // The cluster is compiled by what runs it.
    for manifest in ["bench/Cargo.toml", "fuzz/Cargo.toml"] {
        let options = format!("--locked --manifest-path {manifest} --workspace --all-targets");
        cargo(project, &format!("clippy {options} -- -D warnings"))?;
    }
    Ok(())
}

fn dependencies(project: &Project) -> Result<()> {
    for package in ["framewire", "framewire-upgrade"] {
        let bare = beneath(project, package, &["--no-default-features"])?;
        ensure!(
            bare.is_empty(),
            "without features {package} depends on {bare:?}"
        );
    }
    let default = beneath(project, "framewire", &[])?;
    let (ours, others): (Vec<_>, Vec<_>) = default.iter().partition(|name| name.contains("(/"));
    let count = others.len();
    ensure!(
        count <= MAX_DEPENDENCIES,
        "{count} dependencies with default features: {others:?}"
    );
    let of_tests = beneath(
        project,
        "framewire-tests",
        &["--no-default-features", "-e", "dev"],
    )?;
    for line in &of_tests {
        let name = line.split(' ').next().unwrap_or_default();
        ensure!(
            !HEAVY.contains(&name),
            "the tests are built with {name} without features"
        );
    }
    println!(
        "none without features, {count} with the default ones and of ours {}",
        ours.len()
    );
    Ok(())
}

/// Returns the crates that a package is linked with, each once.
fn beneath(project: &Project, package: &str, features: &[&str]) -> Result<Vec<String>> {
    let mut tree = project.cargo(&["tree", "-p", package]);
    tree.args([
        "-e",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ]);
    let output = process::output(tree.args(features), CARGO)?;
    // The first line is the package itself.
    let mut crates: Vec<String> = output.lines().skip(1).map(str::to_owned).collect();
    crates.sort_unstable();
    crates.dedup();
    Ok(crates)
}

fn no_unsafe_code(project: &Project) -> Result<()> {
    let mut grep = Command::new("grep");
    grep.args(["-rn", "unsafe"])
        .arg(project.path("crates/upgrade/src"))
        .arg(project.path("crates/framewire/src"));
    let found = process::output(&mut grep, Duration::from_secs(60))?;
    let others: Vec<&str> = found
        .lines()
        .filter(|line| !line.ends_with(":#![forbid(unsafe_code)]"))
        .collect();
    ensure!(
        others.is_empty(),
        "the word is in other lines, too:\n{}",
        others.join("\n")
    );
    print!("{found}");
    Ok(())
}

fn documentation(project: &Project) -> Result<()> {
    let mut doc = project.cargo(&["doc", "--workspace", "--no-deps"]);
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings"), CARGO)
}

fn memory_of_connections(project: &Project) -> Result<()> {
    for (engine, bytes) in [("poll", 320), ("tokio", 1200)] {
        idle_memory::run(project, &idle_memory::Options::at_most(engine, bytes))?;
    }
    soak::run(project, &soak::Options::short())
}

fn autobahn_server(project: &Project, engine: &str, cases: &[&str]) -> Result<()> {
    autobahn::run(project, &autobahn::Options::server(engine, cases))
}

fn autobahn_client(project: &Project, front_end: FrontEnd, cases: &[&str]) -> Result<()> {
    autobahn::run(project, &autobahn::Options::client(front_end, cases))
}

/// The crates that are workspaces of their own.
const OUTSIDE: [&str; 4] = [
    "bench/Cargo.toml",
    "conformance/no-std/Cargo.toml",
    "examples/cluster/Cargo.toml",
    "fuzz/Cargo.toml",
];
/// Feature sets that must each work alone: one for each way to build a module. `cargo xtask supply-chain features` has
/// each two features.
pub(crate) const FEATURE_SETS: [(&str, &[&str]); 2] = [
    ("framewire-upgrade", &OF_UPGRADE),
    ("framewire", &OF_FRAMEWIRE),
];
const OF_UPGRADE: [&str; 4] = ["", "http", "rustls", "tokio-net"];
const OF_FRAMEWIRE: [&str; 11] = [
    "",
    "alloc",
    "std,simdutf8",
    "handshake",
    "deflate",
    "miniz_oxide",
    "tokio",
    "tokio-rustls",
    "futures",
    "hyper",
    "axum,http2",
];
/// What one suite can be built with: `tests/README.md` says so.
const OF_TESTS: [&str; 2] = ["", "tls"];
/// What no suite is built with that has no feature for it.
const HEAVY: [&str; 4] = ["axum", "h2", "hyper", "rustls"];
const MAX_DEPENDENCIES: usize = 10;
const CARGO: Duration = Duration::from_secs(900);
