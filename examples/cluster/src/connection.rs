//! The connection of a node to NATS: how long it may be lost before clients go, and before the node ends.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::nats::DUPLICATES;

/// A connection to NATS, which comes back by itself.
#[derive(Debug)]
pub struct Connection {
    pub client: Client,
    /// Counts the connections: with each new one messages may have been missed.
    pub count: watch::Receiver<u64>,
}

impl Connection {
    /// Connects to NATS, which may have been started just now.
    pub async fn open(url: &str) -> Result<Self> {
        let (connected, count) = watch::channel(0);
        let options = ConnectOptions::new()
            .connection_timeout(CONNECT)
            .request_timeout(Some(ANSWER))
            .ping_interval(PING)
            .reconnect_delay_callback(|attempt| RECONNECT * attempt.min(20) as u32)
            .event_callback(move |event| {
                if let Event::Connected | Event::SlowConsumer(_) = event {
                    connected.send_modify(|count| *count += 1);
                }
                async {}
            });
        let end = Instant::now() + FIRST_CONNECT;
        loop {
            match options.clone().connect(url).await {
                Ok(client) => return Ok(Self { client, count }),
                Err(error) if Instant::now() >= end => {
                    return Err(error).with_context(|| format!("cannot connect to {url}"));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// Returns whether there is a connection to NATS now.
#[must_use]
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// Sets `lost` while there has been no connection for [`PATIENCE`]. Returns when there has been none for [`MOST`].
pub async fn watch_over(is_connected: impl Fn() -> bool, lost: &watch::Sender<bool>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connected = Instant::now();
    loop {
        ticks.tick().await;
        if is_connected() {
            connected = Instant::now();
        }
        let is_lost = connected.elapsed() >= PATIENCE;
        lost.send_if_modified(|lost| std::mem::replace(lost, is_lost) != is_lost);
        if connected.elapsed() >= MOST {
            return;
        }
    }
}

/// How long NATS may take to be there when a node starts.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(10);
const RECONNECT: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(100);
/// How often to look whether there is a connection.
const LOOK: Duration = Duration::from_millis(250);
/// After how long without a connection clients are told to go elsewhere.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how long without a connection the node ends. What its client of NATS still holds would be published with the
/// next connection, and stored twice once `JetStream` has forgotten its id.
pub const MOST: Duration = Duration::from_secs(DUPLICATES.as_secs() / 2);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::timeout;

    use super::*;

    /// A moment of the test's clock.
    const MOMENT: Duration = Duration::from_millis(500);

    struct Watched {
        is_connected: Arc<AtomicBool>,
        lost: watch::Receiver<bool>,
        ended: tokio::task::JoinHandle<()>,
    }

    fn watched() -> Watched {
        let is_connected = Arc::new(AtomicBool::new(true));
        let (sender, lost) = watch::channel(false);
        let looked = Arc::clone(&is_connected);
        let ended = tokio::spawn(async move {
            watch_over(|| looked.load(Ordering::Relaxed), &sender).await;
        });
        Watched {
            is_connected,
            lost,
            ended,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_go_once_the_connection_is_lost_for_long_and_may_come_once_it_is_back() {
        let mut watched = watched();
        sleep(PATIENCE * 2).await;
        watched.is_connected.store(false, Ordering::Relaxed);
        sleep(PATIENCE.saturating_sub(MOMENT)).await;
        assert!(!*watched.lost.borrow());
        sleep(MOMENT * 2).await;
        assert!(*watched.lost.borrow_and_update());
        watched.is_connected.store(true, Ordering::Relaxed);
        let back = timeout(MOMENT, watched.lost.changed()).await;
        assert!(back.is_ok() && !*watched.lost.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_ends_before_what_it_holds_could_be_stored_twice() {
        let watched = watched();
        sleep(MOST * 2).await;
        assert!(!watched.ended.is_finished(), "it is connected");
        watched.is_connected.store(false, Ordering::Relaxed);
        let ended = timeout(DUPLICATES / 2 + MOMENT, watched.ended).await;
        assert!(ended.is_ok());
    }
}
