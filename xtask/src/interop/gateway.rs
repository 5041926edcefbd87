//! nginx, `HAProxy` and Apache in front of `framewire serve`.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};

use super::daemon::{Software, free_ports};
use super::library::{Library, SUITE, how};
use super::report::Peer;
use super::setting::Setting;
use crate::interop_client::{Way, through};

pub(crate) const NGINX: Gateway = Gateway {
    software: Software {
        name: "nginx",
        package: "nginx-light",
        program: "nginx",
        version: "-v",
        files: &["nginx.conf"],
        arguments: &["-p", "@FOLDER@", "-c", "@FOLDER@/nginx.conf"],
        environment: &[],
    },
    passes_tls_through: false,
};

pub(crate) const HAPROXY: Gateway = Gateway {
    software: Software {
        name: "HAProxy",
        package: "haproxy",
        program: "haproxy",
        version: "-v",
        files: &["haproxy.cfg"],
        arguments: &["-db", "-f", "@FOLDER@/haproxy.cfg"],
        environment: &[],
    },
    passes_tls_through: true,
};

pub(crate) const APACHE: Gateway = Gateway {
    software: Software {
        name: "Apache",
        package: "apache2",
        program: "apache2",
        version: "-v",
        files: &["apache.conf"],
        arguments: &["-X", "-f", "@FOLDER@/apache.conf"],
        environment: &[],
    },
    passes_tls_through: false,
};

/// A proxy in front of the server, which its configuration names.
pub(crate) struct Gateway {
    software: Software,
    /// Whether it can pass on TLS without its keys.
    passes_tls_through: bool,
}

impl Gateway {
    pub(crate) fn run(&self, setting: &Setting<'_>) -> Result<Vec<Peer>> {
        let installed = self.software.install(setting.project)?;
        let against = if self.passes_tls_through {
            "in front of `serve` with each engine, to clients of ours and `websockets`: plain, TLS ended there, TLS passed through; compression through it"
        } else {
            "in front of `serve` with each engine, to clients of ours and `websockets`: plain, TLS ended there; compression through it"
        };
        let mut peer = Peer::new(self.software.name, installed.version()?, against);
        let certificate = &setting.tls.certificate;
        let (cert, key) = (certificate.cert_file(), certificate.key_file());
        let both = fs::read_to_string(cert)? + &fs::read_to_string(key)?;
        fs::write(installed.folder()?.join("cert-and-key.pem"), both)
            .context("cert-and-key.pem")?;
        let library = Library::websockets(setting.project)?;
        for engine in &setting.engines {
            let plain = setting.serve(engine, &[])?;
            let deflate = setting.serve(engine, &["--deflate"])?;
            let secure = setting.serve(
                engine,
                &[&["--deflate"][..], &setting.tls_options()].concat(),
            )?;
            let ports = free_ports::<4>()?;
            let [plain_port, deflate_port, tls_port, through_port] = ports;
            let used = &ports[..if self.passes_tls_through { 4 } else { 3 }];
            let values = [
                ("CERT", cert.to_owned()),
                ("KEY", key.to_owned()),
                ("PLAIN_PORT", plain_port.to_string()),
                ("PLAIN_SERVER", plain.address().to_string()),
                ("DEFLATE_PORT", deflate_port.to_string()),
                ("DEFLATE_SERVER", deflate.address().to_string()),
                ("TLS_PORT", tls_port.to_string()),
                ("THROUGH_PORT", through_port.to_string()),
                ("THROUGH_SERVER", secure.address().to_string()),
            ];
            let daemon = installed.start(&values, used)?;
            for port in used {
                let compression = *port != plain_port;
                let tls = *port == tls_port || *port == through_port;
                let passed = if *port == through_port {
                    ", passed through"
                } else {
                    ""
                };
                let way = format!("in front of {engine}{}{passed}", how(compression, tls));
                let ca = tls.then_some(certificate);
                peer.suite(&format!("{way}, {}", library.name()), || {
                    let scheme = if tls { "wss" } else { "ws" };
                    let url = format!("{scheme}://localhost:{port}/");
                    library.client(&url, ca, compression, &["--proxied"])
                });
                for front_end in &setting.front_ends {
                    peer.suite(&format!("{way}, our client, {front_end}"), || {
                        let way = Way {
                            address: SocketAddr::from(([127, 0, 0, 1], *port)),
                            certificate: ca,
                            proxy: None,
                        };
                        through(way, *front_end, compression, SUITE)
                    });
                }
            }
            daemon.stop()?;
            for server in [plain, deflate, secure] {
                server.stop()?;
            }
        }
        Ok(vec![peer])
    }
}
