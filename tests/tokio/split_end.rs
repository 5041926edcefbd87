//! The end of a tokio connection whose halves are used by several tasks: who is told, and after what.

use std::cell::{Cell, RefCell};

use framewire::protocol::Role;
use framewire::{Error, ErrorKind, Opcode, Side};
use support::frames::{CLOSE, FIN, frame};
use support::peer;
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::tasks::{Tasks, finish};
use support::view::View;
use support::{each, pattern};
use tokio::io::AsyncWriteExt;

use super::split::{Call, ROLES, read, split};

/// After that, both halves can be dropped.
#[test]
fn the_end_is_told_when_the_frame_of_another_and_the_answer_after_it_were_sent() {
    for role in each(ROLES) {
        for is_dropped in each([false, true]) {
            let stream = ScriptedPeer::default();
            stream.set_taking(Taking::Nothing);
            let (reader, mut writer) = split(role, &stream);
            let payload = &pattern(90);
            let mut tasks = Tasks::new(&stream);
            let mut other = writer.clone();
            let writing = tasks.begin(async move {
                other.write(payload).await.unwrap();
            });
            let reading = tasks.begin(async { drop(read(reader).await.unwrap()) });
            tasks.run();
            // All of the frame leaves that is there, and its task has not been polled.
            stream.take_all_unseen();
            finish(&stream, writer.flush()).unwrap();
            stream.say(frame(peer(role), FIN | CLOSE, &1000_u16.to_be_bytes()));
            tasks.poll(reading);
            assert!(!tasks.is_done(reading), "a frame has begun");
            if is_dropped {
                tasks.cancel(writing);
            }
            tasks.run();
            assert!(tasks.is_done(reading), "a wake-up was lost");
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads(), [&payload[..]]);
            assert_eq!(view.control.last().unwrap().0, FIN | CLOSE);
        }
    }
}

#[test]
fn what_one_task_fails_with_fails_all_and_nothing_follows() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Nothing);
        let (_reader, mut writer) = split(role, &stream);
        let kinds = RefCell::new(Vec::new());
        let mut tasks = Tasks::new(&stream);
        for len in [90, 20, 90] {
            let (mut writer, kinds) = (writer.clone(), &kinds);
            tasks.begin(async move {
                let sent = writer.write(pattern(len)).await;
                kinds.borrow_mut().push(io_kind(&sent.unwrap_err()));
            });
        }
        tasks.run();
        assert!(kinds.borrow().is_empty());
        let fault = Fault::Error(std::io::ErrorKind::BrokenPipe);
        stream.fail(Plan::Nth(Direction::Write, 0, fault));
        stream.take_all_unseen();
        let flushed = finish(&stream, writer.flush());
        assert_eq!(io_kind(&flushed.unwrap_err()), BROKEN);
        tasks.run();
        assert_eq!(*kinds.borrow(), [BROKEN; 3]);
        assert!(stream.written().is_empty(), "something followed");
    }
}

fn io_kind(error: &Error) -> Option<std::io::ErrorKind> {
    match error.kind() {
        ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    }
}

#[test]
fn an_abort_wakes_all_tasks_that_wait() {
    let stream = ScriptedPeer::default();
    stream.set_taking(Taking::Room(20));
    let (reader, mut writer) = split(Role::Server, &stream);
    let ends = RefCell::new(Vec::new());
    let note = |error: &Error| ends.borrow_mut().push(io_kind(error));
    let mut tasks = Tasks::new(&stream);
    tasks.begin(async { note(&read(reader).await.unwrap_err()) });
    for call in [
        Call::new("write", 300),
        Call::new("write", 3),
        Call::new("ping", 3),
        Call::new("close", 0),
        Call::new("stream_message", 3),
    ] {
        let (mut writer, note) = (writer.clone(), &note);
        tasks.begin(async move { note(&call.on(&mut writer).await.unwrap_err()) });
    }
    tasks.run();
    assert!(ends.borrow().is_empty());
    let before = stream.written().len();
    writer.abort();
    tasks.run();
    assert_eq!(*ends.borrow(), [ABORTED; 6]);
    assert_eq!(stream.written().len(), before);
    let later = finish(&stream, writer.write("x"));
    assert_eq!(io_kind(&later.unwrap_err()), ABORTED);
}

#[test]
fn an_abort_wakes_those_that_wait_for_a_message_of_one_that_does_not_come() {
    let stream = ScriptedPeer::default();
    let (_reader, writer) = split(Role::Server, &stream);
    let mut streaming = writer.clone();
    let _message = finish(&stream, streaming.message_writer(Opcode::Binary)).unwrap();
    let ends = RefCell::new(Vec::new());
    let mut tasks = Tasks::new(&stream);
    for call in [
        Call::new("write", 3),
        Call::new("stream_message", 3),
        Call::new("message_writer, in pieces", 3),
    ] {
        let (mut writer, ends) = (writer.clone(), &ends);
        tasks.begin(async move {
            let error = call.on(&mut writer).await.unwrap_err();
            ends.borrow_mut().push(io_kind(&error));
        });
    }
    tasks.run();
    assert!(ends.borrow().is_empty());
    writer.abort();
    tasks.run();
    assert_eq!(*ends.borrow(), [ABORTED; 3]);
}

#[test]
fn a_close_of_one_ends_the_message_of_another() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default().in_pieces_of(5).waiting();
        let (reader, mut writer) = split(role, &stream);
        let mut streaming = writer.clone();
        let mut message = finish(&stream, streaming.message_writer(Opcode::Binary)).unwrap();
        finish(&stream, message.write_all(&pattern(90))).unwrap();
        let ended = Cell::new(None);
        let mut tasks = Tasks::new(&stream);
        tasks.begin(async {
            ended.set(Some(read(reader).await.unwrap().by));
        });
        let mut half = writer.clone();
        let closing =
            tasks.begin(async move { Call::new("close", 0).on(&mut half).await.unwrap() });
        tasks.run();
        assert!(tasks.is_done(closing));
        assert!(finish(&stream, message.write_all(&pattern(90))).is_err());
        drop(message);
        let error = finish(&stream, Call::new("write", 3).on(&mut writer)).unwrap_err();
        assert!(error.closed().is_some());
        stream.say(frame(peer(role), FIN | CLOSE, b"\x03\xE9"));
        tasks.run();
        assert_eq!(ended.get(), Some(Side::Local));
        let view = View::of(role, &stream.written());
        assert!(view.is_closed() && view.messages.is_empty());
    }
}

const BROKEN: Option<std::io::ErrorKind> = Some(std::io::ErrorKind::BrokenPipe);
const ABORTED: Option<std::io::ErrorKind> = Some(std::io::ErrorKind::ConnectionAborted);
