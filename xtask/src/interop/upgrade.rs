//! HTTP/1.1 Upgrade to a protocol of one's own, with Python's own HTTP and curl at the other end.

use std::path::Path;

use anyhow::Result;

use super::curl::client_of;
use super::debian;
use super::report::Peer;
use super::setting::Setting;
use crate::interop_upgrade;

pub(crate) fn run(setting: &Setting<'_>) -> Result<Vec<Peer>> {
    let address = interop_upgrade::serve()?;
    let against = "both ends of an upgrade to a protocol of one's own";
    let mut python = Peer::new(
        "Python `http`",
        debian::version(Path::new("python3"), "-V")?,
        against,
    );
    python.suite("as the client of an upgrade", || {
        interop_upgrade::python_client(setting.project, address)
    });
    python.suite("as the server of an upgrade", || {
        interop_upgrade::python_server(setting.project)
    });
    let curl_program = debian::program("curl", "curl")?;
    let against = "client of `serve` with each engine, TLS: its page, the handshake, refusals; client of an upgrade to a protocol of one's own";
    let mut curl = Peer::new("curl", debian::version(&curl_program, "-V")?, against);
    curl.suite("as the client of an upgrade", || {
        interop_upgrade::curl(address)
    });
    for engine in &setting.engines {
        curl.suite(&format!("as a client of {engine}"), || {
            client_of(setting, &curl_program, engine)
        });
    }
    Ok(vec![python, curl])
}
