//! A loopback for servers and load alone, with congestion control that does not pace.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{self, Running};

/// A network of its own, which lasts as long as this.
pub(crate) struct Network {
    holder: Running,
    /// The words before a program that runs in it.
    entry: &'static [&'static str],
    pub(crate) congestion_control: String,
}

impl Network {
    /// Creates one.
    ///
    /// # Errors
    /// The system does not allow that, or `unshare`, `nsenter` or `ip` are missing.
    pub(crate) fn create() -> Result<Self> {
        let [for_root, for_anybody] = WAYS;
        Self::hold(for_root).or_else(|_| Self::hold(for_anybody))
    }

    fn hold(way: Way) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(way.creation).args(["sh", "-c", SCRIPT]);
        let holder = Running::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let (congestion_control, _) = holder.first_line(DEADLINE)?;
        ensure!(
            !congestion_control.is_empty(),
            "`unshare` and `ip` bring up no loopback"
        );
        let network = Self {
            holder,
            entry: way.entry,
            congestion_control,
        };
        let words = network.words();
        let mut command = Command::new(&words[0]);
        process::run(command.args(&words[1..]).arg("true"), DEADLINE)?;
        Ok(network)
    }

    /// Returns the words before a program that runs in it.
    pub(crate) fn words(&self) -> Vec<String> {
        let target = format!("--target={}", self.holder.child().id());
        let entry = self.entry.iter().copied().map(str::to_owned);
        ["nsenter".to_owned(), target]
            .into_iter()
            .chain(entry)
            .collect()
    }
}

/// How to create a network, and how to enter it.
#[derive(Clone, Copy)]
struct Way {
    creation: &'static [&'static str],
    entry: &'static [&'static str],
}

/// For root, and for anybody.
const WAYS: [Way; 2] = [
    Way {
        creation: &["--net"],
        entry: &["--net"],
    },
    Way {
        creation: &["--user", "--map-root-user", "--net"],
        entry: &["--user", "--preserve-credentials", "--net"],
    },
];

/// Prints the congestion control once the loopback is up, and waits until its input ends.
const SCRIPT: &str = "
    ip link set lo up || exit
    setting=/proc/sys/net/ipv4/tcp_congestion_control
    echo reno > $setting
    cat $setting
    exec cat";
const DEADLINE: Duration = Duration::from_secs(10);
