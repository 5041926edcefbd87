//! Rooms in NATS: messages are stored there, come from there once stored, and are read again.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_nats::header::{NATS_LAST_SEQUENCE, NATS_MESSAGE_ID, NATS_SEQUENCE};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::stream::{
    Config, DirectGetErrorKind, Republish, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context};
use async_nats::{HeaderMap, HeaderValue, Message, Subscriber};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::connection;
use crate::protocol::{self, LIVE, STORED};

/// The rooms of a cluster, as NATS has them.
#[derive(Debug, Clone)]
pub struct History {
    client: async_nats::Client,
    context: Context,
    stream: Stream,
}

/// A message of a room as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub sequence: u64,
    pub from: String,
    pub number: u64,
    pub text: String,
}

impl History {
    /// Opens the stream, and makes it where it is missing.
    pub async fn open(client: async_nats::Client) -> Result<Self> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        let stream = context
            .get_or_create_stream(Config {
                name: STREAM.to_owned(),
                subjects: vec![format!("{STORED}.*")],
                retention: RetentionPolicy::Limits,
                storage: StorageType::File,
                max_message_size: MAX_MESSAGE,
                // What is published again within this time is stored once.
                duplicate_window: DUPLICATES,
                // Core NATS has each message once it is stored, with its number and that of the one before it.
                republish: Some(Republish {
                    source: format!("{STORED}.*"),
                    destination: format!("{LIVE}.{{{{wildcard(1)}}}}"),
                    headers_only: false,
                }),
                allow_direct: true,
                ..Config::default()
            })
            .await
            .context("no stream")?;
        Ok(Self {
            client,
            context,
            stream,
        })
    }

    /// Publishes a message. The future that is returned is that of its number.
    ///
    /// # Errors
    /// There is no connection to NATS. The message is not kept until there is one.
    pub async fn publish(
        &self,
        room: &str,
        client: &str,
        session: &str,
        number: u64,
        text: &str,
    ) -> Result<PublishAckFuture> {
        ensure!(self.is_connected(), "NATS is out of reach");
        let mut headers = HeaderMap::new();
        let id = protocol::message_id(room, client, session, number);
        headers.insert(NATS_MESSAGE_ID, HeaderValue::from(id));
        let subject = protocol::stored_subject(room);
        let payload = text.to_owned().into();
        Ok(self
            .context
            .publish_with_headers(subject, headers, payload)
            .await?)
    }

    /// Subscribes to what is stored of a room from now on.
    pub async fn live(&self, room: &str) -> Result<Subscriber> {
        Ok(self.client.subscribe(protocol::live_subject(room)).await?)
    }

    /// Returns the number of a room's last message, or 0.
    pub async fn last(&self, room: &str) -> Result<u64> {
        let subject = protocol::stored_subject(room);
        match self.stream.direct_get_last_for_subject(subject).await {
            Ok(message) => Ok(message.sequence),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).context("the last message of a room"),
        }
    }

    /// Begins to read what a room has after a message.
    pub async fn after(&self, room: &str, sequence: u64) -> Result<Replay> {
        let start_sequence = sequence.saturating_add(1);
        let consumer = self
            .stream
            .create_consumer(pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
                ack_policy: AckPolicy::None,
                filter_subject: protocol::stored_subject(room),
                inactive_threshold: UNUSED,
                memory_storage: true,
                num_replicas: 1,
                ..pull::Config::default()
            })
            .await
            .context("no consumer")?;
        Ok(Replay {
            pending: consumer.cached_info().num_pending,
            consumer,
            read: 0,
        })
    }

    /// Returns whether there is a connection to NATS.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        connection::is_connected(&self.client)
    }
}

/// What a room has after a message, page by page. NATS forgets it some seconds after the last page.
#[derive(Debug)]
pub struct Replay {
    consumer: PullConsumer,
    read: u64,
    /// How many more there are, as NATS said last.
    pending: u64,
}

impl Replay {
    /// Returns the next messages: none at the end of what is stored by now.
    ///
    /// # Errors
    /// NATS does not answer in time, or a message was lost on the way. The replay then cannot go on: another one is to
    /// begin after the last message that was returned.
    pub async fn page(&mut self) -> Result<Vec<Stored>> {
        in_time(PAGE_WITHIN, self.read_page()).await
    }

    async fn read_page(&mut self) -> Result<Vec<Stored>> {
        // Never more than there are, so that NATS has nothing to wait for.
        let most = usize::try_from(self.pending).map_or(PAGE, |pending| pending.min(PAGE));
        if most == 0 {
            return Ok(Vec::new());
        }
        let fetch = self.consumer.fetch().max_messages(most).expires(EXPIRES);
        let mut messages = fetch.messages().await.context("history")?;
        let mut page = Vec::new();
        while let Some(message) = messages.next().await {
            let message = message.map_err(anyhow::Error::from_boxed)?;
            let info = message.info().map_err(anyhow::Error::from_boxed)?;
            self.read += 1;
            ensure!(
                info.consumer_sequence == self.read,
                "message {} of the history is missing",
                self.read
            );
            self.pending = info.pending;
            page.push(Stored::new(info.stream_sequence, &message));
        }
        ensure!(
            !page.is_empty(),
            "{} messages of the history are missing",
            self.pending
        );
        Ok(page)
    }
}

/// Waits for NATS, but not for ever: a request that is lost with the connection is not answered after the next one.
async fn in_time<T>(time: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(time, answer)
        .await
        .unwrap_or_else(|_| Err(anyhow!("NATS has not answered within {time:?}")))
}

impl Stored {
    fn new(sequence: u64, message: &Message) -> Self {
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
        let (from, number) = protocol::sender(id.map(HeaderValue::as_str).unwrap_or_default());
        Self {
            sequence,
            from: from.to_owned(),
            number,
            text: String::from_utf8_lossy(&message.payload).into_owned(),
        }
    }

    /// Reads a message that came live. Also returns the number of the room's message before it. `None` if somebody
    /// else than the stream has published it.
    #[must_use]
    pub fn live(message: &Message) -> Option<(Self, u64)> {
        let headers = message.headers.as_ref()?;
        let number = |name| headers.get(name)?.as_str().parse::<u64>().ok();
        let sequence = number(NATS_SEQUENCE)?;
        Some((Self::new(sequence, message), number(NATS_LAST_SEQUENCE)?))
    }
}

const STREAM: &str = "CHAT";
/// In bytes, with headers.
const MAX_MESSAGE: i32 = 8192;
/// How long `JetStream` knows the ids of what it has stored.
pub const DUPLICATES: Duration = Duration::from_mins(2);
const ANSWER: Duration = Duration::from_secs(5);
const UNUSED: Duration = Duration::from_secs(10);
const PAGE: usize = 256;
/// How long NATS keeps a request for a page.
const EXPIRES: Duration = Duration::from_secs(2);
const PAGE_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_an_error() {
        let answer = in_time(PAGE_WITHIN, std::future::pending::<Result<()>>());
        assert!(timeout(PAGE_WITHIN * 2, answer).await.unwrap().is_err());
    }
}
