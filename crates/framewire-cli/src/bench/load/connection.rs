//! One connection of the load.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use framewire::tokio::{ReadHalf, Stream, WriteHalf};
use framewire::{Error, ErrorKind, TryFeedError};
use tokio::sync::{Notify, watch};
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};

use super::crew::Crew;
use super::phase::{Phase, begun, ended};
use crate::bench::content::Dice;
use crate::bench::flight::{Flight, Sent};
use crate::bench::plan::{Pace, Window, nanos};
use crate::bench::record::Ending;
use crate::bench::target::Agreed;
use crate::bench::trouble::Kind;

/// What a connection shares with the task that releases its messages.
#[derive(Debug, Default)]
pub(super) struct Lane {
    is_open: Cell<bool>,
    flight: RefCell<Flight>,
    way: Cell<Way>,
    /// A message is due.
    released: Notify,
    /// No more messages will be released.
    is_complete: Cell<bool>,
    /// The time is over, or the user has had enough.
    is_ending: Cell<bool>,
    /// Each message has its answer, or no more will be released.
    may_be_done: Notify,
}

/// Whether the connection takes messages, and since when.
#[derive(Debug, Clone, Copy)]
enum Way {
    Free(u64),
    Blocked(u64),
}

impl Default for Way {
    fn default() -> Self {
        Self::Free(0)
    }
}

impl Way {
    /// Returns since when messages are taken.
    fn free(self) -> Option<u64> {
        match self {
            Self::Free(since) => Some(since),
            Self::Blocked(_) => None,
        }
    }
}

impl Lane {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// Has a message sent as soon as that is possible.
    pub(super) fn release(&self, due: u64) {
        self.flight.borrow_mut().release(due);
        self.released.notify_one();
    }

    /// Lets the connection end when each message has its answer.
    pub(super) fn release_no_more(&self) {
        self.is_complete.set(true);
        self.may_be_done.notify_one();
    }

    /// Waits until each message has its answer and no more will be released.
    async fn is_done(&self) {
        while !(self.is_complete.get() && self.flight.borrow().is_empty()) {
            self.may_be_done.notified().await;
        }
    }
}

/// Opens a connection, sends messages on it and closes it.
pub(super) async fn serve(crew: &Crew, lane: &Lane, mut phase: watch::Receiver<Phase>, seed: u64) {
    let opened = open(crew, &mut phase).await;
    let (halves, agreed) = opened.unzip();
    lane.is_open.set(halves.is_some());
    crew.tried(agreed);
    let Some((mut reader, writer)) = halves else {
        return crew.leave();
    };
    let ended = match begin(crew, &mut reader, &mut phase).await {
        Ok(Some(window)) => {
            let exchange = Exchange {
                crew,
                lane,
                window,
                dice: Cell::new(Dice::new(seed)),
            };
            exchange.run(&mut reader, writer.clone(), phase).await
        }
        Ok(None) => Ok(()),
        Err(fault) => Err(fault),
    };
    lane.is_open.set(false);
    crew.leave();
    match ended {
        Ok(()) => {
            // What is left of the closing handshake is no part of what is measured.
            let _ = reader.shutdown(GOODBYE).await;
        }
        Err(fault) => {
            crew.trouble(fault.kind, fault.text);
            writer.abort();
        }
    }
}

/// Why a connection ends before its time.
struct Fault {
    kind: Kind,
    text: String,
}

impl Fault {
    fn new(kind: Kind, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self { kind, text }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(Kind::of_connection(&error), error)
    }
}

type Halves = (ReadHalf<Stream>, WriteHalf<Stream>);

/// Connects; returns `None` where that failed, or the run was ended before.
async fn open(crew: &Crew, phase: &mut watch::Receiver<Phase>) -> Option<(Halves, Agreed)> {
    let connect = async {
        // The semaphore is never closed.
        let permit = crew.opening.acquire().await;
        let began = crew.clock.now();
        let opened = crew.target.open().await;
        drop(permit);
        let took = crew.clock.now() - began;
        match opened {
            Ok((websocket, agreed)) => {
                crew.record.borrow_mut().connecting.record(took);
                Some((websocket.split(), agreed))
            }
            Err(error) => {
                let kind = match error.kind() {
                    ErrorKind::Handshake(error) => Kind::of_handshake(error),
                    _ => Kind::Connect,
                };
                crew.trouble(kind, error);
                None
            }
        }
    };
    tokio::select! {
        opened = connect => opened,
        () = ended(phase) => None,
    }
}

/// Waits for the beginning, and reads what the server sends before it was asked anything. Returns `None` where the run
/// was ended before.
async fn begin(
    crew: &Crew,
    reader: &mut ReadHalf<Stream>,
    phase: &mut watch::Receiver<Phase>,
) -> Result<Option<Window>, Fault> {
    loop {
        tokio::select! {
            biased;
            window = begun(phase) => return Ok(window),
            message = reader.next_message() => match message? {
                Some(_) => crew.record.borrow_mut().counts.greetings += 1,
                None => return Err(closed(reader)),
            },
        }
    }
}

fn closed(reader: &ReadHalf<Stream>) -> Fault {
    match reader.closed() {
        Some(closed) => Fault::new(Kind::Closed(closed.code().get()), closed),
        None => Fault::new(Kind::Lost, "connection ended"),
    }
}

/// The messages and answers of one connection.
struct Exchange<'a> {
    crew: &'a Crew,
    lane: &'a Lane,
    window: Window,
    /// Of the next message that is sent.
    dice: Cell<Dice>,
}

impl Exchange<'_> {
    /// Sends messages and reads answers until the time is over and each message has its answer.
    async fn run(
        &self,
        reader: &mut ReadHalf<Stream>,
        writer: WriteHalf<Stream>,
        phase: watch::Receiver<Phase>,
    ) -> Result<(), Fault> {
        if let Pace::Closed(depth) = self.crew.plan.pace {
            (0..depth).for_each(|_| self.lane.release(self.crew.clock.now()));
        }
        let dice = self.dice.get();
        let ended = tokio::select! {
            // The reader comes last: while answers come without a pause it leaves nothing of what tokio allows a task
            // to do at a time, and those after it would never have their turn.
            biased;
            () = self.end(phase) => Ok(()),
            fault = self.wait_for_answers() => Err(fault),
            fault = self.write(writer.clone()) => Err(fault),
            fault = self.read(reader, writer, dice) => Err(fault),
        };
        let is_lost = ended
            .as_ref()
            .is_err_and(|fault| fault.kind != Kind::Timeout);
        let ending = self.ending(is_lost);
        let mut flight = self.lane.flight.borrow_mut();
        let mut record = self.crew.record.borrow_mut();
        record.give_up(&self.window, &mut flight, ending);
        ended
    }

    /// Reads answers, and has the next messages sent where each waits for an answer. The dice are those of the message
    /// that is answered next.
    async fn read(
        &self,
        reader: &mut ReadHalf<Stream>,
        mut writer: WriteHalf<Stream>,
        mut dice: Dice,
    ) -> Fault {
        let is_closed = matches!(self.crew.plan.pace, Pace::Closed(_));
        loop {
            let message = match reader.next_message().await {
                Ok(Some(message)) => message,
                Ok(None) => return closed(reader),
                Err(error) => return error.into(),
            };
            let (now, bytes) = (self.crew.clock.now(), message.payload().len());
            let Some(sent) = self.lane.flight.borrow_mut().answer() else {
                let text = format_args!("a message of {bytes} bytes when nothing was asked");
                self.crew.trouble(Kind::Unasked, text);
                continue;
            };
            self.crew.live.answer();
            let difference = self.crew.content.difference(&mut dice, message.payload());
            if difference.is_some() {
                self.crew.live.trouble();
            }
            let mut record = self.crew.record.borrow_mut();
            record.answer(&self.window, sent, now, bytes, difference);
            drop(record);
            if self.lane.is_ending.get() {
                if self.lane.flight.borrow().is_empty() {
                    self.lane.may_be_done.notify_one();
                }
            } else if is_closed
                && now < self.window.to
                && let Err(error) = self.send_at_once(&mut writer, now)
            {
                return error.into();
            }
        }
    }

    /// Sends a message with the next read that waits, if it is short and nothing is in its way. Otherwise has it sent.
    fn send_at_once(&self, writer: &mut WriteHalf<Stream>, due: u64) -> Result<(), Error> {
        if self.crew.plan.size > SHORT {
            self.lane.release(due);
            return Ok(());
        }
        let mut dice = self.dice.get();
        match writer.try_feed(self.crew.content.message(&mut dice)) {
            Ok(()) => {
                self.dice.set(dice);
                self.sent(due);
            }
            Err(TryFeedError::Full(_)) => self.lane.release(due),
            Err(TryFeedError::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// Notes that a message is being sent.
    fn sent(&self, due: u64) {
        let sent = Sent {
            due,
            at: self.crew.clock.now(),
        };
        self.lane.flight.borrow_mut().send(sent.due, sent.at);
        self.crew.record.borrow_mut().send(&self.window, sent);
    }

    /// Notes by how much this is late with a message that could have been sent at `possible`.
    fn late(&self, possible: u64, now: u64) {
        let mut record = self.crew.record.borrow_mut();
        record.late(&self.window, possible, now);
    }

    /// Sends the messages that are due.
    async fn write(&self, mut writer: WriteHalf<Stream>) -> Fault {
        let mut in_a_row = 0;
        loop {
            let next = self.lane.flight.borrow_mut().next_to_send();
            let written = if let Some(due) = next {
                let free = self.lane.way.get().free().unwrap_or(due);
                self.late(due.max(free), self.crew.clock.now());
                self.sent(due);
                let mut dice = self.dice.get();
                let message = self.crew.content.message(&mut dice);
                self.dice.set(dice);
                self.watched(writer.feed(message)).await
            } else {
                self.watched(writer.flush()).await
            };
            if let Err(error) = written {
                return error.into();
            }
            in_a_row += 1;
            if in_a_row == AT_A_TIME {
                // Answers are read meanwhile.
                in_a_row = 0;
                yield_now().await;
            }
            if next.is_none() && !self.lane.flight.borrow().waits() {
                self.lane.released.notified().await;
            }
        }
    }

    /// Awaits a write, and notes whether the connection takes it. What tokio allows a task to do at a time does not
    /// bound it: where that is used up, a connection would seem to take nothing.
    async fn watched<F: Future>(&self, write: F) -> F::Output {
        let (way, clock) = (&self.lane.way, &self.crew.clock);
        let mut write = pin!(unconstrained(write));
        let written = poll_fn(|cx| {
            let written = write.as_mut().poll(cx);
            if written.is_pending() && way.get().free().is_some() {
                way.set(Way::Blocked(clock.now()));
            }
            written
        });
        let written = written.await;
        if way.get().free().is_none() {
            way.set(Way::Free(clock.now()));
        }
        written
    }

    /// Waits until the time is over, or the user has had enough, and then for the answers that are missing.
    async fn end(&self, mut phase: watch::Receiver<Phase>) {
        let lane = self.lane;
        let is_over = sleep_until(self.crew.clock.instant(self.window.to));
        let is_patient = tokio::select! {
            () = is_over => true,
            () = ended(&mut phase) => false,
        };
        lane.is_ending.set(true);
        if let Pace::Closed(_) = self.crew.plan.pace {
            let _ = lane.flight.borrow_mut().take_waiting();
            lane.release_no_more();
        } else if !is_patient {
            lane.release_no_more();
        }
        let impatience = async {
            if is_patient {
                ended(&mut phase).await;
            }
            sleep(PATIENCE).await;
        };
        tokio::select! {
            () = lane.is_done() => {}
            () = impatience => {}
            never = self.give_up_late() => match never {},
        }
    }

    /// Gives up what is not sent yet when an answer to the last message that was due would be missing for too long. The
    /// answers to what was sent are still waited for: it never ends.
    async fn give_up_late(&self) -> Infallible {
        let limit = nanos(self.crew.plan.answer_timeout);
        sleep_until(
            self.crew
                .clock
                .instant(self.window.to.saturating_add(limit)),
        )
        .await;
        loop {
            self.give_up_waiting();
            // A bench that is overloaded may still release some.
            sleep(BETWEEN).await;
        }
    }

    fn give_up_waiting(&self) {
        let ending = self.ending(false);
        let mut flight = self.lane.flight.borrow_mut();
        let mut record = self.crew.record.borrow_mut();
        record.give_up_waiting(&self.window, &mut flight, ending);
        self.lane.may_be_done.notify_one();
    }

    fn ending(&self, is_lost: bool) -> Ending {
        Ending {
            now: self.crew.clock.now(),
            is_lost,
            free: self.lane.way.get().free(),
        }
    }

    /// Waits until an answer is missing for too long.
    async fn wait_for_answers(&self) -> Fault {
        let time = self.crew.plan.answer_timeout;
        let limit = nanos(time);
        let mut last = None;
        loop {
            let now = self.crew.clock.now();
            let sent = self.lane.flight.borrow().oldest();
            let blocked = match self.lane.way.get() {
                Way::Blocked(since) => Some(since),
                Way::Free(_) => None,
            };
            let oldest = sent.into_iter().chain(blocked).min();
            let over = oldest.unwrap_or(now).saturating_add(limit);
            if over > now {
                sleep_until(self.crew.clock.instant(over)).await;
            } else if oldest != last {
                // The answer may be there already, if this thread had no time to read it.
                last = oldest;
                for _ in 0..TURNS {
                    yield_now().await;
                }
            } else {
                return Fault::new(Kind::Timeout, format_args!("no answer within {time:?}"));
            }
        }
    }
}

/// How long the longest message is that is copied to leave together with others.
const SHORT: usize = 16 << 10;

/// How many messages are sent before answers are read again.
const AT_A_TIME: u32 = 64;

/// How often a task has to have its turn until it has read what has come: it learns of that, and reads it.
const TURNS: u32 = 3;

/// How often what is too late to be sent is looked for.
const BETWEEN: Duration = Duration::from_millis(10);

/// How long the answers that are missing are waited for when the user has had enough.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the closing handshake may take.
const GOODBYE: Duration = Duration::from_secs(1);
