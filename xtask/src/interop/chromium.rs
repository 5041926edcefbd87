//! Chromium as a client of an axum application over TLS, by HTTP/2 and by HTTP/1.1.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::debian;
use super::report::Peer;
use super::setting::Setting;
use crate::process::{self, Running};
use crate::tally::Tally;

pub(crate) fn run(setting: &Setting<'_>) -> Result<Vec<Peer>> {
    let chromium = debian::program("chromium", "chromium")?;
    let script = setting
        .project
        .node("browser", "conformance/browser")?
        .join("application.mjs");
    let build = [
        "build",
        "--release",
        "--quiet",
        "--package=framewire",
        "--example=axum_https",
        "--features=axum,http2,deflate,tokio-rustls",
    ];
    process::run(&mut setting.project.cargo(&build), BUILD)?;
    let against = "client of an axum application over TLS: HTTP/2 (extended CONNECT, ALPN), HTTP/1.1; compression";
    let mut peer = Peer::new(
        "Chromium",
        debian::version(&chromium, "--version")?,
        against,
    );
    for protocol in ["h2", "http1.1"] {
        peer.suite(&format!("over {protocol}"), || {
            client_of(setting, &chromium, &script, protocol)
        });
    }
    Ok(vec![peer])
}

fn client_of(
    setting: &Setting<'_>,
    chromium: &Path,
    script: &Path,
    protocol: &str,
) -> Result<Tally> {
    let certificate = &setting.tls.certificate;
    let application = setting.project.target("release/examples/axum_https");
    let mut application = Command::new(application);
    application
        .args([
            "127.0.0.1:0",
            certificate.cert_file(),
            certificate.key_file(),
        ])
        .stdout(Stdio::piped())
        // It reports each page that went away.
        .stderr(Stdio::null());
    let application = Running::spawn(&mut application)?;
    // Read on, so that it can go on to print.
    let (line, _stdout) = application.first_line(START)?;
    let url = line
        .strip_prefix("listening on ")
        .with_context(|| format!("the application printed {line:?}"))?
        .replace("127.0.0.1", "localhost");
    let profile = setting.project.target("browser/profile");
    if profile.exists() {
        fs::remove_dir_all(&profile).context("the profile of the last run")?;
    }
    let mut checks = Command::new("node");
    checks
        .arg(script)
        .arg(url)
        .arg(chromium)
        .arg(profile)
        .arg(protocol);
    Tally::of_script(&mut checks, SUITE)
}

const BUILD: Duration = Duration::from_secs(600);
const START: Duration = Duration::from_secs(30);
const SUITE: Duration = Duration::from_secs(300);
