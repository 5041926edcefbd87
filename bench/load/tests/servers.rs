//! Every server answers right, under the load generator, in every way that it lists.
//!
//! The servers' program is built by its own package: `cargo test --workspace`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[test]
fn small_messages_in_flight() {
    for_each(|server| {
        let cell = ["--connections", "10", "--bytes", "20", "--depth", "64"];
        server.echo(&[], &cell);
    });
}

#[test]
fn messages_of_16_kib() {
    for_each(|server| drop(server.echo(&[], &["--connections", "2", "--bytes", "16384"])));
}

#[test]
fn messages_of_1_mib() {
    for_each(|server| drop(server.echo(&[], &["--connections", "1", "--bytes", "1048576"])));
}

#[test]
fn texts() {
    for payload in ["ascii", "cjk"] {
        for_each(|server| {
            let cell = ["--connections", "2", "--bytes", "1000", "--depth", "4"];
            server.echo(&[], &[&cell[..], &["--payload", payload]].concat());
        });
    }
}

#[test]
fn an_open_loop() {
    for_each(|server| {
        let cell = ["--connections", "5", "--bytes", "125", "--rate", "2000"];
        let report = server.echo(&[], &cell);
        assert!(report["latency_ns"]["p99"].as_u64() > Some(0), "{report}");
    });
}

#[test]
fn tls() {
    for_each(|server| {
        if server.can("tls") {
            for cell in [
                ["--connections", "10", "--bytes", "20", "--depth", "64"],
                ["--connections", "1", "--bytes", "1048576", "--depth", "1"],
            ] {
                server.echo(&["--tls"], &[&cell[..], &["--tls"]].concat());
            }
            server.run("handshakes", &["--tls"], &["--tls", "--seconds", "0.2"]);
        }
    });
}

#[test]
fn deflate() {
    for_each(|server| {
        for (mode, field) in [("no-takeover", "deflate"), ("takeover", "takeover")] {
            if server.can(field) {
                let mode = ["--deflate", mode];
                for bytes in ["125", "1024", "100000"] {
                    let cell = ["--connections", "3", "--depth", "5", "--payload", "ascii"];
                    let cell = [&cell[..], &["--bytes", bytes], &mode].concat();
                    server.echo(&mode, &cell);
                }
            }
        }
    });
}

#[test]
fn handshakes() {
    for_each(|server| drop(server.run("handshakes", &[], &["--seconds", "0.2"])));
}

#[test]
fn broadcasts() {
    for_each(|server| {
        if server.can("broadcast") {
            let cell = ["--connections", "20", "--bytes", "125", "--seconds", "0.2"];
            server.run("broadcast", &["--broadcast"], &cell);
        }
    });
}

#[test]
fn clients() {
    for_each(|server| {
        if server.can("client") {
            for bytes in ["1024", "1048576"] {
                let load = Command::new(env!("CARGO_BIN_EXE_framewire-bench-load"))
                    .args(["client", "--connections", "2", "--seconds", "0.5"])
                    .args(["--bytes", bytes, "--"])
                    .arg(servers())
                    .args(["client", server.0["name"].as_str().unwrap()])
                    .output()
                    .unwrap();
                let errors = String::from_utf8_lossy(&load.stderr);
                assert!(load.status.success(), "{bytes}: {errors}");
            }
        }
    });
}

#[test]
fn memory_at_rest() {
    for_each(|server| {
        if server.0["role"] == "ours" {
            let report = server.run("idle", &[], &["--connections", "100"]);
            assert!(report["bytes_each"].as_u64() > Some(0), "{report}");
        }
    });
}

/// What `list` says of a server.
struct Server(Value);

impl Server {
    fn can(&self, field: &str) -> bool {
        self.0[field] == true
    }

    fn echo(&self, how: &[&str], cell: &[&str]) -> Value {
        // Unoptimised servers take their time over a MiB.
        let is_long = cell.contains(&"1048576");
        let seconds = if is_long { "0.8" } else { "0.1" };
        self.run("echo", how, &[cell, &["--seconds", seconds]].concat())
    }

    /// Runs the load against the server, and returns its report.
    fn run(&self, bench: &str, how: &[&str], cell: &[&str]) -> Value {
        let name = self.0["name"].as_str().unwrap();
        let mut server = Command::new(servers())
            .args(["run", name])
            .args(how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Running)
            .unwrap();
        let mut line = String::new();
        let output = server.0.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let pid = server.0.id().to_string();
        let load = Command::new(env!("CARGO_BIN_EXE_framewire-bench-load"))
            .args([bench, ready["address"].as_str().unwrap(), "--pid", &pid])
            .args(cell)
            .output()
            .unwrap();
        assert!(
            load.status.success(),
            "{bench} of {name} with {how:?} {cell:?}: {}",
            String::from_utf8_lossy(&load.stderr)
        );
        let report: Value = serde_json::from_slice(&load.stdout).unwrap();
        assert_eq!(report["bench"], bench);
        assert_ne!(report["messages"], 0, "{name}: {report}");
        report
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Tries all servers, and fails with all that failed.
fn for_each(test: impl Fn(&Server) + std::panic::RefUnwindSafe) {
    let list = Command::new(servers()).arg("list").output().unwrap();
    let failed: Vec<String> = String::from_utf8(list.stdout)
        .unwrap()
        .lines()
        .map(|line| Server(serde_json::from_str(line).unwrap()))
        .filter_map(|server| {
            let server = std::panic::AssertUnwindSafe(&server);
            let result = std::panic::catch_unwind(|| test(&server));
            result.err().map(|_| server.0.0["name"].to_string())
        })
        .collect();
    assert!(failed.is_empty(), "these failed: {failed:?}");
}

/// Returns the program of the package `servers`, which is beside that of this one.
fn servers() -> PathBuf {
    let load = Path::new(env!("CARGO_BIN_EXE_framewire-bench-load"));
    load.with_file_name("framewire-bench-servers")
}
