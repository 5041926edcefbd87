//! A loopback for servers and load alone, with congestion control that does not pace.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::Running;

/// A network of its own, which lasts as long as this.
pub(crate) struct Network {
    holder: Running,
    /// The words before a program that runs in it.
    entry: &'static [&'static str],
    pub(crate) congestion_control: String,
}

impl Network {
    /// Creates one, where the system allows that.
    pub(crate) fn create() -> Option<Self> {
        WAYS.iter()
            .find_map(|(creation, entry)| Self::hold(creation, entry).ok())
    }

    fn hold(creation: &[&str], entry: &'static [&'static str]) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(creation).args(["sh", "-c", SCRIPT]);
        let holder = Running::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let (congestion_control, _) = holder.first_line(DEADLINE)?;
        ensure!(!congestion_control.is_empty(), "it has no loopback");
        Ok(Self {
            holder,
            entry,
            congestion_control,
        })
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

/// How to create a network and how to enter it: for root, and for anybody.
const WAYS: [(&[&str], &[&str]); 2] = [
    (&["--net"], &["--net"]),
    (
        &["--user", "--map-root-user", "--net"],
        &["--user", "--preserve-credentials", "--net"],
    ),
];

/// Prints the congestion control once the loopback is up, and waits until its input ends.
const SCRIPT: &str = "
    ip link set lo up || exit
    setting=/proc/sys/net/ipv4/tcp_congestion_control
    echo reno > $setting
    cat $setting
    exec cat";
const DEADLINE: Duration = Duration::from_secs(10);
