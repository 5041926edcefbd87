//! A client of the chat that comes back wherever it is let in, and goes on after the last message it has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use framewire::CloseCode;
use framewire::tokio::{Stream, WebSocket};
use tokio::select;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::tally::{Log, Received};
use crate::protocol::{Say, ToClient};

/// What all members share.
#[derive(Debug)]
pub struct Shared {
    /// `ws://HOST:PORT`, without a path.
    pub url: String,
    pub began: Instant,
    /// How many messages the nodes have said they stored.
    pub stored: AtomicU64,
    pub progress: watch::Sender<u64>,
    /// How many members lack messages.
    pub incomplete: AtomicUsize,
    pub complete: CancellationToken,
    /// Between two messages of a member. `None`: each as soon as the one before is stored.
    pub every: Option<Duration>,
    pub size: usize,
}

/// A member of a room.
#[derive(Debug)]
pub struct Member {
    pub shared: Arc<Shared>,
    pub room: String,
    pub index: u32,
    session: String,
    /// How many messages it sends; the first member of a room sends one more once all are complete.
    pub sends: u32,
    pub log: Log,
    /// The last message that it has.
    pub cursor: u64,
    /// The era of that number, as the first node has said.
    era: Option<String>,
    /// What it has sent, or is to send again, and was not yet said to be stored.
    unstored: VecDeque<(u32, String)>,
    sent: u32,
    /// When its first message is due, if they are paced. The others follow at regular times, whatever happens.
    first: Option<Instant>,
    has_end: bool,
    pub report: Report,
    /// When it had everything, since the beginning.
    pub finished: Option<Duration>,
}

/// What has happened to a member.
#[derive(Debug, Default)]
pub struct Report {
    /// From when a message was due to when it was received, in microseconds.
    pub latencies: Vec<u32>,
    /// How often a node has told it to go.
    pub moved: u32,
    /// How often the connection broke.
    pub broken: u32,
    /// How often no node was reached.
    pub refused: u32,
    pub last_error: Option<String>,
}

impl Member {
    #[must_use]
    pub fn new(shared: &Arc<Shared>, room: &str, index: u32, sends: u32, log: Log) -> Self {
        Self {
            shared: Arc::clone(shared),
            room: room.to_owned(),
            index,
            session: format!("{:x}", fastrand::u64(..)),
            sends,
            log,
            cursor: 0,
            era: None,
            unstored: VecDeque::new(),
            sent: 0,
            first: None,
            has_end: false,
            report: Report::default(),
            finished: None,
        }
    }

    /// Talks, through as many connections as it takes, until the message that ends the room has come.
    pub async fn run(&mut self) {
        let mut wait = FIRST_RETRY;
        while !self.has_end {
            let connected = timeout(CONNECT, framewire::tokio::connect(&self.address())).await;
            match connected {
                Ok(Ok(mut websocket)) => {
                    if let Err(error) = self.talk(&mut websocket).await {
                        let closed = websocket.closed().map(|closed| closed.code());
                        self.note(closed, &error);
                    }
                    wait = FIRST_RETRY;
                }
                Ok(Err(error)) => {
                    self.report.refused += 1;
                    self.report.last_error = Some(error.to_string());
                }
                Err(_) => self.report.refused += 1,
            }
            if !self.has_end {
                // Not all at the same time.
                sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
        }
    }

    fn address(&self) -> String {
        let mut address = format!(
            "{}/{}?client=m{}&session={}&after={}",
            self.shared.url, self.room, self.index, self.session, self.cursor
        );
        if let Some(era) = &self.era {
            address.extend(["&era=", era]);
        }
        address
    }

    /// Notes how a connection has ended.
    fn note(&mut self, code: Option<CloseCode>, error: &anyhow::Error) {
        if code == Some(CloseCode::SERVICE_RESTART) {
            // What it has is void.
            (self.cursor, self.era) = (0, None);
        }
        if code == Some(CloseCode::GOING_AWAY) {
            self.report.moved += 1;
        } else {
            self.report.broken += 1;
            self.report.last_error = Some(format!("{error:#}"));
        }
    }

    /// Talks over one connection, until it ends or there is nothing more to come.
    async fn talk(&mut self, websocket: &mut WebSocket<Stream>) -> Result<()> {
        websocket.set_keep_alive(INTERVAL, PONG_WITHIN)?;
        for (number, text) in &self.unstored {
            let text = text.as_str().into();
            let number = u64::from(*number);
            websocket
                .feed(&serde_json::to_string(&Say { number, text })?)
                .await?;
        }
        websocket.flush().await?;
        let complete = self.shared.complete.clone();
        // At a time of its own, which the first connection sets.
        let offset = |every: Duration| Instant::now() + every.mul_f64(fastrand::f64());
        self.first = self.first.or(self.shared.every.map(offset));
        while !self.has_end {
            let may_send = self.sent < self.sends;
            let is_last_word = self.index == 0 && self.sent == self.sends && self.sends > 0;
            let due = self.due();
            select! {
                message = websocket.next_message() => {
                    let message = message?.context("the connection was closed")?;
                    self.receive(message.text().context("a binary message")?)?;
                }
                () = until(due), if may_send && (due.is_some() || self.unstored.is_empty()) => {
                    self.send(websocket, due).await?;
                }
                () = complete.cancelled(), if is_last_word => self.send(websocket, None).await?,
            }
        }
        websocket.close(CloseCode::NORMAL, "").await?;
        let _ = websocket.shutdown(GOODBYE).await;
        Ok(())
    }

    /// Returns when the next message is due, if they are paced: also when that is over, since there was no connection.
    fn due(&self) -> Option<Instant> {
        let (first, every) = self.first.zip(self.shared.every)?;
        Some(first + every * self.sent)
    }

    /// Sends the next message, which was due at this time, or is now.
    async fn send(
        &mut self,
        websocket: &mut WebSocket<Stream>,
        due: Option<Instant>,
    ) -> Result<()> {
        self.sent += 1;
        let due = due.unwrap_or_else(Instant::now);
        // The time is part of the text. What had to wait for a connection is late by that.
        let due = due.saturating_duration_since(self.shared.began);
        let mut text = format!("{} ", due.as_micros());
        while text.len() < self.shared.size {
            text.push('x');
        }
        let say = Say {
            number: self.sent.into(),
            text: text.as_str().into(),
        };
        let json = serde_json::to_string(&say)?;
        self.unstored.push_back((self.sent, text));
        Ok(websocket.write(&json).await?)
    }

    fn receive(&mut self, text: &str) -> Result<()> {
        match serde_json::from_str(text)? {
            ToClient::Welcome { at, era } if at == self.cursor => self.era = Some(era.into_owned()),
            ToClient::Welcome { at, .. } => bail!("welcome at {at}, not at {}", self.cursor),
            ToClient::Stored { number, .. } => {
                let before = self.unstored.len();
                self.unstored
                    .retain(|(unstored, _)| u64::from(*unstored) != number);
                if self.unstored.len() < before {
                    let stored = self.shared.stored.fetch_add(1, Ordering::Relaxed) + 1;
                    self.shared.progress.send_replace(stored);
                }
            }
            ToClient::Said(said) => {
                let now = self.shared.began.elapsed().as_micros();
                let due = said.text.split(' ').next().and_then(|it| it.parse().ok());
                let due: u128 = due.context("a message without a time")?;
                let sender = said.from.strip_prefix('m').and_then(|it| it.parse().ok());
                let received = Received {
                    sequence: said.seq,
                    sender: sender.context("a message of somebody else")?,
                    number: said.number.try_into()?,
                };
                self.cursor = said.seq;
                if received.sender == 0 && received.number > self.log.each() {
                    self.has_end = true;
                    return Ok(());
                }
                self.report.latencies.push(now.saturating_sub(due) as u32);
                self.log.add(received);
                self.count();
            }
        }
        Ok(())
    }

    /// Tells the others when this member has everything.
    fn count(&mut self) {
        if self.finished.is_none() && self.log.is_complete() {
            self.finished = Some(self.shared.began.elapsed());
            if self.sends > 0 && self.shared.incomplete.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.shared.complete.cancel();
            }
        }
    }
}

/// Waits until a message is due.
async fn until(due: Option<Instant>) {
    if let Some(due) = due {
        sleep_until(due.into()).await;
    }
}

const CONNECT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(5);
const PONG_WITHIN: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_regular_times_also_without_a_connection() {
        let began = Instant::now();
        let every = Duration::from_secs(1);
        let shared = Arc::new(Shared {
            url: String::new(),
            began,
            stored: AtomicU64::new(0),
            progress: watch::Sender::new(0),
            incomplete: AtomicUsize::new(1),
            complete: CancellationToken::new(),
            every: Some(every),
            size: 64,
        });
        let mut member = Member::new(&shared, "room", 0, 20, Log::new(1, 20));
        member.first = Some(began + every / 2);
        member.sent = 7;
        assert_eq!(member.due(), Some(began + Duration::from_millis(7500)));
    }
}
