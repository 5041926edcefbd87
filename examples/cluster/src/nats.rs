//! How rooms are stored in NATS: a stream of `JetStream`, which passes on what is stored.

use std::future::ready;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_nats::header::{NATS_LAST_SEQUENCE, NATS_MESSAGE_ID, NATS_SEQUENCE};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{
    Config, LastRawMessageErrorKind, Republish, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{HeaderMap, HeaderValue, Message};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::connection;
use crate::history::{Heard, History, Live, Replay, Stored};
use crate::protocol::{self, Entry, LIVE, STORED};

/// The rooms of a cluster, in a stream of `JetStream`.
#[derive(Debug, Clone)]
pub struct Nats {
    client: async_nats::Client,
    context: Context,
    stream: Stream,
}

impl Nats {
    /// Opens the stream, and makes it where it is missing.
    pub async fn open(client: async_nats::Client) -> Result<Self> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        let stream = open_stream(&context).await?;
        Ok(Self {
            client,
            context,
            stream,
        })
    }
}

impl History for Nats {
    type Replay = Pages;

    fn is_connected(&self) -> bool {
        connection::is_connected(&self.client)
    }

    async fn era(&self) -> Result<String> {
        let info = self.stream.get_info().await.context("the stream")?;
        Ok(info.created.unix_timestamp_nanos().to_string())
    }

    async fn live(&self, room: &str) -> Result<Live> {
        // NATS reads it from the connection before what is asked next.
        let messages = self.client.subscribe(protocol::live_subject(room)).await?;
        Ok(messages.filter_map(|it| ready(heard(&it))).boxed())
    }

    async fn last(&self, room: &str) -> Result<Option<Stored>> {
        let subject = protocol::stored_subject(room);
        // Of the leader: a replica may be behind.
        let answer = self.stream.get_last_raw_message_by_subject(&subject).await;
        match answer {
            Ok(message) => {
                let (headers, payload) = (Some(&message.headers), &message.payload);
                Ok(Some(stored(message.sequence, headers, payload)))
            }
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                // NATS has lost its disk.
                LastRawMessageErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    open_stream(&self.context).await?;
                    Ok(None)
                }
                _ => Err(error).context("the last message of a room"),
            },
        }
    }

    async fn after(&self, room: &str, sequence: u64) -> Result<Pages> {
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
        Ok(Pages {
            pending: consumer.cached_info().num_pending,
            consumer,
            read: 0,
        })
    }

    async fn publish(&self, entry: &Entry, number: u64, text: &str) -> Result<u64> {
        ensure!(self.is_connected(), "NATS is out of reach");
        let id = protocol::message_id(&entry.room, &entry.client, &entry.session, number);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, HeaderValue::from(id));
        let subject = protocol::stored_subject(&entry.room);
        let payload = text.to_owned().into();
        let published = self.context.publish_with_headers(subject, headers, payload);
        Ok(published.await?.await?.sequence)
    }
}

async fn open_stream(context: &Context) -> Result<Stream> {
    let config = Config {
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
        ..Config::default()
    };
    let opened = context.get_or_create_stream(config).await;
    opened.context("no stream")
}

/// Pages that NATS forgets some seconds after the last one.
#[derive(Debug)]
pub struct Pages {
    consumer: PullConsumer,
    read: u64,
    /// How many more there are, as NATS said last.
    pending: u64,
}

impl Replay for Pages {
    fn pending(&self) -> u64 {
        self.pending
    }

    async fn page(&mut self) -> Result<Vec<Stored>> {
        in_time(PAGE_WITHIN, self.read_page()).await
    }
}

impl Pages {
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
            page.push(stored(
                info.stream_sequence,
                message.headers.as_ref(),
                &message.payload,
            ));
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

/// Reads a message that came live. `None` if somebody else than the stream has published it.
fn heard(message: &Message) -> Option<Heard> {
    let headers = message.headers.as_ref()?;
    let number = |name| headers.get(name)?.as_str().parse().ok();
    Some(Heard {
        stored: stored(number(NATS_SEQUENCE)?, Some(headers), &message.payload),
        previous: number(NATS_LAST_SEQUENCE)?,
    })
}

fn stored(sequence: u64, headers: Option<&HeaderMap>, payload: &[u8]) -> Stored {
    let id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
    let (from, number) = protocol::sender(id.map(HeaderValue::as_str).unwrap_or_default());
    Stored {
        sequence,
        from: from.to_owned(),
        number,
        text: String::from_utf8_lossy(payload).into_owned(),
    }
}

const STREAM: &str = "CHAT";
/// In bytes, with headers.
const MAX_MESSAGE: i32 = 8192;
/// How long `JetStream` knows the ids of what it has stored.
pub const DUPLICATES: Duration = Duration::from_mins(2);
const ANSWER: Duration = Duration::from_secs(5);
const UNUSED: Duration = Duration::from_secs(30);
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
