//! How a node follows a room: what is missing in what comes is read from the history, and what changes ends the room.

use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use framewire::tokio::PreparedMessage;
use futures_util::StreamExt as _;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::history::{Heard, History, Live, Replay, Stored};
use crate::ring::{Place, Ring};
use crate::room::{IsOver, Shared, State, said};

/// What keeps the ring of one room: the last messages, framed once for all clients.
pub(crate) struct Follow<H> {
    pub(crate) room: String,
    pub(crate) history: H,
    pub(crate) connections: watch::Receiver<u64>,
    pub(crate) capacity: usize,
    pub(crate) shared: Arc<Shared>,
}

impl<H: History> Follow<H> {
    /// Begins, and follows the room until it is over.
    pub(crate) async fn run(mut self) {
        let mut wait = FIRST_RETRY;
        let mut live = loop {
            match self.begin().await {
                Ok(live) => break live,
                Err(error) => eprintln!("room {}: cannot begin: {error:#}", self.room),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LAST_RETRY);
        };
        loop {
            if let Err(error) = self.follow(&mut live).await {
                eprintln!("room {}: {error:#}", self.room);
                if error.is::<IsOver>() {
                    self.shared.state.send_replace(State::Over);
                    return;
                }
                sleep(FIRST_RETRY).await;
            }
        }
    }

    /// Subscribes, then asks for the last message, and reads the ones before it into the ring. What is stored after it
    /// comes through the subscription, or is missing in what comes.
    async fn begin(&self) -> Result<Live> {
        let live = self.history.live(&self.room).await?;
        *self.ring() = Ring::new(0, self.capacity);
        if let Some(newest) = self.history.last(&self.room).await? {
            let (base, mut replay) = self.recent(newest.sequence).await?;
            *self.ring() = Ring::new(base, self.capacity);
            let page = replay.page().await?;
            self.take_over(page, replay, newest.sequence).await?;
        }
        // After the messages: if NATS loses them in between, the room is over when it looks for them.
        let era = self.history.era().await?;
        let last = self.ring().last();
        let _ = self.shared.era.set(era);
        self.shared.state.send_replace(State::At(last));
        Ok(live)
    }

    /// Begins to read the end of the room: no more than the ring holds, and at least the newest message. Returns the
    /// number after which it begins, too.
    async fn recent(&self, newest: u64) -> Result<(u64, H::Replay)> {
        let (mut base, most) = (0, self.capacity as u64);
        loop {
            let replay = self.history.after(&self.room, base).await?;
            let pending = replay.pending();
            if pending <= most || base + 1 >= newest {
                return Ok((base, replay));
            }
            // Half of what the ring holds if they lie evenly; if they do not, it halves what is left.
            let span = u128::from(newest - base) * u128::from(most) / u128::from(pending) / 2;
            base = newest - (span as u64).max(1);
        }
    }

    /// Follows the room, until something fails.
    async fn follow(&mut self, live: &mut Live) -> Result<()> {
        // Something may have failed before.
        self.catch_up(0).await?;
        let mut look = Instant::now() + SILENCE;
        loop {
            select! {
                heard = live.next() => {
                    let Heard { stored, previous } = heard.context("the subscription has ended")?;
                    let place = self.ring().place(stored.sequence, previous);
                    match place {
                        Place::Next | Place::Known => self.push(&stored)?,
                        Place::AfterGap => self.catch_up(stored.sequence).await?,
                    }
                    // One that is not new does not break the silence.
                    if place != Place::Known {
                        look = Instant::now() + SILENCE;
                    }
                }
                changed = self.connections.changed() => {
                    changed.context("the node ends")?;
                    self.catch_up(0).await?;
                }
                // A message may be lost that no other follows.
                () = sleep_until(look) => {
                    self.catch_up(0).await?;
                    look = Instant::now() + SILENCE;
                }
            }
        }
    }

    /// Reads what is stored after the ring's last message, if that is still there. It must go as far as what was heard.
    async fn catch_up(&self, heard: u64) -> Result<()> {
        let last = self.ring().last();
        let Some(newest) = newest(&self.history, &self.room, last.max(heard)).await? else {
            return Ok(());
        };
        if newest.sequence == last {
            return self.push(&newest);
        }
        // From the last one on, to see that what follows it still does.
        let before = last.saturating_sub(1);
        let mut replay = self.history.after(&self.room, before).await?;
        let page = replay.page().await?;
        let first = page.first().map_or(last, |first| first.sequence);
        ensure!(first == last || last == 0, IsOver);
        self.take_over(page, replay, newest.sequence).await
    }

    /// Takes over a page and those after it, as far as the newest message at least.
    async fn take_over(
        &self,
        mut page: Vec<Stored>,
        mut replay: H::Replay,
        newest: u64,
    ) -> Result<()> {
        while !page.is_empty() {
            for stored in &page {
                self.push(stored)?;
            }
            page = replay.page().await?;
        }
        let last = self.ring().last();
        // The replica that has answered may be behind.
        ensure!(
            last >= newest,
            "the history ends at {last}, before {newest}"
        );
        Ok(())
    }

    /// Adds a message to the ring. One that the ring has must be the same.
    fn push(&self, stored: &Stored) -> Result<()> {
        let json = said(stored)?;
        let mut ring = self.ring();
        let sequence = stored.sequence;
        if sequence > ring.last() {
            ring.push(sequence, PreparedMessage::new(json)?);
            self.shared.state.send_if_modified(|state| {
                let has_begun = *state != State::Beginning;
                if has_begun {
                    *state = State::At(sequence);
                }
                has_begun
            });
        } else if sequence > ring.base() {
            let is_same = |own: &PreparedMessage| own.payload() == json.as_bytes();
            ensure!(ring.get(sequence).is_some_and(is_same), IsOver);
        }
        Ok(())
    }

    fn ring(&self) -> RwLockWriteGuard<'_, Ring<PreparedMessage>> {
        let ring = &self.shared.ring;
        ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a room's last message, which cannot be before this one.
///
/// # Errors
/// [`IsOver`], or NATS is out of reach.
pub(crate) async fn newest(
    history: &impl History,
    room: &str,
    least: u64,
) -> Result<Option<Stored>> {
    let is_there = |newest: &Option<Stored>| {
        let sequence = newest.as_ref().map_or(0, |newest| newest.sequence);
        sequence >= least
    };
    let newest = history.last(room).await?;
    if is_there(&newest) {
        return Ok(newest);
    }
    // A server that leads since a moment ago may not have all it is to have.
    sleep(ELECTION).await;
    let newest = history.last(room).await?;
    ensure!(is_there(&newest), IsOver);
    Ok(newest)
}

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How long the leader of the stream may lack what it has stored.
const ELECTION: Duration = Duration::from_secs(2);
/// How long a room is silent before it is asked whether something was missed.
const SILENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::room::{Room, Rooms};
    use crate::script::{Act, Question, Script};

    /// A node with one room.
    struct Node {
        script: Script,
        rooms: Rooms<Script>,
        connected: watch::Sender<u64>,
        room: Arc<Room>,
    }

    impl Node {
        fn start(script: &Script, capacity: usize) -> Self {
            let (connected, connections) = watch::channel(1);
            let rooms = Rooms::new(script.clone(), connections, capacity);
            Self {
                script: script.clone(),
                connected,
                room: rooms.room("room"),
                rooms,
            }
        }

        /// Waits until the room is so far, before it looks by itself.
        async fn wait_for(&self, state: State) {
            let mut changes = self.room.changes();
            let waited = timeout(SILENCE / 2, changes.wait_for(|it| *it == state)).await;
            let is_there = waited.is_ok_and(|it| it.is_ok());
            assert!(is_there, "{:?}, not {state:?}", self.room.state());
        }

        /// Waits until the room has all that is stored. All of it must be there, once and in order, if so much is kept.
        async fn wait_for_all(&self) {
            let stored = self.script.numbers("room");
            self.wait_for(State::At(stored.last().copied().unwrap_or(0)))
                .await;
            assert_eq!(self.numbers(), stored);
        }

        fn numbers(&self) -> Vec<u64> {
            let all = (0..).find_map(|cursor| self.room.after(cursor, usize::MAX).ok());
            let all = all.unwrap();
            all.into_iter().map(|(sequence, _)| sequence).collect()
        }

        fn reconnect(&self) {
            self.connected.send_modify(|count| *count += 1);
        }
    }

    /// Another room takes the odd numbers.
    fn script(messages: usize) -> Script {
        let script = Script::default();
        for _ in 0..messages {
            script.store("another", "");
            script.store("room", "of before");
        }
        script
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_begin_again_end_the_room() {
        let node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        node.script.lose_after(0);
        node.script.say("room", "another one with the number 1");
        node.wait_for(State::Over).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_that_has_another_message_ends_the_room() {
        let node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        node.script.lose_after(3);
        assert_eq!(node.script.say("room", "another one with the number 4"), 4);
        node.wait_for(State::Over).await;
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_have_begun_again_and_passed_those_of_before_end_the_room_at_the_next_connection()
     {
        let node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        node.script.lose_after(0);
        for _ in 0..9 {
            node.script.store("room", "");
        }
        node.reconnect();
        node.wait_for(State::Over).await;
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_have_begun_again_and_passed_those_of_before_end_the_room_at_the_next_gap()
    {
        let node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        node.script.lose_after(0);
        for _ in 0..9 {
            node.script.store("another", "");
        }
        node.script.say("room", "");
        node.wait_for(State::Over).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_last_message_that_is_gone_ends_the_room_when_it_looks_for_more() {
        for kept in [0, 4] {
            let node = Node::start(&script(3), 8);
            node.wait_for_all().await;
            node.script.lose_after(kept);
            sleep(SILENCE).await;
            node.wait_for(State::Over).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_before_the_ring_do_not_break_the_silence_after_which_the_room_looks() {
        let node = Node::start(&script(9), 2);
        node.wait_for(State::At(18)).await;
        node.script.lose_after(0);
        let began = Instant::now();
        while node.room.state() != State::Over && node.script.numbers("room").len() < 15 {
            node.script.say("room", "");
            sleep(SILENCE / 5).await;
        }
        assert!(began.elapsed() <= SILENCE * 6 / 5 + ELECTION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_is_over_is_followed_by_one_with_what_there_is() {
        let mut node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        assert_eq!(node.room.era(), "0");
        node.script.lose_after(0);
        node.script.say("room", "");
        node.wait_for(State::Over).await;
        let of_before = std::mem::replace(&mut node.room, node.rooms.room("room"));
        node.wait_for_all().await;
        assert_eq!((node.numbers(), node.room.era()), (vec![1], "1"));
        drop(of_before);
        assert!(Arc::ptr_eq(&node.room, &node.rooms.room("room")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_twice_and_one_that_came_late_change_nothing() {
        let node = Node::start(&script(3), 2);
        node.wait_for(State::At(6)).await;
        for (sequence, previous) in [(6, 4), (2, 0), (4, 2)] {
            node.script.pass_on("room", sequence, previous);
        }
        node.script.say("room", "");
        node.wait_for(State::At(7)).await;
        assert_eq!(node.numbers(), [6, 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_filled_from_the_history() {
        let node = Node::start(&script(3), 16);
        node.wait_for_all().await;
        for _ in 0..5 {
            node.script.store("room", "");
        }
        node.script.say("room", "");
        node.wait_for_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_that_a_replica_does_not_have_yet_is_asked_for_again() {
        let node = Node::start(&script(3), 8);
        node.wait_for_all().await;
        node.script.store("room", "");
        node.script.say("room", "");
        node.script.at(2, Act::Behind);
        node.wait_for_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_message_that_did_not_come_is_found_though_the_second_names_none_before_it() {
        let node = Node::start(&script(0), 8);
        node.wait_for(State::At(0)).await;
        node.script.store("room", "the first");
        let second = node.script.store("room", "the second");
        node.script.pass_on("room", second, 0);
        node.wait_for_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_while_the_room_begins_is_there_at_once() {
        for messages in [0, 3, 9] {
            for index in 0..20 {
                let script = script(messages);
                let act = |script: &Script| {
                    script.say("room", "meanwhile");
                };
                script.at(index, Act::Do(Box::new(act)));
                let node = Node::start(&script, 32);
                sleep(Duration::from_millis(1)).await;
                assert_eq!(node.numbers(), script.numbers("room"), "question {index}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_stored_while_the_room_begins_and_does_not_come_is_found() {
        for messages in [0, 3, 9] {
            for index in 0..20 {
                let script = script(messages);
                let act = |script: &Script| {
                    script.store("room", "meanwhile");
                };
                script.at(index, Act::Do(Box::new(act)));
                let node = Node::start(&script, 32);
                sleep(SILENCE * 21).await;
                assert_eq!(script.numbers("room").len(), messages + 1);
                node.wait_for_all().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_fails_is_asked_again() {
        for index in 0..20 {
            for page in [Act::Fail, Act::Behind, Act::Late(SILENCE)] {
                let script = script(3);
                script.at(index, page);
                let node = Node::start(&script, 32);
                sleep(SILENCE * 21).await;
                node.script.store("room", "");
                node.script.say("room", "");
                node.wait_for_all().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_of_a_room_share_one_reading_of_its_history() {
        let node = Node::start(&script(9), 16);
        let clients: Vec<_> = (0..30).map(|_| node.rooms.room("room")).collect();
        node.wait_for_all().await;
        for (cursor, client) in (0..18).zip(clients) {
            assert!(client.after(cursor, 1).is_ok_and(|next| next.len() == 1));
        }
        assert_eq!(node.script.asked(Question::After), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_begins_with_as_many_of_its_last_messages_as_it_keeps() {
        let even: fn(u64) -> bool = |index| index % 9 == 0;
        let early: fn(u64) -> bool = |index| index < 100 || index == 899;
        let late: fn(u64) -> bool = |index| index >= 800;
        for (is_of_room, is_even) in [(even, true), (early, false), (late, false)] {
            for capacity in [1, 2, 7, 50, 99, 100, 101] {
                let script = Script::default();
                for index in 0..900 {
                    script.store(if is_of_room(index) { "room" } else { "another" }, "");
                }
                let node = Node::start(&script, capacity);
                let stored = script.numbers("room");
                node.wait_for(State::At(*stored.last().unwrap())).await;
                let numbers = node.numbers();
                assert!(!numbers.is_empty() && numbers.len() <= capacity);
                assert!(stored.ends_with(&numbers));
                assert!(script.asked(Question::After) <= 10);
                assert!(!is_even || numbers.len() * 3 >= capacity.min(100));
            }
        }
    }
}
