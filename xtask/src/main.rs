//! The chores of this repository, one subcommand each.

mod api;
mod autobahn;
mod bench;
mod browser;
mod certificate;
mod ci;
mod clauses;
mod cluster;
mod code_size;
mod compiler;
mod coverage;
mod front_end;
mod fuzz;
mod idle_memory;
mod imports;
mod interop;
mod layers;
mod linear;
mod model;
mod mutants;
mod no_std;
mod process;
mod project;
mod promises;
mod sanitize;
mod server;
mod simulate;
mod soak;
mod sources;
mod supply_chain;
mod tally;
mod tool;

// Where a chore uses the library as one end of a connection, that code is beside the other end.
#[path = "../../conformance/autobahn/framewire_client.rs"]
mod autobahn_client;
#[path = "../../conformance/interop/framewire_client/mod.rs"]
mod interop_client;
#[path = "../../conformance/interop/framewire_upgrade.rs"]
mod interop_upgrade;

use std::process::ExitCode;

use clap::Parser;

use crate::project::Project;

/// The chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    Autobahn(autobahn::Options),
    Interop(interop::Options),
    Cluster(cluster::Options),
    /// Use the page of `framewire serve` in headless Chromium
    Browser,
    /// Link and run a program that has no standard library and no allocator
    NoStd,
    /// Check that modules use those below them alone, and that no two files import from each other
    Layers,
    Api(api::Options),
    Clauses(clauses::Options),
    /// Check what tasks and threads share, in the orders in which they can meet
    Model,
    Mutants(mutants::Options),
    Fuzz(fuzz::Options),
    Coverage(coverage::Options),
    Sanitize(sanitize::Options),
    SupplyChain(supply_chain::Options),
    Simulate(simulate::Options),
    IdleMemory(idle_memory::Options),
    Soak(soak::Options),
    Instructions(bench::Instructions),
    /// Count instructions of attacks, and check that twice the attack is no more than twice the work
    Linear,
    /// Check that each promise of SECURITY.md names tests that exist, and that each row of DESIGN 6 is one of them
    Promises,
    #[command(disable_help_flag = true)]
    Bench(bench::Options),
    /// Measure what the feature `deflate` adds to the code of the example `echo_server`
    CodeSize,
    /// Everything that must hold before a change lands
    Ci,
}

fn main() -> ExitCode {
    let chore = Chore::parse();
    let result = process::end_children_on_signals()
        .and_then(|()| Project::find())
        .and_then(|project| match chore {
            Chore::Autobahn(options) => autobahn::run(&project, &options),
            Chore::Interop(options) => interop::run(&project, &options),
            Chore::Cluster(options) => cluster::run(&project, &options),
            Chore::Browser => browser::run(&project),
            Chore::NoStd => no_std::run(&project),
            Chore::Layers => layers::run(&project),
            Chore::Api(options) => api::run(&project, &options),
            Chore::Clauses(options) => clauses::run(&project, &options),
            Chore::Model => model::run(&project),
            Chore::Mutants(options) => mutants::run(&project, &options),
            Chore::Fuzz(options) => fuzz::run(&project, &options),
            Chore::Simulate(options) => simulate::run(&project, &options),
            Chore::IdleMemory(options) => idle_memory::run(&project, &options),
            Chore::Soak(options) => soak::run(&project, &options),
            Chore::Instructions(options) => bench::instructions(&project, &options),
            Chore::Linear => linear::run(&project),
            Chore::Promises => promises::run(&project),
            Chore::Bench(options) => bench::run(&project, &options),
            Chore::CodeSize => code_size::run(&project),
            Chore::Coverage(options) => coverage::run(&project, &options),
            Chore::Sanitize(options) => sanitize::run(&project, &options),
            Chore::SupplyChain(options) => supply_chain::run(&project, &options),
            Chore::Ci => ci::run(&project),
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
