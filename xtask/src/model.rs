//! Model tests of what tasks and threads share, in the orders in which they can meet with up to three switches.

use std::time::Duration;

use anyhow::Result;

use crate::project::Project;
use crate::tally::Tally;

pub(crate) fn run(project: &Project) -> Result<()> {
    let mut models = 0;
    for (package, features) in PACKAGES {
        let mut cargo = project.cargo(&["test", "--locked", "--no-default-features", "--lib"]);
        cargo
            .args([package, features, "model::"])
            // A model runs hundreds of thousands of times: with optimisation, that takes seconds.
            .env("RUSTFLAGS", "--cfg framewire_model")
            .env("CARGO_TARGET_DIR", project.target("model"))
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        models += Tally::of_tests(&mut cargo, TIME)?;
    }
    println!("model: {models} models");
    Ok(())
}

const PACKAGES: [(&str, &str); 2] = [
    ("--package=framewire", "--features=tokio"),
    ("--package=framewire-upgrade", "--features=rustls"),
];
const TIME: Duration = Duration::from_secs(900);
