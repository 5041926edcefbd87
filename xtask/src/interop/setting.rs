//! What all parts of a run use: our program with an engine, our client's front ends, certificates.

use anyhow::Result;

use super::Options;
use crate::certificate::Certificate;
use crate::front_end::FrontEnd;
use crate::interop_client::Tls;
use crate::project::Project;
use crate::server::{ENGINES, Program, Server};

pub(crate) struct Setting<'a> {
    pub(crate) project: &'a Project,
    pub(crate) engines: Vec<&'a str>,
    pub(crate) front_ends: Vec<FrontEnd>,
    pub(crate) tls: Tls,
    program: Program,
}

impl<'a> Setting<'a> {
    pub(crate) fn new(project: &'a Project, options: &'a Options) -> Result<Self> {
        let certificate = |name: &str, hosts: &[&str]| {
            Certificate::make(project, &format!("interop/{name}"), hosts)
        };
        let (engines, front_ends) = match (options.engine.as_deref(), options.front_end) {
            (None, None) => (ENGINES.to_vec(), FrontEnd::ALL.to_vec()),
            (Some(engine), _) => (vec![engine], Vec::new()),
            (None, Some(front_end)) => (Vec::new(), vec![front_end]),
        };
        Ok(Self {
            project,
            engines,
            front_ends,
            tls: Tls {
                certificate: certificate("certificate", &["localhost", "127.0.0.1"])?,
                stranger: certificate("stranger", &["localhost", "127.0.0.1"])?,
                elsewhere: certificate("elsewhere", &["elsewhere.example"])?,
            },
            program: Program::build(project)?,
        })
    }

    /// Starts `framewire serve` with an engine and other options.
    pub(crate) fn serve(&self, engine: &str, options: &[&str]) -> Result<Server> {
        Server::start(&self.program, &[&["--engine", engine], options].concat())
    }

    /// Returns the options with which `framewire serve` takes TLS connections and no others.
    pub(crate) fn tls_options(&self) -> [&str; 4] {
        let certificate = &self.tls.certificate;
        let (cert, key) = (certificate.cert_file(), certificate.key_file());
        ["--tls-cert", cert, "--tls-key", key]
    }
}
