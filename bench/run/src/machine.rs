//! The machine, the compiler and the commit of a run.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process;
use crate::project::Project;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The day of the run, in UTC: `2026-01-31`.
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The congestion control of TCP.
    #[serde(default)]
    pub(crate) congestion_control: String,
    pub(crate) rustc: String,
    /// The commit that was measured, with `-dirty` behind it where files differed from it.
    pub(crate) commit: String,
}

impl Machine {
    /// Finds out what can be found out; the rest says `unknown`.
    pub(crate) fn find(project: &Project) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, model)| model);
        let mut git = Command::new("git");
        git.args([
            "describe",
            "--always",
            "--abbrev=12",
            "--exclude=*",
            "--dirty",
        ])
        .current_dir(project.path("."));
        Self {
            date: line_of(Command::new("date").args(["-u", "+%F"])),
            cpu: model.to_owned(),
            cores: thread::available_parallelism().map_or(0, Into::into),
            kernel: line_of(Command::new("uname").arg("-sr")),
            congestion_control: congestion_control(),
            rustc: line_of(Command::new("rustc").arg("--version")),
            commit: line_of(&mut git),
        }
    }
}

fn congestion_control() -> String {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    setting.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

fn line_of(command: &mut Command) -> String {
    let output = process::output(command, Duration::from_secs(10));
    output.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
