//! One client of a node: what it says is stored, and what its room has goes to it, from where it was.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use framewire::CloseCode;
use framewire::tokio::WebSocket;
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::history::{History, Replay, Stored};
use crate::protocol::{Entry, MAX_TEXT, Say, ToClient};
use crate::room::{Room, said};

/// Serves a client until it closes, something fails or the node is told to stop.
pub async fn serve(
    mut websocket: WebSocket<TcpStream>,
    history: &History,
    room: Arc<Room>,
    entry: &Entry,
    is_lost: watch::Receiver<bool>,
    stop: &CancellationToken,
) -> Result<()> {
    websocket.set_keep_alive(INTERVAL, PONG_WITHIN)?;
    let mut client = Client {
        websocket,
        history,
        room,
        entry,
        cursor: 0,
        storing: None,
        reading: None,
    };
    let code = match client.talk(entry.after, is_lost, stop).await {
        Ok(End::Closed) => return Ok(()),
        Ok(End::Stop) => CloseCode::GOING_AWAY,
        Ok(End::Wrong(reason)) => {
            return Box::pin(client.close(CloseCode::POLICY_VIOLATION, reason)).await;
        }
        Err(error) => {
            if error.downcast_ref::<framewire::Error>().is_some() {
                return Err(error);
            }
            // NATS is not there: another node may do better.
            let reason = "history is out of reach";
            let _ = Box::pin(client.close(CloseCode::TRY_AGAIN_LATER, reason)).await;
            return Err(error);
        }
    };
    Box::pin(client.close(code, "this node ends")).await
}

/// Why a conversation ends in order.
enum End {
    Closed,
    Stop,
    Wrong(&'static str),
}

struct Client<'a> {
    websocket: WebSocket<TcpStream>,
    history: &'a History,
    room: Arc<Room>,
    entry: &'a Entry,
    /// The last message of the room that the client has.
    cursor: u64,
    /// The message that is being stored. There is one at a time, which keeps the order of a client's messages.
    storing: Option<Storing>,
    /// The page of history that is being read, while the cursor is before the ring.
    reading: Option<Reading>,
}

type Reading = Pin<Box<dyn Future<Output = Result<(Replay, Vec<Stored>)>> + Send>>;
type Storing = Pin<Box<dyn Future<Output = Result<(u64, u64)>> + Send>>;

impl Client<'_> {
    async fn talk(
        &mut self,
        after: Option<u64>,
        mut is_lost: watch::Receiver<bool>,
        stop: &CancellationToken,
    ) -> Result<End> {
        let mut changes = self.room.changes();
        let begun = timeout(BEGIN, changes.wait_for(Option::is_some));
        let Some(begun) = stop.run_until_cancelled(begun).await else {
            return Ok(End::Stop);
        };
        let last = *begun.context("the room does not begin")??;
        self.cursor = after.or(last).context("the room has begun")?;
        self.tell(&ToClient::Welcome { at: self.cursor }).await?;
        loop {
            // Marked as seen before the ring is read, so that what comes in between is seen again.
            let is_behind = *changes.borrow_and_update() > Some(self.cursor);
            select! {
                message = self.websocket.next_message(), if self.storing.is_none() => {
                    let Some(message) = message? else {
                        return Ok(End::Closed);
                    };
                    let text = message.text().unwrap_or_default();
                    let Ok(say) = serde_json::from_str::<Say<'_>>(text) else {
                        return Ok(End::Wrong("not a message of the protocol"));
                    };
                    if say.text.len() > MAX_TEXT {
                        return Ok(End::Wrong("the text is over 4096 bytes"));
                    }
                    self.storing = Some(store(self.history, self.entry, &say));
                }
                stored = stored(&mut self.storing) => {
                    self.storing = None;
                    let (number, seq) = stored?;
                    self.tell(&ToClient::Stored { number, seq }).await?;
                }
                page = read(&mut self.reading) => {
                    self.reading = None;
                    let (replay, page) = page?;
                    // In a box, as it is rare: what a client needs at rest stays small.
                    Box::pin(self.deliver_history(replay, page)).await?;
                }
                // One batch at a time: what the client says meanwhile is read between two of them.
                () = ready(()), if is_behind && self.reading.is_none() => {
                    if !self.deliver().await? {
                        self.reading = Some(begin_to_read(self.history, &self.entry.room, self.cursor));
                    }
                }
                news = changes.changed() => news.context("the room has ended")?,
                () = lost(&mut is_lost) => bail!("NATS is out of reach"),
                () = stop.cancelled() => return Ok(End::Stop),
            }
        }
    }

    /// Sends the next messages of the ring. Returns `false` if the cursor is before it.
    async fn deliver(&mut self) -> Result<bool> {
        let Ok(messages) = self.room.after(self.cursor, BATCH) else {
            return Ok(false);
        };
        let batch = async {
            for (sequence, message) in messages {
                self.websocket.write_prepared(&message).await?;
                self.cursor = sequence;
            }
            Ok(true)
        };
        in_time(batch).await
    }

    /// Sends a page of history, and begins to read the next one unless the ring goes on from here.
    async fn deliver_history(&mut self, replay: Replay, page: Vec<Stored>) -> Result<()> {
        // Before the ring there is at least the message that its base is, unless NATS has dropped it.
        ensure!(!page.is_empty(), "the history ends before the ring begins");
        let batch = async {
            for stored in &page {
                self.websocket.feed(&said(stored)?).await?;
                self.cursor = stored.sequence;
            }
            Ok(self.websocket.flush().await?)
        };
        in_time(batch).await?;
        if self.room.after(self.cursor, 0).is_err() {
            self.reading = Some(read_on(replay));
        }
        Ok(())
    }

    async fn tell(&mut self, message: &ToClient<'_>) -> Result<()> {
        let json = serde_json::to_string(message)?;
        in_time(async { Ok(self.websocket.write(&json).await?) }).await
    }

    /// Tells what was stored and sends what is there, then the Close frame, and waits for the client's.
    async fn close(mut self, code: CloseCode, reason: &str) -> Result<()> {
        let goodbye = async {
            if code == CloseCode::GOING_AWAY {
                if self.storing.is_some() {
                    let (number, seq) = stored(&mut self.storing).await?;
                    self.tell(&ToClient::Stored { number, seq }).await?;
                }
                // What is in history alone the client gets from another node.
                while self.room.last() > Some(self.cursor) && self.deliver().await? {}
            }
            self.websocket.close(code, reason).await?;
            self.websocket.shutdown(Duration::MAX).await?;
            Ok(())
        };
        timeout(GOODBYE, goodbye)
            .await
            .unwrap_or_else(|_| Err(anyhow!("the client does not close")))
    }
}

/// Begins to store a message.
fn store(history: &History, entry: &Entry, say: &Say<'_>) -> Storing {
    let (history, entry) = (history.clone(), entry.clone());
    let (number, text) = (say.number, say.text.to_string());
    Box::pin(async move {
        let published = history.publish(&entry.room, &entry.client, &entry.session, number, &text);
        Ok((number, published.await?.await?.sequence))
    })
}

fn begin_to_read(history: &History, room: &str, cursor: u64) -> Reading {
    let (history, room) = (history.clone(), room.to_owned());
    Box::pin(async move { read_on(history.after(&room, cursor).await?).await })
}

fn read_on(mut replay: Replay) -> Reading {
    Box::pin(async move {
        let page = replay.page().await?;
        Ok((replay, page))
    })
}

/// Waits for something that a client must read, but not for ever.
async fn in_time<T>(writing: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(WRITE, writing)
        .await
        .unwrap_or_else(|_| Err(anyhow!("the client does not read")))
}

/// Waits until NATS was out of reach for some seconds.
async fn lost(is_lost: &mut watch::Receiver<bool>) {
    // It fails once nobody watches any more: the node ends.
    let _ = is_lost.wait_for(|lost| *lost).await;
}

async fn read(reading: &mut Option<Reading>) -> Result<(Replay, Vec<Stored>)> {
    match reading {
        Some(reading) => reading.await,
        None => pending().await,
    }
}

async fn stored(storing: &mut Option<Storing>) -> Result<(u64, u64)> {
    match storing {
        Some(storing) => storing.await,
        None => pending().await,
    }
}

/// How many messages of the ring are taken at once.
const BATCH: usize = 64;
const INTERVAL: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);
const BEGIN: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(20);
const GOODBYE: Duration = Duration::from_secs(5);
