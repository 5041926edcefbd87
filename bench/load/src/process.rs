//! What processes use: the CPU time and memory of the server, and the share of a CPU that the load takes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// The time since something began, and what was used in it.
#[derive(Debug)]
pub(crate) struct Window {
    began: Instant,
    own: Duration,
    server: Cpu,
}

/// What a window cost.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    /// The share of a CPU that the load generator took.
    load_cpu: f64,
    /// The share that the server took, of one CPU.
    server_cpu: f64,
    /// For each message.
    server_user_ns: f64,
    server_system_ns: f64,
    /// All that is resident, at the end of the window.
    rss_kib: u64,
}

impl Window {
    pub(crate) fn begin(pid: u32) -> Result<Self> {
        Ok(Self {
            server: Cpu::of(pid)?,
            own: own()?,
            began: Instant::now(),
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn end(&self, pid: u32, messages: u64) -> Result<Cost> {
        let elapsed = self.began.elapsed().as_secs_f64();
        let own = own()?.saturating_sub(self.own).as_secs_f64();
        let (user, system) = self.server.until(&Cpu::of(pid)?);
        ensure!(messages > 0, "nothing came back in {elapsed:.1} s");
        Ok(Cost {
            messages,
            seconds: elapsed,
            load_cpu: rounded(own / elapsed),
            server_cpu: rounded((user + system) / 1e9 / elapsed),
            server_user_ns: rounded(user / messages as f64),
            server_system_ns: rounded(system / messages as f64),
            rss_kib: rss_kib(pid)?,
        })
    }
}

/// The CPU time of a process so far.
#[derive(Debug)]
struct Cpu {
    /// The threads that it has, and their time in nanoseconds.
    threads: Vec<(u32, u64)>,
    /// In ticks, of all threads that it ever had.
    user: u64,
    system: u64,
}

impl Cpu {
    fn of(pid: u32) -> Result<Self> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may have spaces.
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || -> Result<u64> {
            let field = fields.next().context("too few fields in /proc/PID/stat")?;
            Ok(field.parse()?)
        };
        let (user, system) = (ticks()?, ticks()?);
        let mut threads = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let id = entry.file_name().to_string_lossy().parse()?;
            // A thread may end meanwhile.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                let time = text.split(' ').next().context("an empty schedstat")?;
                threads.push((id, time.parse()?));
            }
        }
        threads.sort_unstable();
        Ok(Self {
            threads,
            user,
            system,
        })
    }

    /// Returns the nanoseconds of user and system time until a later state.
    ///
    /// The scheduler's sum is precise and the ticks tell how it splits. Where threads came or went, their part of
    /// the sum is lost, and ticks (10 ms each) are all there is.
    fn until(&self, later: &Self) -> (f64, f64) {
        let sum = |cpu: &Self| cpu.threads.iter().map(|(_, time)| time).sum::<u64>();
        let same = |cpu: &Self| cpu.threads.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let user = later.user.saturating_sub(self.user) as f64;
        let system = later.system.saturating_sub(self.system) as f64;
        let total = if same(self) == same(later) {
            sum(later).saturating_sub(sum(self)) as f64
        } else {
            let tick = 1e9 / rustix::param::clock_ticks_per_second() as f64;
            (user + system) * tick
        };
        let share = user / (user + system).max(1.0);
        (total * share, total - total * share)
    }
}

/// Returns all memory of a process that is resident.
fn rss_kib(pid: u32) -> Result<u64> {
    let statm = read(&format!("/proc/{pid}/statm"))?;
    let pages = statm.split(' ').nth(1).context("no resident pages")?;
    Ok(pages.parse::<u64>()? * rustix::param::page_size() as u64 / 1024)
}

/// Returns the private memory of a process that is resident: its heap and stacks.
pub(crate) fn anonymous_kib(pid: u32) -> Result<u64> {
    let text = read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:")?.strip_suffix(" kB"));
    Ok(line
        .context("no Anonymous in smaps_rollup")?
        .trim()
        .parse()?)
}

/// Lets this process have this many files, as far as the system allows.
pub(crate) fn allow_files(count: usize) -> Result<()> {
    let wanted = count as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum,
        },
    )
    .with_context(|| format!("{count} open files are not allowed"))
}

fn own() -> Result<Duration> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Ok(Duration::new(
        u64::try_from(time.tv_sec)?,
        u32::try_from(time.tv_nsec)?,
    ))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// Returns a number without digits that mean nothing.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
