//! A core for servers and another one for the load, and a network for both.

use std::ffi::OsStr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::network::Network;
use crate::process;

/// How servers and load are kept apart, from each other and from everything else.
pub(crate) struct Cores {
    pub(crate) pinned: bool,
    /// The network of servers and load, unless they use the machine's.
    pub(crate) network: Option<Network>,
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
            network: None,
        }
    }

    /// Returns a command that runs a program on a core, in the network of servers and load.
    pub(crate) fn command(&self, core: Core, program: impl AsRef<OsStr>) -> Command {
        let network = self.network.as_ref().map(Network::words);
        let words = [network.unwrap_or_default(), self.words(core)].concat();
        let mut command = match &words[..] {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        // An error with a backtrace costs as much as half a handshake.
        command.env("RUST_BACKTRACE", "0");
        command
    }

    /// Returns the words before a program that keep it on a core.
    pub(crate) fn words(&self, core: Core) -> Vec<String> {
        let number = match core {
            Core::Server => "0",
            Core::Load => "1",
        };
        if self.pinned {
            ["taskset", "-c", number].map(str::to_owned).into()
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
