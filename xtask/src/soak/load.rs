//! The clients of all servers.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::behaviour::{Behaviour, Kinds};
use super::crowd;
use super::random::Random;
use super::server::UnderLoad;
use super::target::{PLACES, Target};
use crate::front_end;
use crate::tally::grouped;

/// The load of one run.
pub(super) struct Load {
    seed: u64,
    /// The longest time that a client lets pass before a connection, in milliseconds. It is half of that on average.
    pause: usize,
    runtime: Runtime,
    traffic: Traffic,
}

/// What went over the connections so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    messages: u64,
    connections: u64,
    kinds: Kinds,
}

impl Load {
    /// Creates the load of this many servers, with at most `rate` connections a second over all of them.
    pub(super) fn new(seed: u64, rate: Option<u32>, servers: usize) -> Result<Self> {
        Ok(Self {
            seed,
            pause: rate.map_or(0, |rate| 2000 * servers * CLIENTS / rate as usize),
            runtime: front_end::runtime()?,
            traffic: Traffic::default(),
        })
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Puts all servers under load for this long, and measures them after that.
    pub(super) fn round(
        &mut self,
        round: u32,
        time: Duration,
        servers: &mut [UnderLoad],
    ) -> Result<()> {
        let until = Instant::now() + time;
        let mut clients = JoinSet::new();
        for (index, server) in servers.iter().enumerate() {
            for number in 0..CLIENTS {
                let random = Random::new(self.seed, &[round as usize, index, number]);
                let place = self.place(server, round, &format!("client {number}"));
                let target = Arc::clone(server.target());
                let pause = self.pause;
                let client = async move { run(&target, random, pause, until).await.context(place) };
                clients.spawn_on(client, self.runtime.handle());
            }
        }
        // An error ends all other clients, as they are dropped.
        while let Some(client) = self.runtime.block_on(clients.join_next()) {
            self.traffic += client.context("a client panicked")??;
        }
        for (index, server) in servers.iter_mut().enumerate() {
            server.wait_until_quiet()?;
            let mut random = Random::new(self.seed, &[round as usize, index]);
            let crowd = crowd::come(server.target(), &mut random);
            let crowd = self.runtime.block_on(crowd);
            let messages = crowd.with_context(|| self.place(server, round, "crowd"))?;
            self.traffic += Traffic {
                messages,
                connections: PLACES as u64,
                kinds: Kinds::default(),
            };
            server.measure()?;
        }
        Ok(())
    }

    /// Names a client, for an error of its.
    fn place(&self, server: &UnderLoad, round: u32, client: &str) -> String {
        let (target, seed) = (server.target(), self.seed);
        format!("{target}, seed {seed}, round {round}, {client}")
    }
}

/// Is one client, with one connection after the other, until the time is over.
async fn run(target: &Target, mut random: Random, pause: usize, until: Instant) -> Result<Traffic> {
    let mut traffic = Traffic::default();
    loop {
        let pause = Duration::from_millis(random.below(pause + 1) as u64);
        let left = until.saturating_duration_since(Instant::now() + pause);
        if left.is_zero() {
            return Ok(traffic);
        }
        sleep(pause).await;
        let behaviour = Behaviour::choose(&mut random, left);
        traffic += Traffic {
            messages: behaviour.run(target, &mut random).await?,
            connections: 1,
            kinds: Kinds::from(behaviour),
        };
    }
}

impl Traffic {
    /// Returns whether there was a client of each kind.
    pub(super) fn is_of_all_kinds(&self) -> bool {
        self.kinds.is_all()
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.connections += other.connections;
        self.kinds |= other.kinds;
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            connections,
            kinds,
        } = *self;
        let (messages, connections) = (grouped(messages), grouped(connections));
        write!(
            f,
            "{messages} messages, {connections} connections of {kinds}"
        )
    }
}

/// How many clients each server has at a time.
const CLIENTS: usize = 16;
