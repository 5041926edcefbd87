//! The parts of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::cells;
use crate::cores::{Core, Cores, is_installed};
use crate::counts::{self, COPIES_BY_VECTORS, Job};
use crate::goals::IN_MEMORY;
use crate::lines::{self, Compared, Listed, Timed};
use crate::loopback::{DEADLINE, Generator};
use crate::machine::Machine;
use crate::network::Network;
use crate::plan::{Part, Plan};
use crate::process;
use crate::programs;
use crate::project::Project;
use crate::results::{Measure, Results, Role, Subject};
use crate::server::Server;
use crate::servers;
use crate::words::in_memory_cell;

/// A run that is under way.
pub(crate) struct Run<'a> {
    project: &'a Project,
    plan: Plan,
    cores: Cores,
    pub(crate) results: Results,
    memory: Option<PathBuf>,
    load: Option<PathBuf>,
    servers: Vec<Server>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(project: &'a Project, plan: Plan) -> Self {
        let cores = Cores::find();
        let mut results = Results {
            machine: Machine::find(project),
            ..Results::default()
        };
        results.settings.quick = plan.quick;
        results.settings.pinned = cores.pinned;
        if !cores.pinned {
            results.note("no two cores or no taskset: servers and load share cores");
        }
        Self {
            project,
            plan,
            cores,
            results,
            memory: None,
            load: None,
            servers: Vec::new(),
        }
    }

    /// Builds what the parts need.
    pub(crate) fn build(&mut self, parts: &[Part]) -> Result<()> {
        let started = Instant::now();
        if parts
            .iter()
            .any(|part| matches!(part, Part::Memory | Part::Counts))
        {
            let program = programs::build(self.project, "framewire-bench-memory")?;
            self.results
                .introduce(list(&program)?.into_iter().map(Subject::from));
            self.memory = Some(program);
        }
        if parts.iter().any(|part| cells::are_on_loopback(*part)) {
            self.leave_the_network_of_the_machine();
            self.load = Some(programs::build(self.project, "framewire-bench-load")?);
            self.servers = servers::all(self.project, self.plan, &mut self.results)?;
            let subjects = self.servers.iter().map(|server| server.subject.clone());
            self.results.introduce(subjects);
        }
        self.took("build", started);
        Ok(())
    }

    /// Has servers and load run in a network of their own, where that can be.
    fn leave_the_network_of_the_machine(&mut self) {
        match Network::create() {
            Ok(network) => {
                self.results
                    .machine
                    .congestion_control
                    .clone_from(&network.congestion_control);
                self.cores.network = Some(network);
            }
            Err(error) => self.results.note(format!(
                "servers and load share the network of the machine: {error:#}"
            )),
        }
    }

    /// Runs a part. What fails in it is kept, and the others go on.
    pub(crate) fn part(&mut self, part: Part) {
        println!("== {}", part.name());
        let started = Instant::now();
        let result = match part {
            Part::Memory => self.memory(),
            Part::Counts => self.instructions(),
            Part::Streaming => self.library(&["stream", "receive"]),
            Part::Zlib => self.library(&["deflate"]),
            Part::Masking => self.library(&["kernels"]),
            Part::SystemCalls => self.system_calls(),
            _ => self.load(part),
        };
        if let Err(error) = result {
            self.results
                .failures
                .push(format!("{}: {error:#}", part.name()));
            eprintln!("{}: {error:#}", part.name());
        }
        self.took(&part.name(), started);
    }

    fn took(&mut self, what: &str, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        println!("   {what}: {seconds:.0} s");
        self.results.settings.parts.push(what.to_owned());
        self.results
            .settings
            .seconds
            .push((what.to_owned(), seconds.round()));
    }

    fn memory(&mut self) -> Result<()> {
        let program = self.memory.as_ref().context("it is not built")?;
        for (bytes, frames) in IN_MEMORY {
            let mut command = self.cores.command(Core::Load, program);
            command.args(["time", &frames.to_string(), &bytes.to_string()]);
            command.args(["--rounds", self.plan.rounds_in_memory()]);
            command.env("GLIBC_TUNABLES", COPIES_BY_VECTORS);
            let output = process::output(&mut command, DEADLINE)?;
            for Timed { name, ns } in lines::parse(&output) {
                let cell = in_memory_cell(bytes, frames);
                self.results.add_all(Measure::EchoTime, &cell, &name, &ns);
            }
        }
        Ok(())
    }

    fn instructions(&mut self) -> Result<()> {
        let program = self.memory.as_ref().context("it is not built")?;
        ensure!(is_installed("valgrind"), "valgrind is not installed");
        let names: Vec<String> = list(program)?
            .into_iter()
            .map(|listed| Subject::from(listed).name)
            .collect();
        let jobs: Vec<Job> = IN_MEMORY
            .iter()
            .flat_map(|&(bytes, frames)| {
                names.iter().map(move |name| (name.clone(), bytes, frames))
            })
            .map(|(name, bytes, frames)| Job {
                name,
                bytes,
                frames,
                text: false,
            })
            .collect();
        for (job, count) in jobs.iter().zip(counts::count(program, &jobs)) {
            let cell = in_memory_cell(job.bytes, job.frames);
            match count {
                Ok(samples) => {
                    self.results
                        .add_all(Measure::Instructions, &cell, &job.name, &samples);
                }
                Err(error) => self
                    .results
                    .went_wrong(&job.name, &format!("{cell}: {error:#}")),
            }
        }
        Ok(())
    }

    /// Runs benches of the library, which compare with bare loops.
    fn library(&mut self, benches: &[&str]) -> Result<()> {
        benches.iter().try_for_each(|bench| self.bench(bench))
    }

    fn bench(&mut self, bench: &str) -> Result<()> {
        let mut cargo = self.project.cargo(&["bench", "--locked", "--quiet"]);
        cargo.args([
            "--manifest-path",
            "bench/Cargo.toml",
            "-p",
            "framewire-bench",
            "--bench",
            bench,
        ]);
        cargo.args(["--", "--json"]);
        if self.plan.quick {
            cargo.arg("--quick");
        }
        let output = process::output(&mut cargo, cells::LIBRARY)?;
        let objects: Vec<serde_json::Map<_, _>> = lines::parse(&output);
        for Compared { cell, ours, bare } in objects.iter().filter_map(Compared::of) {
            let all = std::iter::once((OURS.to_owned(), ours)).chain(bare);
            for (name, times) in all {
                let role = if name.starts_with(OURS) {
                    Role::Ours
                } else {
                    Role::Floor
                };
                self.results.introduce([Subject::named(&name, role)]);
                self.results
                    .add_all(Measure::LibraryTime, &cell, &name, &times);
            }
        }
        Ok(())
    }

    fn load(&mut self, part: Part) -> Result<()> {
        let (loads, too_large): (Vec<_>, Vec<_>) = cells::of(part, self.plan)
            .into_iter()
            .partition(|cell| cell.files().is_none_or(are_allowed));
        for cell in too_large {
            self.results.note(format!(
                "{}: a process may not have that many open files here",
                cell.name
            ));
        }
        let program = self.load.clone().context("it is not built")?;
        let generator = Generator {
            program: &program,
            cores: &self.cores,
        };
        self.plan.rounds(part).run(|| {
            for cell in &loads {
                for server in self
                    .servers
                    .iter()
                    .filter(|server| cells::has(server, cell, self.plan))
                {
                    // What failed once in a cell would fail again.
                    let failed = self.results.failed(server.name(), &cell.name);
                    if failed {
                        continue;
                    }
                    if let Err(error) = generator.measure(server, cell, &mut self.results) {
                        self.results
                            .went_wrong(server.name(), &format!("{}: {error:#}", cell.name));
                    }
                }
            }
        });
        Ok(())
    }

    fn system_calls(&mut self) -> Result<()> {
        if !is_installed("strace") {
            self.results
                .note("strace is not installed: no system calls are counted");
            return Ok(());
        }
        let program = self.load.clone().context("it is not built")?;
        let generator = Generator {
            program: &program,
            cores: &self.cores,
        };
        let summary = self.project.target_dir("bench")?.join("strace.txt");
        let loads = cells::of(Part::SystemCalls, self.plan);
        for cell in &loads {
            for server in self
                .servers
                .iter()
                .filter(|server| cells::has(server, cell, self.plan))
            {
                let counted = generator.count_calls(server, cell, &summary);
                match counted {
                    Ok(calls) => {
                        self.results
                            .add(Measure::SystemCalls, &cell.name, server.name(), calls);
                    }
                    Err(error) => self.results.went_wrong(
                        server.name(),
                        &format!("{}, system calls: {error:#}", cell.name),
                    ),
                }
            }
            // Of the next one nothing is left.
            let _ = fs::remove_file(&summary);
        }
        Ok(())
    }
}

/// Returns what a program of the benchmarks names.
pub(crate) fn list(program: &Path) -> Result<Vec<Listed>> {
    let output = process::output(Command::new(program).arg("list"), DEADLINE)?;
    let listed = lines::parse(&output);
    ensure!(!listed.is_empty(), "{} names nothing", program.display());
    Ok(listed)
}

/// The library itself in its own benches.
const OURS: &str = "framewire";

/// Returns whether a process may have that many open files.
fn are_allowed(files: usize) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -S -n {files} 2> /dev/null")]);
    process::run(&mut shell, Duration::from_secs(10)).is_ok()
}
