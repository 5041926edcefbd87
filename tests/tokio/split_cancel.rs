//! The halves of a tokio connection in several tasks: what one drops is whole or nothing, and no task
//! waits for what has come about.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{Error, ErrorKind, Opcode};
use support::compression::{Compression, heard};
use support::frames::{BINARY, FIN, PING, PONG, frame};
use support::operations::{Leaves, SMALL};
use support::peer;
use support::peer::{ScriptedPeer, Taking};
use support::tasks::{Tasks, finish, until_wait};
use support::view::View;
use support::{Replay, each, pattern};
use tokio::io::AsyncWriteExt;

use super::split::{Call, ROLES, read, split};

/// The rule, by two messages: one is dropped in the middle, and the task that waits for its end goes on.
#[test]
fn a_message_that_one_task_drops_in_the_middle_is_ended_by_another() {
    let stream = ScriptedPeer::default().taking(Taking::Room(3));
    let (_reader, writer) = split(Role::Server, &stream);
    let mut tasks = Tasks::new(&stream);
    let [first, second] = ["hello", "world"].map(|text| {
        let mut writer = writer.clone();
        tasks.begin(async move { writer.write(text).await.unwrap() })
    });
    tasks.run();
    assert_eq!(stream.written(), b"\x81\x05h");
    tasks.cancel(first);
    stream.set_taking(Taking::All);
    tasks.run();
    assert!(tasks.is_done(second), "a wake-up was lost");
    assert_eq!(stream.written(), b"\x81\x05hello\x81\x05world");
}

#[test]
fn a_call_that_one_task_drops_keeps_no_other_waiting() {
    for role in ROLES {
        for call in &Call::whole_or_nothing().collect::<Vec<_>>() {
            for at_most in [3, 0] {
                for spurious in [false, true] {
                    for n in 1.. {
                        if drop_among_three(role, call, at_most, spurious, n) {
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// One task drops its call at its n-th wait, another writes, and a third reads. Says whether the call
/// was done before.
fn drop_among_three(role: Role, call: &Call, at_most: usize, spurious: bool, n: usize) -> bool {
    let (name, len) = (call.operation.name, call.hands.message.len());
    let how = || format!("{name} of {len} as {role:?} by {at_most}, {spurious}, dropped at {n}");
    let _replay = Replay(how);
    let stream = ScriptedPeer::saying([frame(peer(role), FIN | PING, b"?")]);
    let stream = stream.in_pieces_of(at_most).waiting();
    let (reader, mut writer) = split(role, &stream);
    let (was_done, others) = (Cell::new(false), Cell::new(0));
    let mut tasks = Tasks::new(&stream);
    tasks.spurious = spurious;
    let mut half = writer.clone();
    let was_done = &was_done;
    let dropping = tasks.begin(async move {
        let done = until_wait(n, call.on(&mut half)).await;
        was_done.set(done.map(Result::unwrap).is_some());
    });
    let mut other = writer.clone();
    let others = &others;
    let writing = tasks.begin(async move {
        for len in [50, 5] {
            let payload = vec![b'o'; len];
            other.write((Opcode::Text, &payload)).await.unwrap();
            others.set(others.get() + 1);
        }
    });
    let reading = tasks.begin(async { drop(read(reader).await) });
    tasks.run();
    assert!(tasks.is_done(dropping));
    assert!(tasks.is_done(writing), "a wake-up was lost");
    assert!(!tasks.is_done(reading));
    if call.operation.leaves != Leaves::Later {
        assert!(!writer.has_pending_output(), "nobody sends it");
    }
    finish(&stream, writer.flush()).unwrap();
    let mut view = View::of(role, &stream.written());
    let texts = view
        .messages
        .iter()
        .filter(|(_, bytes)| bytes.first() == Some(&b'o'));
    assert_eq!(texts.count(), 2);
    view.messages
        .retain(|(_, bytes)| bytes.first() != Some(&b'o'));
    let pong = (FIN | PONG, b"?".to_vec());
    assert!(view.control.contains(&pong), "the Ping was not answered");
    view.control.retain(|control| *control != pong);
    let mut with = View::default();
    call.operation.show(&call.hands.message, &mut with);
    let is_nothing = view == View::default() && !was_done.get();
    assert!(view == with || is_nothing, "{view:?}");
    was_done.get()
}

#[test]
fn control_frames_of_others_go_between_the_fragments_of_a_message() {
    for role in each(ROLES) {
        for at_most in each([1, 7, 0]) {
            let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
            let (reader, writer) = split(role, &stream);
            let payload = pattern(200);
            let mut streaming = writer.clone();
            let mut message = finish(&stream, streaming.message_writer(Opcode::Binary)).unwrap();
            finish(&stream, message.write_all(&payload[..90])).unwrap();
            let mut tasks = Tasks::new(&stream);
            let mut other = writer.clone();
            let waiting = tasks.begin(async move {
                other.write("after it").await.unwrap();
            });
            let mut other = writer.clone();
            let pinging = tasks.begin(async move { other.ping(b"mine").await.unwrap() });
            tasks.begin(async { drop(read(reader).await) });
            stream.say(frame(peer(role), FIN | PING, b"yours"));
            tasks.run();
            assert!(tasks.is_done(pinging) && !tasks.is_done(waiting));
            let so_far = View::of(role, &stream.written());
            let controls = [
                (FIN | PING, b"mine".to_vec()),
                (FIN | PONG, b"yours".to_vec()),
            ];
            assert!(
                controls
                    .iter()
                    .all(|control| so_far.control.contains(control))
            );
            assert!(so_far.messages.is_empty() && so_far.open.is_some());
            finish(&stream, message.write_all(&payload[90..])).unwrap();
            finish(&stream, message.finish()).unwrap();
            tasks.run();
            assert!(tasks.is_done(waiting), "a wake-up was lost");
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads(), [&payload[..], b"after it"]);
        }
    }
}

#[test]
fn control_frames_of_others_go_between_the_fragments_of_a_compressed_message() {
    for compression in each([Compression::Takeover, Compression::NoTakeover]) {
        for role in each(ROLES) {
            let stream = ScriptedPeer::default().taking(Taking::Room(50));
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL);
            let mut websocket = websocket.unwrap();
            websocket.set_extension(&compression.negotiated().unwrap());
            let (reader, mut writer) = websocket.split();
            let (mut other, payload) = (writer.clone(), &pattern(1000));
            let mut tasks = Tasks::new(&stream);
            tasks.begin(async move {
                writer.write(payload).await.unwrap();
            });
            tasks.begin(async move { other.ping(b"mine").await.unwrap() });
            tasks.begin(async move { drop(read(reader).await) });
            tasks.run();
            stream.say(frame(peer(role), FIN | PING, b"yours"));
            stream.set_taking(Taking::All);
            tasks.run();
            let mut view = View::of(role, &heard(compression, &stream.written()));
            assert!(view.payloads() == [payload]);
            view.control.sort();
            let controls = [(FIN | PING, &b"mine"[..]), (FIN | PONG, b"yours")];
            let controls = controls.map(|(first, payload)| (first, payload.to_vec()));
            assert_eq!(view.control, controls);
        }
    }
}

#[derive(Debug, PartialEq)]
enum Dropped {
    WhileItWaits,
    WhenItIsItsTurn,
}

#[test]
fn a_message_that_is_dropped_lets_those_go_on_that_wait_for_it() {
    use Dropped::{WhenItIsItsTurn, WhileItWaits};
    // Each of two waits for the right to send, and the first of them is dropped while it waits, when it
    // is its turn, or not at all.
    for drop_first in each([None, Some(WhileItWaits), Some(WhenItIsItsTurn)]) {
        let stream = ScriptedPeer::default();
        let (_reader, writer) = split(Role::Server, &stream);
        let mut streaming = writer.clone();
        let message = finish(&stream, streaming.message_writer(Opcode::Binary)).unwrap();
        let results = RefCell::new(Vec::new());
        let mut tasks = Tasks::new(&stream);
        let [first, second] = [0; 2].map(|_| {
            let (mut writer, results) = (writer.clone(), &results);
            tasks.begin(async move {
                let sent = writer.write("x").await;
                results.borrow_mut().push(sent);
            })
        });
        tasks.run();
        if drop_first == Some(WhileItWaits) {
            tasks.cancel(first);
        }
        assert!(!tasks.is_done(second));
        drop(message);
        if drop_first == Some(WhenItIsItsTurn) {
            tasks.cancel(first);
        }
        tasks.run();
        assert!(
            tasks.is_done(first) && tasks.is_done(second),
            "a wake-up was lost"
        );
        let is_open = |error: &Error| matches!(error.kind(), ErrorKind::Send(_));
        let results = results.borrow();
        assert!(
            results
                .iter()
                .all(|sent| is_open(sent.as_ref().unwrap_err()))
        );
        assert_eq!(results.len(), 2 - usize::from(drop_first.is_some()));
    }
}

#[test]
fn those_that_wait_for_a_message_go_in_the_order_in_which_they_came_and_are_woken_once() {
    const TASKS: u8 = 20;
    let stream = ScriptedPeer::default();
    let (_reader, writer) = split(Role::Server, &stream);
    let mut streaming = writer.clone();
    let message = finish(&stream, streaming.message_writer(Opcode::Binary)).unwrap();
    let polls = Cell::new(0);
    let mut tasks = Tasks::new(&stream);
    for number in 0..TASKS {
        let (mut writer, polls) = (writer.clone(), &polls);
        tasks.begin(async move {
            let mut waiting = std::pin::pin!(writer.message_writer(Opcode::Binary));
            let mut message = std::future::poll_fn(|cx| {
                polls.set(polls.get() + 1);
                waiting.as_mut().poll(cx)
            })
            .await
            .unwrap();
            message.write_all(&[number]).await.unwrap();
            // The others have a turn while it has the message.
            tokio::task::yield_now().await;
            message.finish().await.unwrap();
        });
    }
    tasks.run();
    finish(&stream, message.finish()).unwrap();
    tasks.run();
    let view = View::of(Role::Server, &stream.written());
    let sent: Vec<u8> = view.payloads().concat();
    assert_eq!(sent, (0..TASKS).collect::<Vec<_>>());
    // Once to stand in line, and once to have it.
    assert_eq!(polls.get(), 2 * u32::from(TASKS));
}

/// Others may write what is there of a frame, but none may write into it, and its rest may go without
/// that the stream has anybody woken.
#[test]
fn a_frame_that_ends_lets_those_go_on_that_wait_for_its_end() {
    for role in each(ROLES) {
        for is_dropped in each([false, true]) {
            let stream = ScriptedPeer::default();
            stream.set_taking(Taking::Nothing);
            let (reader, mut writer) = split(role, &stream);
            let mut tasks = Tasks::new(&stream);
            let mut other = writer.clone();
            let pinging = tasks.begin(async move { other.ping(b"mine").await.unwrap() });
            let mut other = writer.clone();
            let writing = tasks.begin(async move {
                other.write(pattern(90)).await.unwrap();
            });
            tasks.begin(async { drop(read(reader).await) });
            tasks.poll(writing);
            tasks.run();
            stream.take_all_unseen();
            finish(&stream, writer.flush()).unwrap();
            tasks.poll(pinging);
            if is_dropped {
                tasks.cancel(writing);
            }
            tasks.run();
            assert!(tasks.is_done(pinging), "a wake-up was lost");
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads(), [pattern(90)]);
            assert_eq!(view.control, [(FIN | PING, b"mine".to_vec())]);
        }
    }
}

#[test]
fn one_that_finds_the_stream_ready_wakes_those_that_wait_for_it() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Nothing);
        let (reader, mut writer) = split(role, &stream);
        let mut tasks = Tasks::new(&stream);
        let mut other = writer.clone();
        let waiting = tasks.begin(async move {
            other.write("first").await.unwrap();
        });
        tasks.begin(async { drop(read(reader).await) });
        tasks.run();
        assert!(!tasks.is_done(waiting));
        // The stream has room again, and owes a wake-up to the one that asked last: that one asks
        // again before it comes.
        stream.take_all_unseen();
        finish(&stream, writer.ping(b"")).unwrap();
        tasks.run();
        assert!(tasks.is_done(waiting), "a wake-up was lost");
    }
}

#[test]
fn the_rest_of_a_frame_that_was_dropped_is_sent_by_the_one_who_reads() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Nothing);
        let (reader, mut writer) = split(role, &stream);
        let payload = &pattern(90);
        let mut tasks = Tasks::new(&stream);
        let mut other = writer.clone();
        let writing = tasks.begin(async move {
            other.write(payload).await.unwrap();
        });
        tasks.begin(async { drop(read(reader).await) });
        tasks.run();
        // Another writes what is there of the frame, and none but its task can write the rest.
        stream.take_all_unseen();
        finish(&stream, writer.flush()).unwrap();
        tasks.cancel(writing);
        tasks.run();
        let view = View::of(role, &stream.written());
        assert_eq!(view.payloads(), [&payload[..]]);
    }
}

/// Each yields to the other once, and then waits for the stream.
#[test]
fn a_flush_of_a_message_and_others_that_wait_do_not_keep_each_other_busy() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        let (reader, writer) = split(role, &stream);
        let (mut first, mut second) = (writer.clone(), writer.clone());
        let mut message = finish(&stream, first.message_writer(Opcode::Binary)).unwrap();
        stream.set_taking(Taking::Nothing);
        let mut tasks = Tasks::new(&stream);
        tasks.begin(async { drop(read(reader).await) });
        let pinging = tasks.begin(async move {
            for _ in 0..3 {
                second.ping(&pattern(90)).await.unwrap();
            }
        });
        let flushing = tasks.begin(async move { message.flush().await.unwrap() });
        tasks.run();
        assert!(!tasks.is_done(pinging) && !tasks.is_done(flushing));
        stream.set_taking(Taking::All);
        tasks.run();
        assert!(tasks.is_done(pinging) && tasks.is_done(flushing));
    }
}

#[test]
fn a_ping_that_came_inside_of_a_frame_is_answered_after_it() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Room(10));
        let (reader, writer) = split(role, &stream);
        let mut tasks = Tasks::new(&stream);
        tasks.begin(async { drop(read(reader).await) });
        let mut other = writer.clone();
        let feeding = tasks.begin(async move {
            other.feed(pattern(300)).await.unwrap();
        });
        tasks.run();
        stream.say(frame(peer(role), FIN | PING, b"?"));
        tasks.run();
        assert!(!tasks.is_done(feeding));
        stream.set_taking(Taking::All);
        tasks.run();
        assert!(tasks.is_done(feeding));
        let view = View::of(role, &stream.written());
        assert_eq!(view.control, [(FIN | PONG, b"?".to_vec())]);
    }
}

#[test]
fn calls_that_are_dropped_while_the_peer_does_not_read_leave_nothing() {
    /// A task of its own each, as one that is spawned for each message.
    struct Nobody(#[expect(dead_code, reason = "it is the memory of a task")] [u8; 100]);
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let stream = ScriptedPeer::default();
    stream.set_taking(Taking::Nothing);
    let (_reader, writer) = split(Role::Server, &stream);
    let wait = || {
        let waker = Waker::from(Arc::new(Nobody([0; 100])));
        let mut cx = Context::from_waker(&waker);
        for call in [Call::new("write", 0), Call::new("ping", 0)] {
            let mut half = writer.clone();
            let mut call = std::pin::pin!(call.on(&mut half));
            assert!(Future::poll(call.as_mut(), &mut cx).is_pending());
        }
    };
    // One that has the right to send, and the stream does not take more.
    let mut writing = writer.clone();
    let mut stuck = std::pin::pin!(writing.write([1; 90]));
    assert!(Future::poll(stuck.as_mut(), &mut Context::from_waker(Waker::noop())).is_pending());
    wait();
    let held = measure(|| (0..1000).for_each(|_| wait()));
    assert!(held.bytes_current < 1000, "{held:?}");
}

#[test]
fn a_message_of_a_peer_comes_while_every_writer_waits() {
    for role in each(ROLES) {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Room(3));
        let (mut reader, writer) = split(role, &stream);
        let mut tasks = Tasks::new(&stream);
        for len in [300, 20] {
            let mut writer = writer.clone();
            tasks.begin(async move {
                writer.write(pattern(len)).await.unwrap();
            });
        }
        let reading = tasks.begin(async {
            assert_eq!(
                reader.next_message().await.unwrap().unwrap().payload(),
                b"hello"
            );
        });
        tasks.run();
        stream.say(frame(peer(role), FIN | BINARY, b"hello"));
        tasks.run();
        assert!(tasks.is_done(reading));
    }
}
