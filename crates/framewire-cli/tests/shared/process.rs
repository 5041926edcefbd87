//! The program as a process: its end, and signals.

use std::io::Read as _;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything here may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for the end: exit code, and what was said on standard error, which must be a pipe.
pub(crate) fn ended(mut child: Child) -> (Option<i32>, String) {
    let status = wait(&mut child);
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut text).unwrap();
    (status.code(), text)
}

/// Waits for the end of the program, which is killed if it goes on.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("the program did not end");
}

/// Sends a signal by its name: TERM, INT, HUP.
pub(crate) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let kill = format!("kill -{name} \"$1\"");
    let sent = Command::new("sh").args(["-c", &kill, "sh", &id]).status();
    assert!(sent.unwrap().success());
}
