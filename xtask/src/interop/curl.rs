//! curl as a client of `framewire serve`: the page, the handshake and what is refused.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::setting::Setting;
use crate::process::{self, Running};
use crate::server::Server;
use crate::tally::Tally;

pub(crate) fn client_of(setting: &Setting<'_>, curl: &Path, engine: &str) -> Result<Tally> {
    let plain = setting.serve(engine, &[])?;
    let secure = setting.serve(engine, &setting.tls_options())?;
    let ca = setting.tls.certificate.cert_file();
    let mut tally = Tally::default();
    for (server, scheme) in [(&plain, "http"), (&secure, "https")] {
        let request = || {
            let mut request = Command::new(curl);
            request
                .args(["--silent", "--show-error", "--include", "--http1.1"])
                .args(["--max-time", "10", "--noproxy", "*", "--no-buffer"])
                .args(["--cacert", ca]);
            request
        };
        for check in &CHECKS {
            tally += check.run(request(), server, scheme);
        }
        tally += result(
            "the handshake",
            scheme,
            handshake(request(), server, scheme),
        );
    }
    plain.stop()?;
    secure.stop()?;
    Ok(tally)
}

/// A request that is answered with anything but an upgrade.
struct Check {
    name: &'static str,
    arguments: &'static [&'static str],
    target: &'static str,
    /// What the answer has to contain.
    expected: &'static [&'static str],
}

impl Check {
    fn run(&self, mut request: Command, server: &Server, scheme: &str) -> Tally {
        let url = server.url_by_name(scheme);
        request
            .args(self.arguments)
            .arg(format!("{url}{}", self.target));
        let answered = process::output(&mut request, SUITE).and_then(|answer| {
            for expected in self.expected {
                ensure!(answer.contains(expected), "no {expected:?} in {answer:?}");
            }
            Ok(())
        });
        result(self.name, scheme, answered)
    }
}

/// The connection stays open after the 101, until curl is killed.
fn handshake(mut request: Command, server: &Server, scheme: &str) -> Result<()> {
    request
        .args(["-H", UPGRADE, "-H", CONNECTION, "-H", VERSION, "-H", KEY])
        .arg(server.url_by_name(scheme))
        .stdout(Stdio::piped());
    let curl = Running::spawn(&mut request)?;
    let (status, rest) = curl.first_line(SUITE)?;
    ensure!(status == "HTTP/1.1 101 Switching Protocols", "{status}");
    // The key and its answer are those of RFC 6455 1.3.
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    rest.lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .find(|line| line == accept)
        .context("no Sec-WebSocket-Accept that answers the key")?;
    Ok(())
}

fn result(name: &str, scheme: &str, result: Result<()>) -> Tally {
    match result {
        Ok(()) => Tally::passed(1),
        Err(error) => {
            println!("curl: FAILED: {name}, {scheme}: {error:#}");
            Tally {
                passed: 0,
                failed: 1,
            }
        }
    }
}

const CONNECTION: &str = "Connection: Upgrade";
const UPGRADE: &str = "Upgrade: websocket";
const VERSION: &str = "Sec-WebSocket-Version: 13";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

const CHECKS: [Check; 9] = [
    Check {
        name: "the page",
        arguments: &[],
        target: "",
        expected: &["HTTP/1.1 200 OK\r\n", "<title>framewire echo</title>"],
    },
    Check {
        name: "the head of the page",
        arguments: &["--head"],
        target: "",
        expected: &["HTTP/1.1 200 OK\r\n", "Content-Length: "],
    },
    Check {
        name: "another page",
        arguments: &[],
        target: "nothing",
        expected: &["HTTP/1.1 404 Not Found\r\n"],
    },
    Check {
        name: "POST",
        arguments: &["--data", "x"],
        target: "",
        expected: &[
            "HTTP/1.1 405 Method Not Allowed\r\n",
            "Allow: GET, HEAD\r\n",
        ],
    },
    Check {
        name: "HTTP/1.0",
        arguments: &[
            "--http1.0",
            "-H",
            UPGRADE,
            "-H",
            CONNECTION,
            "-H",
            VERSION,
            "-H",
            KEY,
        ],
        target: "",
        expected: &["HTTP/1.1 505 HTTP Version Not Supported\r\n"],
    },
    Check {
        name: "another version of WebSocket",
        arguments: &[
            "-H",
            UPGRADE,
            "-H",
            CONNECTION,
            "-H",
            "Sec-WebSocket-Version: 8",
            "-H",
            KEY,
        ],
        target: "",
        expected: &[
            "HTTP/1.1 426 Upgrade Required\r\n",
            "Sec-WebSocket-Version: 13\r\n",
        ],
    },
    Check {
        name: "no key",
        arguments: &["-H", UPGRADE, "-H", CONNECTION, "-H", VERSION],
        target: "",
        expected: &["HTTP/1.1 400 Bad Request\r\n", "no sec-websocket-key"],
    },
    Check {
        name: "a page of another origin",
        arguments: &[
            "-H",
            UPGRADE,
            "-H",
            CONNECTION,
            "-H",
            VERSION,
            "-H",
            KEY,
            "-H",
            "Origin: https://elsewhere.example",
        ],
        target: "",
        expected: &["HTTP/1.1 403 Forbidden\r\n"],
    },
    Check {
        name: "an upgrade to something else",
        arguments: &["-H", "Upgrade: h2c", "-H", CONNECTION],
        target: "",
        expected: &["HTTP/1.1 200 OK\r\n", "<title>framewire echo</title>"],
    },
];
const SUITE: Duration = Duration::from_secs(20);
