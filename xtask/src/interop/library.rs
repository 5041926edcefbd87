//! Libraries of others, as clients of `framewire serve` and as servers of our client.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::debian;
use super::report::Peer;
use super::setting::Setting;
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::interop_client::{self, COMPRESSING, NOT_COMPRESSING, Range, Tls};
use crate::process;
use crate::project::Project;
use crate::server::MAX_MESSAGE;
use crate::tally::Tally;

/// A library, and the scripts that use it.
pub(crate) struct Library {
    name: &'static str,
    version: String,
    interpreter: PathBuf,
    /// What comes before the script.
    options: &'static [&'static str],
    folder: PathBuf,
    client: &'static str,
    server: Option<&'static str>,
    range: Range,
}

impl Library {
    pub(crate) fn websockets(project: &Project) -> Result<Self> {
        let scripts = ("client.py", Some("server.py"));
        Self::python(
            project,
            "websockets",
            "Python `websockets`",
            scripts,
            Range::Full,
        )
    }

    pub(crate) fn aiohttp(project: &Project) -> Result<Self> {
        let scripts = ("client_aiohttp.py", Some("server_aiohttp.py"));
        Self::python(project, "aiohttp", "Python `aiohttp`", scripts, COMPRESSING)
    }

    pub(crate) fn tornado(project: &Project) -> Result<Self> {
        let scripts = ("client_tornado.py", Some("server_tornado.py"));
        Self::python(project, "tornado", "Python `tornado`", scripts, COMPRESSING)
    }

    pub(crate) fn websocket_client(project: &Project) -> Result<Self> {
        let scripts = ("client_websocket_client.py", None);
        let name = "Python `websocket-client`";
        Self::python(project, "websocket-client", name, scripts, NOT_COMPRESSING)
    }

    fn python(
        project: &Project,
        package: &str,
        name: &'static str,
        (client, server): (&'static str, Option<&'static str>),
        range: Range,
    ) -> Result<Self> {
        let interpreter = project.python("interop/venv", "conformance/interop/requirements.txt")?;
        let mut version = Command::new(&interpreter);
        version.args(["-c", PACKAGE_VERSION, package]);
        Ok(Self {
            name,
            version: process::output(&mut version, VERSION)?.trim().to_owned(),
            interpreter,
            options: &[],
            folder: project.path("conformance/interop"),
            client,
            server,
            range,
        })
    }

    pub(crate) fn ws(project: &Project) -> Result<Self> {
        let folder = project.node("interop", "conformance/interop")?;
        let mut version = Command::new("node");
        version
            .args(["--print", "require('ws/package.json').version"])
            .current_dir(&folder);
        Ok(Self {
            name: "npm `ws`",
            version: process::output(&mut version, VERSION)?.trim().to_owned(),
            interpreter: PathBuf::from("node"),
            options: &[],
            folder,
            client: "client.mjs",
            server: Some("server.mjs"),
            range: Range::Full,
        })
    }

    pub(crate) fn bun(project: &Project) -> Result<Self> {
        let options = &["--no-install"];
        Self::runtime(
            project,
            "Bun",
            "bun",
            options,
            "server_bun.mjs",
            COMPRESSING,
        )
    }

    pub(crate) fn deno(project: &Project) -> Result<Self> {
        let options = &[
            "run",
            "--no-config",
            "--no-lock",
            "--allow-net",
            "--allow-read",
        ];
        Self::runtime(
            project,
            "Deno",
            "deno",
            options,
            "server_deno.mjs",
            NOT_COMPRESSING,
        )
    }

    fn runtime(
        project: &Project,
        name: &'static str,
        program: &str,
        options: &'static [&'static str],
        server: &'static str,
        range: Range,
    ) -> Result<Self> {
        let folder = project.node("interop-runtimes", "conformance/interop/runtimes")?;
        let interpreter = folder.join("node_modules/.bin").join(program);
        Ok(Self {
            name,
            version: debian::version(&interpreter, "--version")?,
            interpreter,
            options,
            folder: project.path("conformance/interop"),
            client: "client_web.mjs",
            server: Some(server),
            range,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs all that there is for the library.
    pub(crate) fn run(&self, setting: &Setting<'_>) -> Vec<Peer> {
        let mut peer = Peer::new(self.name, self.version.clone(), self.against());
        for (number, engine) in setting.engines.iter().enumerate() {
            let ways: &[_] = if self.range == NOT_COMPRESSING {
                &[(false, false), (false, true)]
            } else {
                &[(false, false), (true, false), (true, true)]
            };
            for &(compression, tls) in ways {
                let how = format!("as a client of {engine}{}", how(compression, tls));
                peer.suite(&how, || self.client_of(setting, engine, compression, tls));
            }
            // The engine plays no part in it, and it takes as long as all the others.
            if number == 0 && self.range == Range::Full {
                peer.suite(&format!("as a client of {engine}, of compression"), || {
                    self.client_of_compression(setting, engine)
                });
            }
        }
        let Some(server) = self.server else {
            return vec![peer];
        };
        for front_end in &setting.front_ends {
            for tls in [None, Some(&setting.tls)] {
                let over = if tls.is_some() { ", over TLS" } else { "" };
                peer.suite(&format!("as a server of {front_end}{over}"), || {
                    self.server(server, *front_end, tls)
                });
            }
        }
        vec![peer]
    }

    fn against(&self) -> &'static str {
        match (self.server, self.range) {
            (None, _) => "client of `serve` with each engine; TLS",
            (Some(_), NOT_COMPRESSING) => {
                "client of `serve` with each engine, server of both front ends; TLS"
            }
            (Some(_), _) => {
                "client of `serve` with each engine, server of both front ends; compression; TLS"
            }
        }
    }

    fn client_of(
        &self,
        setting: &Setting<'_>,
        engine: &str,
        compression: bool,
        tls: bool,
    ) -> Result<Tally> {
        let deflate: &[&str] = if compression { &["--deflate"] } else { &[] };
        let (server, url, ca) = if tls {
            let server = setting.serve(engine, &[deflate, &setting.tls_options()].concat())?;
            let url = server.url_by_name("wss");
            (server, url, Some(&setting.tls.certificate))
        } else {
            let server = setting.serve(engine, deflate)?;
            let url = server.url("ws");
            (server, url, None)
        };
        let tally = self.client(&url, ca, compression, &[]);
        server.stop()?;
        tally
    }

    /// Runs the library's client against a server.
    pub(crate) fn client(
        &self,
        url: &str,
        ca: Option<&Certificate>,
        compression: bool,
        options: &[&str],
    ) -> Result<Tally> {
        let mut client = self.script(self.client);
        client.args([url, &MAX_MESSAGE.to_string()]).args(options);
        if let Some(certificate) = ca {
            client.args(["--ca", certificate.cert_file()]);
        }
        if compression {
            client.arg("--deflate");
        }
        Tally::of_script(&mut client, SUITE)
    }

    /// Runs the library's client against servers that compress in all possible ways.
    fn client_of_compression(&self, setting: &Setting<'_>, engine: &str) -> Result<Tally> {
        let mut client = self.script(&self.client.replace("client", "client_deflate"));
        client.arg(MAX_MESSAGE.to_string());
        let mut servers = Vec::new();
        for options in WAYS_TO_COMPRESS {
            let words: Vec<&str> = options.split_whitespace().collect();
            let server = setting.serve(engine, &words)?;
            client.arg(format!("{} {options}", server.url("ws")));
            servers.push(server);
        }
        let tally = Tally::of_script(&mut client, SUITE);
        for server in servers {
            server.stop()?;
        }
        tally
    }

    /// Runs our client, with a front end, against the library's server.
    fn server(&self, script: &str, front_end: FrontEnd, tls: Option<&Tls>) -> Result<Tally> {
        let server = |certificate: Option<&Certificate>| {
            let mut server = self.script(script);
            if let Some(certificate) = certificate {
                server.args([certificate.cert_file(), certificate.key_file()]);
            }
            server
        };
        interop_client::run(server, self.range, tls, front_end, SUITE)
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        // The scripts are in the repository, in which nothing must be written.
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .args(self.options)
            .arg(self.folder.join(name));
        command
    }
}

/// Says how connections are made.
pub(crate) fn how(compression: bool, tls: bool) -> String {
    let compression = if compression { "with" } else { "without" };
    let over = if tls { ", over TLS" } else { "" };
    format!(", {compression} compression{over}")
}

/// Options of `framewire serve`: each window, with and without context takeover, and levels of all of zlib's
/// strategies.
const WAYS_TO_COMPRESS: [&str; 8] = [
    "--deflate",
    "--deflate=6 --no-context-takeover",
    "--deflate --window-bits 9",
    "--deflate=6 --window-bits 10",
    "--deflate=9 --window-bits 11",
    "--deflate=4 --window-bits 12",
    "--deflate=6 --window-bits 13",
    "--deflate=9 --window-bits 14 --no-context-takeover",
];

const PACKAGE_VERSION: &str =
    "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
const VERSION: Duration = Duration::from_secs(30);
pub(crate) const SUITE: Duration = Duration::from_secs(300);
