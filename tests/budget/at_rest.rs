//! What a connection of tokio's holds between messages, which is nothing, and what its pool keeps.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::tokio::{BufferPool, WebSocket};
use framewire::{Config, Error, Limits};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, frame};
use support::peer::ScriptedPeer;
use support::wait::wait;
use support::{pattern, peer};

use crate::allocations::steadily;

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const SIZES: [usize; 4] = [20, 5_000, 60_000, 1 << 20];
const MIB: i64 = 1 << 20;

/// One message of binary data as the peer of one of this role sends it.
fn message(role: Role, len: usize) -> Vec<u8> {
    frame(peer(role), FIN | BINARY, &pattern(len))
}

/// An end with this pool, and room for what it writes.
fn connect(peer: &ScriptedPeer, role: Role, pool: &BufferPool) -> WebSocket<ScriptedPeer> {
    peer.reserve(2 << 20);
    let config = Config::default();
    let mut websocket = WebSocket::with_leftover(peer.clone(), &[], role, config).unwrap();
    websocket.set_buffer_pool(pool);
    websocket
}

/// Polls once what has to wait for the peer, and drops it.
#[track_caller]
fn rest<T>(call: impl Future<Output = T>) {
    let polled = pin!(call).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// Has the runtime there that this thread waits with, and keeps.
fn begin() {
    wait(async { Ok::<_, Error>(()) }).unwrap();
}

/// Echoes the message that is there, and waits for the next.
fn echo(websocket: &mut WebSocket<ScriptedPeer>) {
    wait(async {
        let both = websocket.next_message_and_writer().await?;
        let (message, writer) = both.expect("a message is there");
        writer.write(message).await
    })
    .unwrap();
    rest(websocket.next_message());
}

/// The rule by one example: all the memory that there is would be the connection's, as the pool keeps
/// nothing.
#[test]
fn a_server_that_has_echoed_a_message_holds_nothing() {
    let peer = ScriptedPeer::saying([message(Role::Server, 5000)]);
    let mut server = connect(&peer, Role::Server, &BufferPool::keeping(0));
    begin();
    let held = measure(|| echo(&mut server));
    assert!(held.bytes_max > 5000);
    assert_eq!(held.bytes_current, 0);
}

#[test]
fn a_connection_that_waits_holds_nothing() {
    let nothing = BufferPool::keeping(0);
    begin();
    for role in ROLES {
        for len in SIZES {
            let payload = pattern(len);
            let (first, second) = payload.split_at(len / 3);
            let fragments = [
                frame(peer(role), BINARY, first),
                frame(peer(role), FIN | PING, b"?"),
                frame(peer(role), FIN | CONTINUATION, second),
            ];
            for says in [message(role, len), fragments.concat()] {
                let peer = ScriptedPeer::saying([says]);
                let mut websocket = connect(&peer, role, &nothing);
                let held = measure(|| echo(&mut websocket));
                assert_eq!(held.bytes_current, 0, "{role:?}, {len}: {held:?}");
                let held = measure(|| {
                    peer.say_again(1);
                    wait(websocket.message_reader()).unwrap().unwrap();
                    rest(websocket.message_reader());
                });
                assert_eq!(held.bytes_current, 0, "{role:?}, {len}: {held:?}");
            }
        }
    }
}

#[test]
fn a_connection_that_was_shut_down_holds_no_buffer() {
    let nothing = BufferPool::keeping(0);
    begin();
    for role in ROLES {
        let peer = ScriptedPeer::saying([message(role, 5000), frame(peer(role), FIN | CLOSE, b"")]);
        peer.end();
        let mut websocket = connect(&peer, role, &nothing);
        let held = measure(|| {
            let shutdown = wait(websocket.shutdown(Duration::from_secs(60))).unwrap();
            assert!(shutdown.clean, "{shutdown:?}");
        });
        assert!(held.bytes_max > 5000, "{role:?}: {held:?}");
        assert!(held.bytes_current < 1000, "{role:?}: {held:?}");
    }
}

#[test]
fn a_ping_that_came_in_two_pieces_leaves_nothing_behind() {
    let ping = frame(Role::Client, FIN | PING, b"0123456789");
    for cut in 1..ping.len() {
        let peer = ScriptedPeer::saying([message(Role::Server, 20)]);
        let mut websocket = connect(&peer, Role::Server, &BufferPool::keeping(0));
        echo(&mut websocket);
        peer.forget_written();
        let (first, second) = ping.split_at(cut);
        let held = [first, second].map(|piece| {
            peer.say(piece);
            measure(|| rest(websocket.next_message())).bytes_current
        });
        assert_eq!(peer.written().len(), 12, "it was answered");
        assert_eq!(held[0] + held[1], 0, "{cut}");
    }
}

#[test]
fn a_connection_with_a_pool_of_its_own_allocates_nothing() {
    let pool = BufferPool::keeping(2);
    for role in ROLES {
        for len in SIZES {
            let peer = ScriptedPeer::saying([message(role, len)]);
            let mut websocket = connect(&peer, role, &pool);
            let info = steadily(3, || {
                peer.forget_written();
                echo(&mut websocket);
                peer.say_again(1);
            });
            assert_eq!(info.count_total, 0, "{role:?}, {len}: {info:?}");

            let (mut reader, mut writer) = websocket.split();
            let info = steadily(3, || {
                peer.forget_written();
                wait(async {
                    let message = reader.next_message().await?;
                    writer.feed(message.expect("it is there")).await
                })
                .unwrap();
                rest(reader.next_message());
                peer.say_again(1);
            });
            assert_eq!(info.count_total, 0, "halves, {role:?}, {len}: {info:?}");
        }
    }
}

/// A server at rest that has received a message of this length.
fn rested(len: usize, config: Config) -> WebSocket<ScriptedPeer> {
    let peer = ScriptedPeer::saying([message(Role::Server, len)]);
    let mut websocket = WebSocket::server(peer, config).unwrap();
    wait(websocket.next_message()).unwrap().unwrap();
    rest(websocket.next_message());
    websocket
}

#[test]
fn a_program_that_will_not_read_for_a_while_can_give_back_the_memory_of_a_message() {
    let peer = ScriptedPeer::saying([message(Role::Server, 1 << 20)]);
    let mut websocket = WebSocket::server(peer, Config::default()).unwrap();
    websocket.set_buffer_pool(&BufferPool::keeping(0));
    wait(websocket.next_message()).unwrap().unwrap();
    let given = measure(|| websocket.rest()).bytes_current;
    assert!(given <= -MIB, "{given}");
}

#[test]
fn a_thread_keeps_the_memory_of_sixteen_messages_at_most() {
    let config = Config::default().limits(Limits::default().message(10 << 20));
    let thread = std::thread::spawn(move || {
        let small = rested(20, config);
        let held = measure(|| drop(rested(5 << 20, config))).bytes_current;
        assert!(held < MIB / 2, "too large to be kept: {held}");
        let mut waiting = Vec::with_capacity(20);
        let held = measure(|| {
            // None of them is at rest before the others have their messages.
            for _ in 0..20 {
                let peer = ScriptedPeer::saying([message(Role::Server, 1 << 20)]);
                let mut websocket = WebSocket::server(peer, config).unwrap();
                wait(websocket.next_message()).unwrap().unwrap();
                waiting.push(websocket);
            }
            for websocket in &mut waiting {
                rest(websocket.next_message());
            }
            waiting.clear();
        });
        let held = held.bytes_current;
        assert!((16 * MIB..32 * MIB + MIB / 2).contains(&held), "{held}");
        drop(small);
    });
    thread.join().unwrap();
}

#[test]
fn a_message_under_way_has_no_more_memory_than_one_of_its_connection_could() {
    let pool = BufferPool::keeping(1);
    let mut begun = message(Role::Server, 900);
    begun.truncate(100);
    for (limit, least, most) in [(1000, 100, 3000), (1 << 20, MIB, 2 * MIB + 3000)] {
        let other = ScriptedPeer::saying([message(Role::Server, 1 << 20)]);
        echo(&mut connect(&other, Role::Server, &pool));

        let config = Config::default().limits(Limits::default().message(limit));
        let peer = ScriptedPeer::saying([&begun[..]]);
        let mut websocket = WebSocket::server(peer.clone(), config).unwrap();
        websocket.set_buffer_pool(&pool);
        rest(websocket.next_message());
        let held = measure(|| drop(websocket)).bytes_current;
        assert!((least..most).contains(&-held), "{limit}: {held}");
    }
}
