//! What a run prints: one JSON object.

use anyhow::Result;
use serde::Serialize;

use crate::process::Cost;

/// What a load cost the server, with the arguments of the run.
#[derive(Debug, Serialize)]
struct Report<'a, O> {
    bench: &'static str,
    tls: bool,
    #[serde(flatten)]
    options: &'a O,
    #[serde(flatten)]
    cost: Cost,
}

pub(crate) fn print(
    bench: &'static str,
    tls: bool,
    options: &impl Serialize,
    cost: Cost,
) -> Result<()> {
    let report = Report {
        bench,
        tls,
        options,
        cost,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
