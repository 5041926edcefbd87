//! A connection that is not split, by each of its ways to read whole messages.

#![expect(
    clippy::await_holding_refcell_ref,
    reason = "a connection has one task at a time"
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use framewire::{Error, ErrorKind};
use support::connection::{Kind, Messaging};
use support::event::{End, Event};
use support::front_end::{self, Events, FrontEnd, Outcome, Script, config, final_end};
use support::peer::{ScriptedPeer, Taking};
use support::tasks::Tasks;

use super::{Arriving, Schedule, Step};

/// `blocking::WebSocket` over a stream that does not block.
#[derive(Debug)]
pub struct Blocking<'a>(pub Schedule<'a>);

impl FrontEnd for Blocking<'_> {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn run(&self, script: &Script) -> Outcome {
        let stream = ScriptedPeer::default().taking(self.0.taking);
        let bytes = script.bytes();
        let mut arriving = Arriving {
            stream: stream.clone(),
            rest: &bytes,
        };
        let socket = Kind::Blocking.messaging(&stream, script.terms.role, config(script), None);
        let mut socket = socket.expect("no size is zero");
        let events = Events::default();
        socket.on_ping(Box::new(events.of_pings()));
        socket.on_pong(Box::new(events.of_pongs()));
        socket.on_close(Box::new(events.of_closes()));

        let mut steps = self.0.steps.iter().copied();
        let mut way = 0;
        let end = loop {
            if let Some(end) = read(&mut *socket, &events, way) {
                break end;
            }
            match steps.next().map(Step::of) {
                Some(Step::Arrive(most)) => arriving.arrive(most),
                Some(Step::Room(room)) => stream.set_taking(Taking::Room(room)),
                Some(Step::Write(other)) => way = other,
                Some(Step::Drop | Step::Run) => drop(socket.flush()),
                Some(Step::Poll) => {}
                None if arriving.rest.is_empty() && !stream.has_more() => break End::Open,
                None => arriving.all(),
            }
        };
        stream.set_taking(Taking::All);
        let _ = socket.flush();
        Outcome {
            events: events.take(),
            end,
            partial: vec![],
            sent: Some(stream.take_written()),
        }
    }
}

/// Reads until the stream has nothing; the end, where it comes to one.
fn read(socket: &mut dyn Messaging, events: &Events, way: u8) -> Option<End> {
    loop {
        let read = if way.is_multiple_of(2) {
            let next = socket.next_message();
            next.map(|one| one.map(|one| (one.opcode(), one.payload().to_vec())))
        } else {
            let mut buffer = vec![];
            let next = socket.append_message(&mut buffer);
            next.map(|one| one.map(|one| one.opcode()))
                .map(|opcode| opcode.map(|opcode| (opcode, buffer)))
        };
        match read {
            Ok(Some((opcode, payload))) => events.push(Event::Message(opcode, payload)),
            Ok(None) => return Some(final_end(&socket.end())),
            Err(error) if error.is_would_block() => return None,
            Err(error) => return Some(final_end(&error)),
        }
    }
}

/// `tokio::WebSocket` in a task.
#[derive(Debug)]
pub struct Tokio<'a>(pub Schedule<'a>);

impl FrontEnd for Tokio<'_> {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn run(&self, script: &Script) -> Outcome {
        let stream = ScriptedPeer::default().taking(self.0.taking);
        let bytes = script.bytes();
        let mut arriving = Arriving {
            stream: stream.clone(),
            rest: &bytes,
        };
        let events = Events::default();
        let socket = front_end::open(stream.clone(), script, &events);
        let socket = Rc::new(RefCell::new(socket));
        let (end, way) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
        let receive = || {
            let (socket, events) = (Rc::clone(&socket), events.clone());
            let (end, way) = (Rc::clone(&end), Rc::clone(&way));
            async move {
                let mut socket = socket.borrow_mut();
                while end.get().is_none() {
                    let read = if way.get() % 2 == 0 {
                        let next = socket.next_message().await;
                        next.map(|one| one.map(|one| (one.opcode(), one.payload().to_vec())))
                    } else {
                        let mut buffer = vec![];
                        let next = socket.append_message(&mut buffer).await;
                        next.map(|one| one.map(|one| one.opcode()))
                            .map(|opcode| opcode.map(|opcode| (opcode, buffer)))
                    };
                    match read {
                        Ok(Some((opcode, payload))) => {
                            events.push(Event::Message(opcode, payload));
                        }
                        Ok(None) => {
                            let closed = socket.closed().expect("it says how it ended");
                            let closed: Error = ErrorKind::Closed(Box::new(closed)).into();
                            end.set(Some(final_end(&closed)));
                        }
                        Err(error) => end.set(Some(final_end(&error))),
                    }
                }
                // The answer to it, where the stream had no room.
                let _ = socket.flush().await;
            }
        };

        let mut tasks = Tasks::new(&stream);
        let mut reading = tasks.begin(receive());
        for &byte in self.0.steps {
            match Step::of(byte) {
                Step::Arrive(most) => arriving.arrive(most),
                Step::Room(room) => stream.set_taking(Taking::Room(room)),
                Step::Write(other) => way.set(other),
                Step::Poll => _ = tasks.poll(reading),
                Step::Drop => {
                    tasks.cancel(reading);
                    reading = tasks.begin(receive());
                }
                Step::Run => tasks.poll_woken(),
            }
        }
        arriving.all();
        tasks.run();
        if end.get().is_some() {
            assert!(
                tasks.is_done(reading),
                "the wake-up for its answer was lost"
            );
        } else {
            assert!(
                !stream.has_more(),
                "the wake-up for what has arrived was lost"
            );
        }
        Outcome {
            events: events.take(),
            end: end.get().unwrap_or(End::Open),
            partial: vec![],
            sent: Some(stream.take_written()),
        }
    }
}
