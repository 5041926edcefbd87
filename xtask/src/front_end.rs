//! The front ends of the library's client.

use std::fmt;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

/// A front end of the library.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FrontEnd {
    /// `framewire::tokio`
    Tokio,
    /// `framewire::blocking`
    Blocking,
}

impl FrontEnd {
    pub(crate) const ALL: [Self; 2] = [Self::Tokio, Self::Blocking];
}

impl fmt::Display for FrontEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Blocking => "blocking",
        })
    }
}

/// Creates the runtime of the tokio front end, which runs on this thread.
pub(crate) fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().context("tokio's runtime")
}
