//! Other people's clients, servers and proxies against ours.

mod chromium;
mod curl;
pub(crate) mod daemon;
pub(crate) mod debian;
mod forward;
mod gateway;
mod library;
mod report;
mod setting;
mod upgrade;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use self::library::Library;
use self::report::{Peer, Report};
use self::setting::Setting;
use crate::front_end::FrontEnd;
use crate::project::Project;
use crate::server::ENGINES;

/// Check both ends against other people's libraries, and through their proxies
///
/// The server with each engine, and the client by each front end. Debian's packages are installed where they are
/// missing, which takes root.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// The parts to run [default: all]
    #[arg(value_name = "PART")]
    parts: Vec<Part>,

    /// Check the server alone, and all of it with this engine, as `framewire serve --engine` names it
    #[arg(long, value_name = "NAME", value_parser = ENGINES, conflicts_with = "front_end")]
    engine: Option<String>,

    /// Check the client alone, by this front end
    #[arg(long, value_name = "NAME")]
    front_end: Option<FrontEnd>,

    /// Write what was run to the table of README.md, if every check passed; rows of other parts stay
    #[arg(long, conflicts_with_all = ["engine", "front_end"])]
    write_readme: bool,
}

impl Options {
    /// Returns what is part of CI: the libraries with which there is most to check.
    pub(crate) fn of_ci() -> Self {
        Self {
            parts: vec![Part::Websockets, Part::Ws, Part::Upgrade],
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Python's `websockets`, client and server
    Websockets,
    /// npm's `ws`, client and server
    Ws,
    /// Upgrade to a protocol of one's own, with Python and curl; curl as a client of `serve`
    Upgrade,
    /// Chromium over HTTP/2 to an application on axum
    Chromium,
    /// nginx in front of `serve`
    Nginx,
    /// `HAProxy` in front of `serve`
    Haproxy,
    /// Apache in front of `serve`
    Apache,
    /// squid before our client
    Squid,
    /// tinyproxy before our client
    Tinyproxy,
    /// Dante before our client
    Dante,
    /// Bun, client and server
    Bun,
    /// Deno, client and server
    Deno,
    /// Python's `aiohttp`, client and server
    Aiohttp,
    /// Python's `tornado`, client and server
    Tornado,
    /// Python's `websocket-client`
    WebsocketClient,
}

impl Part {
    fn run(self, setting: &Setting<'_>) -> Result<Vec<Peer>> {
        match self {
            Self::Websockets => Ok(Library::websockets(setting.project)?.run(setting)),
            Self::Ws => Ok(Library::ws(setting.project)?.run(setting)),
            Self::Upgrade => upgrade::run(setting),
            Self::Chromium => chromium::run(setting),
            Self::Nginx => gateway::NGINX.run(setting),
            Self::Haproxy => gateway::HAPROXY.run(setting),
            Self::Apache => gateway::APACHE.run(setting),
            Self::Squid => forward::squid(setting),
            Self::Tinyproxy => forward::tinyproxy(setting),
            Self::Dante => forward::dante(setting),
            Self::Bun => Ok(Library::bun(setting.project)?.run(setting)),
            Self::Deno => Ok(Library::deno(setting.project)?.run(setting)),
            Self::Aiohttp => Ok(Library::aiohttp(setting.project)?.run(setting)),
            Self::Tornado => Ok(Library::tornado(setting.project)?.run(setting)),
            Self::WebsocketClient => Ok(Library::websocket_client(setting.project)?.run(setting)),
        }
    }
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let setting = Setting::new(project, options)?;
    let is_one_end = options.engine.is_some() || options.front_end.is_some();
    let parts = match &options.parts[..] {
        [] if is_one_end => &LIBRARIES,
        [] => Part::value_variants(),
        parts => parts,
    };
    let mut report = Report::default();
    for part in parts {
        report.add(part.run(&setting));
    }
    println!("\n{}", report.table());
    let failed = report.failed();
    ensure!(failed == 0, "interop: {failed} checks failed");
    if options.write_readme {
        report.write(project, options.parts.is_empty())?;
    }
    report.is_in_readme(project)?;
    println!("{}", report.summary());
    Ok(())
}

/// What can be checked with one engine or front end alone.
const LIBRARIES: [Part; 7] = [
    Part::Websockets,
    Part::Ws,
    Part::Bun,
    Part::Deno,
    Part::Aiohttp,
    Part::Tornado,
    Part::WebsocketClient,
];
