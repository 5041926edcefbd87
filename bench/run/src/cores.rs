//! A core for servers and another one for the load.

use std::ffi::OsStr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::process;

/// Whether programs can be kept on a core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) pinned: bool,
}

/// What a program is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Core {
    Server,
    Load,
}

impl Cores {
    pub(crate) fn find() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let taskset = Command::new("taskset").arg("--version").output();
        Self {
            pinned: cores >= 2 && taskset.is_ok_and(|output| output.status.success()),
        }
    }

    /// Returns a command that runs a program on a core.
    pub(crate) fn command(self, core: Core, program: impl AsRef<OsStr>) -> Command {
        let [first, rest @ ..] = &self.words(core)[..] else {
            return Command::new(program);
        };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }

    /// Returns the words before a program that keep it on a core.
    pub(crate) fn words(self, core: Core) -> Vec<&'static str> {
        let number = match core {
            Core::Server => "0",
            Core::Load => "1",
        };
        if self.pinned {
            vec!["taskset", "-c", number]
        } else {
            Vec::new()
        }
    }
}

/// Returns whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    process::output(command.arg("--version"), Duration::from_secs(20)).is_ok()
}
