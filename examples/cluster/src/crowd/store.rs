//! How fast NATS stores messages, without nodes and clients.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::timeout;

use crate::history::History as _;
use crate::nats::Nats;
use crate::protocol::Entry;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where NATS is
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    pub nats: String,

    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub messages: u64,

    /// How many are not answered yet, at most
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub in_flight: usize,
}

/// Stores messages, and returns how many a second.
pub async fn run(options: &Options) -> Result<f64> {
    let client = async_nats::connect(&options.nats).await?;
    let history = Nats::open(client).await?;
    let began = Instant::now();
    let entry = Entry {
        room: "store".to_owned(),
        client: "crowd".to_owned(),
        session: format!("{:x}", fastrand::u64(..)),
        after: None,
        era: None,
    };
    let text = "x".repeat(64);
    let storing = stream::iter(1..=options.messages)
        .map(|number| history.publish(&entry, number, &text))
        .buffer_unordered(options.in_flight);
    let all = storing.fold(Ok(0_u64), async |count, stored| {
        stored.and(count).map(|count| count + 1)
    });
    let count = timeout(DEADLINE, all).await;
    let count = count.map_err(|_| anyhow!("not all is stored after a minute"))??;
    #[allow(clippy::cast_precision_loss)]
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

const DEADLINE: Duration = Duration::from_mins(1);
