//! One client of a node: what it says is stored, and what its room has goes to it, from where it was.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use framewire::CloseCode;
use framewire::tokio::WebSocket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::follow::newest;
use crate::history::{History, Replay, Stored};
use crate::protocol::{Entry, MAX_TEXT, Say, ToClient};
use crate::room::{IsOver, Room, State, said};

/// Serves a client until it closes, something fails or the node is told to stop.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin, H: History>(
    mut websocket: WebSocket<S>,
    history: &H,
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
    let (code, reason, failed) = match client.talk(is_lost, stop).await {
        Ok(End::Closed) => return Ok(()),
        Ok(End::Stop) => (CloseCode::GOING_AWAY, "this node ends", None),
        Ok(End::Wrong(reason)) => (CloseCode::POLICY_VIOLATION, reason, None),
        Err(error) if error.is::<IsOver>() => {
            (CloseCode::SERVICE_RESTART, "the room begins anew", None)
        }
        Err(error) if error.is::<framewire::Error>() => return Err(error),
        // NATS is not there: another node may do better.
        Err(error) => (
            CloseCode::TRY_AGAIN_LATER,
            "history is out of reach",
            Some(error),
        ),
    };
    let closed = Box::pin(client.close(code, reason)).await;
    failed.map_or(closed, Err)
}

/// Why a conversation ends in order.
enum End {
    Closed,
    Stop,
    Wrong(&'static str),
}

struct Client<'a, S, H: History> {
    websocket: WebSocket<S>,
    history: &'a H,
    room: Arc<Room>,
    entry: &'a Entry,
    /// The last message of the room that the client has.
    cursor: u64,
    /// The message that is being stored. There is one at a time, which keeps the order of a client's messages.
    storing: Option<Storing>,
    /// The page of history that is being read, while the cursor is before the ring.
    reading: Option<Reading<H::Replay>>,
}

type Reading<R> = Pin<Box<dyn Future<Output = Result<(R, Vec<Stored>)>> + Send>>;
type Storing = Pin<Box<dyn Future<Output = Result<(u64, u64)>> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin, H: History> Client<'_, S, H> {
    async fn talk(
        &mut self,
        mut is_lost: watch::Receiver<bool>,
        stop: &CancellationToken,
    ) -> Result<End> {
        let mut changes = self.room.changes();
        let began = timeout(BEGIN, changes.wait_for(|state| *state != State::Beginning));
        let Some(began) = stop.run_until_cancelled(began).await else {
            return Ok(End::Stop);
        };
        let State::At(last) = *began.context("the room does not begin")?? else {
            bail!(IsOver);
        };
        // In a box, as all that is rare: what a client needs at rest stays small.
        Box::pin(check(self.history, &self.room, self.entry, last)).await?;
        self.cursor = self.entry.after.unwrap_or(last);
        let (room, at) = (Arc::clone(&self.room), self.cursor);
        let era = room.era().into();
        self.tell(&ToClient::Welcome { at, era }).await?;
        loop {
            // Marked as seen before the ring is read, so that what comes in between is seen again.
            let is_behind = match *changes.borrow_and_update() {
                State::At(last) => last > self.cursor,
                State::Beginning => false,
                State::Over => bail!(IsOver),
            };
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
                stored = begun(&mut self.storing) => {
                    self.storing = None;
                    let (number, seq) = stored?;
                    self.tell(&ToClient::Stored { number, seq }).await?;
                }
                page = begun(&mut self.reading) => {
                    self.reading = None;
                    let (replay, page) = page?;
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
    async fn deliver_history(&mut self, replay: H::Replay, page: Vec<Stored>) -> Result<()> {
        // The ring has messages after the cursor, and so has the history, unless NATS has lost them.
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
                // What is not known to be stored the client sends again.
                if self.storing.is_some()
                    && let Ok((number, seq)) = begun(&mut self.storing).await
                {
                    self.tell(&ToClient::Stored { number, seq }).await?;
                }
                // What is in history alone the client gets from another node.
                while matches!(self.room.state(), State::At(last) if last > self.cursor)
                    && self.deliver().await?
                {}
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

/// Checks that NATS has the last message that a client has, in a room that is at `last`.
async fn check(history: &impl History, room: &Room, entry: &Entry, last: u64) -> Result<()> {
    let after = entry.after.unwrap_or_default();
    let era = entry.era.as_deref().unwrap_or(room.era());
    ensure!(after == 0 || era == room.era(), IsOver);
    // The client may have been with a node that has more already.
    if after > last {
        newest(history, &entry.room, after).await?;
    }
    Ok(())
}

/// Begins to store a message. Its number in the session comes first, then its number in the stream.
fn store(history: &impl History, entry: &Entry, say: &Say<'_>) -> Storing {
    let (history, entry) = (history.clone(), entry.clone());
    let (number, text) = (say.number, say.text.to_string());
    Box::pin(async move { Ok((number, history.publish(&entry, number, &text).await?)) })
}

fn begin_to_read<H: History>(history: &H, room: &str, cursor: u64) -> Reading<H::Replay> {
    let (history, room) = (history.clone(), room.to_owned());
    Box::pin(async move { read_on(history.after(&room, cursor).await?).await })
}

fn read_on<R: Replay>(mut replay: R) -> Reading<R> {
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

/// Waits for what has been begun, if anything has.
async fn begun<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match future {
        Some(future) => future.await,
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

#[cfg(test)]
mod tests {
    use framewire::Config;
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::protocol::Said;
    use crate::room::Rooms;
    use crate::script::{Act, Question, Script};

    /// A node that keeps two messages of a room.
    struct Node {
        script: Script,
        rooms: Arc<Rooms<Script>>,
        connected: watch::Sender<u64>,
        lost: watch::Sender<bool>,
        stop: CancellationToken,
    }

    struct Guest {
        websocket: WebSocket<DuplexStream>,
        served: JoinHandle<Result<()>>,
    }

    impl Node {
        fn start(script: &Script) -> Self {
            let (connected, connections) = watch::channel(1);
            Self {
                rooms: Arc::new(Rooms::new(script.clone(), connections, 2)),
                script: script.clone(),
                connected,
                lost: watch::Sender::new(false),
                stop: CancellationToken::new(),
            }
        }

        /// Serves a client that asks for this.
        fn serve(&self, query: &str) -> Guest {
            let (near, far) = duplex(4096);
            let query = format!("client=ann&session=1&{query}");
            let entry = Entry::parse("/room", &query).unwrap();
            let (rooms, is_lost) = (Arc::clone(&self.rooms), self.lost.subscribe());
            let (room, stop) = (rooms.room("room"), self.stop.clone());
            let served = tokio::spawn(async move {
                let websocket = WebSocket::server(far, Config::default())?;
                serve(websocket, rooms.history(), room, &entry, is_lost, &stop).await
            });
            Guest {
                websocket: WebSocket::client(near, Config::default()).unwrap(),
                served,
            }
        }
    }

    impl Guest {
        /// Returns the next message, or the code with which the node has closed.
        async fn next(&mut self) -> Result<String, CloseCode> {
            let message = timeout(LONG, self.websocket.next_message()).await.unwrap();
            if let Some(message) = message.unwrap() {
                return Ok(message.text().unwrap().to_owned());
            }
            Err(self.websocket.closed().unwrap().code())
        }

        async fn code(&mut self) -> CloseCode {
            loop {
                if let Err(code) = self.next().await {
                    return code;
                }
            }
        }

        async fn welcome(&mut self, at: u64, era: &str) {
            let welcome = format!(r#"{{"type":"welcome","at":{at},"era":"{era}"}}"#);
            assert_eq!(self.next().await, Ok(welcome));
        }

        async fn said(&mut self) -> (u64, String) {
            let json = self.next().await.unwrap();
            match serde_json::from_str(&json).unwrap() {
                ToClient::Said(Said { seq, text, .. }) => (seq, text.into_owned()),
                other => panic!("{other:?}"),
            }
        }

        /// Checks that these messages come next.
        async fn numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
            for number in numbers {
                assert_eq!(self.said().await.0, number);
            }
        }

        async fn say(&mut self, number: u64, text: &str) {
            let text = text.into();
            let say = serde_json::to_string(&Say { number, text }).unwrap();
            self.websocket.write(&say).await.unwrap();
        }
    }

    fn script(messages: usize) -> Script {
        let script = Script::default();
        for _ in 0..messages {
            script.store("room", "of before");
        }
        script
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_a_room_that_is_over_are_told_so_and_get_what_there_is_when_they_come_again()
    {
        let node = Node::start(&script(9));
        let mut guest = node.serve("after=8");
        guest.welcome(8, "0").await;
        guest.numbers([9]).await;
        node.script.lose_after(0);
        for _ in 0..12 {
            node.script.store("room", "of now");
        }
        node.connected.send_modify(|count| *count += 1);
        assert_eq!(guest.next().await, Err(CloseCode::SERVICE_RESTART));
        let mut guest = node.serve("after=0");
        guest.welcome(0, "1").await;
        for sequence in 1..=12 {
            assert_eq!(guest.said().await, (sequence, "of now".to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_last_message_nats_does_not_know_is_told_that_the_room_begins_anew() {
        let node = Node::start(&script(9));
        for query in [
            "after=10",
            "after=18446744073709551615",
            "after=9&era=of-before",
        ] {
            assert_eq!(
                node.serve(query).next().await,
                Err(CloseCode::SERVICE_RESTART),
                "{query}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_nothing_needs_no_era() {
        let node = Node::start(&script(9));
        node.serve("after=0&era=of-before").welcome(0, "0").await;
        node.serve("after=now&era=of-before").welcome(9, "0").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_ahead_of_the_node_gets_what_follows() {
        let node = Node::start(&script(9));
        node.serve("after=now").welcome(9, "0").await;
        assert_eq!(node.script.store("room", "not heard here yet"), 10);
        let mut guest = node.serve("after=10&era=0");
        guest.welcome(10, "0").await;
        node.script.say("room", "");
        guest.numbers([11]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_fails_sends_a_client_elsewhere_at_any_question() {
        for question in 0..12 {
            let node = Node::start(&script(9));
            node.serve("after=now").welcome(9, "0").await;
            node.script.at(question, Act::Fail);
            let mut guest = node.serve("after=0&era=0");
            guest.welcome(0, "0").await;
            let mut next = 1;
            let code = loop {
                match guest.next().await {
                    Ok(json) => {
                        assert!(json.contains(&format!(r#""seq":{next},"#)), "{json}");
                        next += 1;
                    }
                    Err(code) => break Some(code),
                }
                if next == 10 {
                    break None;
                }
            };
            // One for the consumer, four for the pages before the ring.
            assert_eq!(code, (question < 5).then_some(CloseCode::TRY_AGAIN_LATER));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_can_speak_while_a_page_is_late() {
        let node = Node::start(&script(9));
        node.serve("after=now").welcome(9, "0").await;
        node.script.at(1, Act::Late(LATE));
        let began = Instant::now();
        let mut guest = node.serve("after=0");
        guest.welcome(0, "0").await;
        guest.say(1, "hello").await;
        let stored = r#"{"type":"stored","number":1,"seq":10}"#;
        assert_eq!(guest.next().await, Ok(stored.to_owned()));
        assert!(began.elapsed() < LATE);
        guest.numbers(1..=10).await;
        assert!(began.elapsed() >= LATE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_all_and_holds_up_nobody() {
        let node = Node::start(&script(0));
        let mut slow = node.serve("after=0");
        let mut fast = node.serve("after=0");
        fast.welcome(0, "0").await;
        let text = "x".repeat(500);
        for sequence in 1..=99 {
            node.script.say("room", &text);
            fast.numbers([sequence]).await;
        }
        slow.welcome(0, "0").await;
        slow.numbers(1..=99).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_let_go() {
        let node = Node::start(&script(0));
        let guest = node.serve("after=0");
        for _ in 0..99 {
            node.script.say("room", &"x".repeat(500));
        }
        let served = timeout(WRITE + GOODBYE + LONG, guest.served).await;
        assert!(served.unwrap().unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_does_not_begin_sends_clients_elsewhere() {
        let node = Node::start(&script(1));
        node.script.at(0, Act::Late(LONG));
        let mut guest = node.serve("after=0");
        assert_eq!(guest.next().await, Err(CloseCode::TRY_AGAIN_LATER));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nats_does_not_store_sends_the_client_elsewhere() {
        let node = Node::start(&script(0));
        let mut guest = node.serve("after=0");
        guest.welcome(0, "0").await;
        node.script.go_away();
        guest.say(1, "hello").await;
        assert_eq!(guest.code().await, CloseCode::TRY_AGAIN_LATER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_has_lost_nats_sends_clients_elsewhere() {
        let node = Node::start(&script(0));
        let mut guest = node.serve("after=0");
        guest.welcome(0, "0").await;
        node.lost.send_replace(true);
        assert_eq!(guest.code().await, CloseCode::TRY_AGAIN_LATER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_ends_tells_what_is_stored_first() {
        let node = Node::start(&script(0));
        let mut guest = node.serve("after=0");
        guest.welcome(0, "0").await;
        sleep(LATE).await;
        node.script.at(0, Act::Late(LATE));
        guest.say(1, "hello").await;
        while node.script.asked(Question::Publish) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        node.stop.cancel();
        let stored = r#"{"type":"stored","number":1,"seq":1}"#;
        assert_eq!(guest.next().await, Ok(stored.to_owned()));
        assert_eq!(guest.code().await, CloseCode::GOING_AWAY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_of_the_protocol_is_told_so() {
        let node = Node::start(&script(0));
        for wrong in ["{}", r#"{"number":-1,"text":""}"#, "\n"] {
            let mut guest = node.serve("after=0");
            guest.websocket.write(wrong).await.unwrap();
            assert_eq!(guest.code().await, CloseCode::POLICY_VIOLATION);
        }
        let mut guest = node.serve("after=0");
        guest.say(1, &"x".repeat(MAX_TEXT + 1)).await;
        assert_eq!(guest.code().await, CloseCode::POLICY_VIOLATION);
    }

    /// As a question may be answered, less than anything else may take.
    const LATE: Duration = Duration::from_secs(3);
    /// Longer than anything may take.
    const LONG: Duration = Duration::from_mins(1);
}
