//! The halves of a connection of tokio's, each in a task of its own.

#![expect(
    clippy::await_holding_refcell_ref,
    reason = "a half has one task at a time"
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use framewire::tokio::{ReadHalf, WriteHalf};
use framewire::{Error, ErrorKind, Opcode};
use support::event::{End, Event};
use support::front_end::{self, Events, Script, final_end};
use support::oracle::{self, Terms};
use support::peer::{ScriptedPeer, Taking};
use support::tasks::Tasks;

use super::{Arriving, Schedule, Step};
use crate::ledger::{Certainty, Ledger, Message};

/// Reads all of a script in one task while another sends, and compares both with the oracle.
pub fn check(schedule: Schedule<'_>, script: &Script) {
    let stream = ScriptedPeer::default().taking(schedule.taking);
    let bytes = script.bytes();
    let mut arriving = Arriving {
        stream: stream.clone(),
        rest: &bytes,
    };
    let halves = Halves::open(&stream, script);
    let mut tasks = Tasks::new(&stream);
    let mut reading = tasks.begin(halves.receive());
    let mut messages = Messages::default();
    for &byte in schedule.steps {
        match Step::of(byte) {
            Step::Arrive(most) => arriving.arrive(most),
            Step::Room(room) => stream.set_taking(Taking::Room(room)),
            Step::Poll => {
                tasks.poll(reading);
                if let Some((task, _)) = messages.writing {
                    tasks.poll(task);
                }
            }
            Step::Drop => {
                tasks.cancel(reading);
                reading = tasks.begin(halves.receive());
            }
            Step::Write(how) if messages.writing.is_none() => {
                messages.begin(how, &mut tasks, &halves);
            }
            Step::Run | Step::Write(_) => tasks.poll_woken(),
        }
        messages.note(&tasks, &halves);
    }
    arriving.all();
    tasks.run();
    messages.note(&tasks, &halves);
    assert!(
        messages.writing.is_none(),
        "the wake-up for a message was lost"
    );
    let flushing = tasks.begin(halves.flush());
    tasks.run();
    assert!(tasks.is_done(flushing), "the wake-up for a flush was lost");
    let end = halves.end.get();
    assert!(
        end.is_some() || !stream.has_more(),
        "the wake-up for what has arrived was lost"
    );

    let expected = script.judge(script.terms);
    assert_eq!(halves.events.take(), expected.events);
    assert_eq!(end.unwrap_or(End::Open), expected.end);
    check_sent(script, &expected, &messages.sent, &stream.take_written());
}

/// The two halves, and what their tasks have come to.
struct Halves {
    reader: Rc<RefCell<ReadHalf<ScriptedPeer>>>,
    writer: Rc<RefCell<WriteHalf<ScriptedPeer>>>,
    events: Events,
    /// How reading ended.
    end: Rc<Cell<Option<End>>>,
    /// Whether the last message that is done was sent.
    is_sent: Rc<Cell<bool>>,
}

impl Halves {
    fn open(stream: &ScriptedPeer, script: &Script) -> Self {
        let events = Events::default();
        let (reader, writer) = front_end::open(stream.clone(), script, &events).split();
        Self {
            reader: Rc::new(RefCell::new(reader)),
            writer: Rc::new(RefCell::new(writer)),
            events,
            end: Rc::default(),
            is_sent: Rc::default(),
        }
    }

    /// Reads messages until the end.
    fn receive(&self) -> impl Future<Output = ()> + 'static {
        let (reader, events) = (Rc::clone(&self.reader), self.events.clone());
        let end = Rc::clone(&self.end);
        async move {
            let mut reader = reader.borrow_mut();
            while end.get().is_none() {
                match reader.next_message().await {
                    Ok(Some(message)) => {
                        let event = Event::Message(message.opcode(), message.payload().to_vec());
                        events.push(event);
                    }
                    Ok(None) => {
                        let closed = reader.closed().expect("it says how it ended");
                        let closed: Error = ErrorKind::Closed(Box::new(closed)).into();
                        end.set(Some(final_end(&closed)));
                    }
                    Err(error) => end.set(Some(final_end(&error))),
                }
            }
        }
    }

    /// Sends a message, in one of three ways.
    fn send(&self, message: Message, how: u8) -> impl Future<Output = ()> + 'static {
        let (writer, is_sent) = (Rc::clone(&self.writer), Rc::clone(&self.is_sent));
        async move {
            let mut writer = writer.borrow_mut();
            let sent = match how % 4 {
                0 | 1 => writer.write(&message).await,
                2 => writer.feed(&message).await,
                _ => {
                    let streamed = writer.stream_message(message.0, 8, &message.1[..]);
                    streamed.await.map(drop)
                }
            };
            is_sent.set(sent.is_ok());
        }
    }

    fn flush(&self) -> impl Future<Output = ()> + 'static {
        let writer = Rc::clone(&self.writer);
        async move { drop(writer.borrow_mut().flush().await) }
    }
}

/// What the writing half sends.
#[derive(Default)]
struct Messages {
    /// The task that sends one now.
    writing: Option<(usize, Message)>,
    sent: Ledger,
    count: u16,
}

impl Messages {
    /// Begins to send the next one: no two are alike.
    fn begin(&mut self, how: u8, tasks: &mut Tasks<'_>, halves: &Halves) {
        self.count += 1;
        let mut payload = self.count.to_be_bytes().to_vec();
        payload.resize(2 + usize::from(how) * 7, how);
        let message = (Opcode::Binary, payload);
        let task = tasks.begin(halves.send(message.clone(), how));
        tasks.poll(task);
        self.writing = Some((task, message));
    }

    /// Notes one that is done.
    fn note(&mut self, tasks: &Tasks<'_>, halves: &Halves) {
        let done = self.writing.take_if(|(task, _)| tasks.is_done(*task));
        if let Some((_, message)) = done {
            // Where it failed, the end of the connection came before it or in the middle.
            let certainty = if halves.is_sent.get() {
                Certainty::Sent
            } else {
                Certainty::Maybe
            };
            self.sent.note(message, certainty);
        }
    }
}

/// All messages that were sent arrive, and the last Ping is answered; after a Close frame comes nothing.
fn check_sent(script: &Script, expected: &oracle::Verdict, sent: &Ledger, written: &[u8]) {
    let other_end = support::peer(script.terms.role);
    let heard = oracle::judge(Terms::plain(other_end), written);
    assert_eq!(heard.events.iter().any(is_close), heard.end == End::Closed);
    assert!(!matches!(heard.end, End::Violation(_)), "{:?}", heard.end);
    let messages = heard.events.iter().filter_map(|event| match event {
        Event::Message(opcode, bytes) => Some((*opcode, bytes.clone())),
        _ => None,
    });
    let is_all = sent.check(&messages.collect::<Vec<_>>());
    assert!(is_all || heard.end == End::Closed, "a message was lost");
    let is_answered = expected.answer.is_some();
    assert_eq!(
        heard.end == End::Closed,
        is_answered,
        "one Close frame answers"
    );

    let mut pings = expected.events.iter().filter_map(|event| match event {
        Event::Ping(payload) => Some(payload),
        _ => None,
    });
    let last = pings.clone().next_back();
    let mut answered = None;
    for event in &heard.events {
        if let Event::Pong(payload) = event {
            let ping = pings.find(|ping| *ping == payload);
            assert!(ping.is_some(), "a Pong that answers no Ping: {payload:x?}");
            answered = ping;
        }
    }
    // A Close frame may take the place of the last Pong.
    assert!(
        is_answered || answered == last,
        "the last Ping has no answer"
    );
}

fn is_close(event: &Event) -> bool {
    matches!(event, Event::Close(..))
}
