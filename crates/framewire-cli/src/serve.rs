//! `framewire serve`: an echo server, and a page to try it from a browser.
//!
//! What is the same for every engine, such as what is answered, logged and counted, is in files beside the engines. An
//! engine moves the bytes, each in a module of its own: it calls [`on_signal`](server::on_signal), announces its
//! address with [`Server::announce`], and returns when the connections are closed.

pub(crate) mod blocking;
mod options;
pub(crate) mod page;
mod poll;
mod request;
mod server;
mod slots;
pub(crate) mod stall;
mod tokio;
mod traffic;

use std::fmt;

use clap::{Args as _, Command};
use framewire::deflate::DeflateConfig;
use framewire::handshake::Acceptor;

pub(crate) use self::options::Options;
pub(crate) use self::server::{
    GRACE, LINGER, PAUSE, announce, is_of_one_connection, on_signal, reset_on_close,
};
pub(crate) use self::slots::{Slot, Slots};

use self::options::Engine;
use self::server::Server;
use crate::failure::Failure;

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.threads.is_some() && options.engine != Engine::Tokio {
        return Err(misuse("--threads is for the engine tokio"));
    }
    let acceptor = acceptor(options).map_err(misuse)?;
    serve(options, acceptor).map_err(Failure::NoConnection)
}

/// Returns the error for options that are well-formed but do not fit together.
fn misuse(message: impl fmt::Display) -> Failure {
    let mut command = Options::augment_args(Command::new("framewire serve"));
    Failure::Usage(command.error(clap::error::ErrorKind::ArgumentConflict, message))
}

fn acceptor(options: &Options) -> Result<Acceptor, String> {
    let config = DeflateConfig::default()
        .server_no_context_takeover(options.no_context_takeover)
        .client_no_context_takeover(options.no_context_takeover)
        .server_max_window_bits(options.window_bits)
        .client_max_window_bits(options.window_bits);
    let accept = &options.accept;
    accept.acceptor(Acceptor::new(), config, options.max_connections)
}

fn serve(options: &Options, acceptor: Acceptor) -> Result<(), String> {
    let server = Server::new(options, acceptor)?;
    let listener = options.accept.listen()?;
    match options.engine {
        Engine::Blocking => blocking::run(server, listener),
        Engine::Poll => poll::run(server, listener),
        Engine::Tokio => tokio::run(server, listener, options.threads.unwrap_or(1).into()),
    }
}
