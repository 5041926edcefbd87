//! What a message costs a tokio connection in heap, and what is held when there is none.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use framewire::protocol::Role;
use framewire::tokio::{BufferPool, PreparedMessage, WebSocket};
use framewire::{Config, Opcode, TryFeedError};
use support::frames::{BINARY, CONTINUATION, FIN, PING, frame};
use support::meter::Meter;
use support::pattern;
use support::peer;
use support::peer::{ScriptedPeer, Taking};
use support::tasks::{attempt, finish};
use support::view::View;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const SIZES: [usize; 4] = [20, 5_000, 60_000, 1 << 20];
const MIB: i64 = 1 << 20;

/// What a future gives that waits for nothing.
#[track_caller]
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

#[track_caller]
fn waits<T>(future: impl Future<Output = T>) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// What a job allocates each time, after it was done often enough to have its buffers.
fn steadily(mut job: impl FnMut()) -> AllocationInfo {
    for _ in 0..4 {
        job();
    }
    measure(|| {
        for _ in 0..10 {
            job();
        }
    })
}

#[track_caller]
fn assert_none(info: &AllocationInfo, what: &str, role: Role, len: usize) {
    assert_eq!(
        info.count_total, 0,
        "{what} as {role:?}, {len} bytes: {info:?}"
    );
}

/// A connection with the pool of the thread, and one with a pool of its own.
fn connections(role: Role, batch: &[u8]) -> [WebSocket<Meter>; 2] {
    let connect =
        || WebSocket::with_leftover(Meter::new(batch), &[], role, Config::default()).unwrap();
    let mut other = connect();
    other.set_buffer_pool(&BufferPool::keeping(2));
    [connect(), other]
}

#[test]
fn an_echo_that_rests_after_each_message_allocates_nothing() {
    for role in ROLES {
        for len in SIZES {
            let batch = frame(peer(role), FIN | BINARY, &pattern(len));
            for mut websocket in connections(role, &batch) {
                let info = steadily(|| {
                    websocket.stream_mut().batches = 1;
                    let (message, writer) = now(websocket.next_message_and_writer()).unwrap();
                    now(writer.write_message(message.opcode(), message.payload())).unwrap();
                    waits(websocket.next_message());
                });
                assert_none(&info, "echo", role, len);

                let mut buf = Vec::new();
                let info = steadily(|| {
                    websocket.stream_mut().batches = 1;
                    buf.clear();
                    now(websocket.read_message(&mut buf)).unwrap();
                    now(websocket.feed_message(Opcode::Binary, &buf)).unwrap();
                    waits(websocket.next_message());
                });
                assert_none(&info, "read_message and feed", role, len);

                let mut buf = vec![0; 10_000];
                let info = steadily(|| {
                    websocket.stream_mut().batches = 1;
                    let mut reader = now(websocket.message_reader()).unwrap();
                    while now(reader.read(&mut buf)).unwrap() > 0 {}
                    waits(websocket.message_reader());
                });
                assert_none(&info, "message_reader", role, len);
            }
            for websocket in connections(role, &batch) {
                let (mut reader, writer) = websocket.split();
                let info = steadily(|| {
                    reader.with_stream(|meter| meter.batches = 1);
                    let message = now(reader.next_message()).unwrap();
                    now(writer.write_message(message.opcode(), message.payload())).unwrap();
                    waits(reader.next_message());
                });
                assert_none(&info, "echo by halves", role, len);
            }
        }
    }
}

#[test]
fn sending_allocates_nothing() {
    for role in ROLES {
        for len in SIZES {
            let payload = pattern(len);
            let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
            for mut websocket in connections(role, &[]) {
                let info = steadily(|| {
                    for _ in 0..10 {
                        now(websocket.feed_message(Opcode::Binary, &payload)).unwrap();
                    }
                    now(websocket.flush()).unwrap();
                });
                assert_none(&info, "feed_message", role, len);
                let info = steadily(|| now(websocket.write_prepared(&prepared)).unwrap());
                assert_none(&info, "write_prepared", role, len);
                let info = steadily(|| {
                    let streamed = websocket.stream_message(Opcode::Binary, 4096, &payload[..]);
                    now(streamed).unwrap();
                });
                assert_none(&info, "stream_message", role, len);
                let (_reader, writer) = websocket.split();
                let info = steadily(|| {
                    now(async {
                        let mut message = writer.message_writer(Opcode::Binary).await.unwrap();
                        message.write_all(&payload).await.unwrap();
                        message.finish().await.unwrap();
                        writer.ping(b"?").await.unwrap();
                    });
                });
                assert_none(&info, "message_writer of a half", role, len);
            }
        }
    }
}

mod compressed {
    use super::*;

    use support::deflate::{RSV1, negotiated, sender, sent};
    use support::oracle::data;

    #[test]
    fn an_echo_that_is_compressed_allocates_nothing() {
        for len in [300, 60_000, 1 << 20] {
            // What stands alone can come again and again, whether the context is kept or not.
            let text: Vec<u8> = b"{\"id\":17,\"ok\":true},".repeat(len / 20);
            let payload = data(&sent(&mut sender(&negotiated(false)), &text));
            for role in ROLES {
                for takeover in [false, true] {
                    let batch = frame(peer(role), FIN | RSV1 | BINARY, &payload);
                    for mut websocket in connections(role, &batch) {
                        websocket.set_extension(&negotiated(takeover));
                        let info = steadily(|| {
                            websocket.stream_mut().batches = 1;
                            let next = websocket.next_message_and_writer();
                            let (message, writer) = now(next).unwrap();
                            let (opcode, payload) = (message.opcode(), message.payload());
                            assert_eq!(payload.len(), text.len());
                            now(writer.write_message(opcode, payload)).unwrap();
                            waits(websocket.next_message());
                        });
                        assert_none(&info, "compressed echo", role, len);
                    }
                }
            }
        }
    }
}

#[test]
fn a_connection_that_waits_holds_nothing() {
    for role in ROLES {
        for len in SIZES {
            let payload = pattern(len);
            let (first, second) = payload.split_at(len / 3);
            let whole = frame(peer(role), FIN | BINARY, &payload);
            let fragmented = [
                frame(peer(role), BINARY, first),
                frame(peer(role), FIN | PING, b"?"),
                frame(peer(role), FIN | CONTINUATION, second),
            ];
            for batch in [whole, fragmented.concat()] {
                // Of a pool that keeps nothing, so that all memory there is would be the connection's.
                let [mut websocket, _] = connections(role, &batch);
                websocket.set_buffer_pool(&BufferPool::keeping(0));
                let held = measure(|| {
                    websocket.stream_mut().batches = 1;
                    let (message, writer) = now(websocket.next_message_and_writer()).unwrap();
                    now(writer.write_message(message.opcode(), message.payload())).unwrap();
                    waits(websocket.next_message());
                });
                assert_eq!(held.bytes_current, 0, "{role:?}, {len}: {held:?}");
                let held = measure(|| {
                    websocket.stream_mut().batches = 1;
                    now(websocket.message_reader()).unwrap();
                    waits(websocket.message_reader());
                });
                assert_eq!(held.bytes_current, 0, "{role:?}, {len}: {held:?}");
            }
        }
    }
}

#[test]
fn a_ping_that_came_in_two_pieces_leaves_nothing_behind() {
    let ping = frame(Role::Client, FIN | PING, b"0123456789");
    for cut in 1..ping.len() {
        let mut websocket = rested(20, Config::default());
        websocket.set_buffer_pool(&BufferPool::keeping(0));
        let (first, second) = ping.split_at(cut);
        let held = measure(|| {
            for piece in [first, second] {
                *websocket.stream_mut() = Meter::new(piece);
                websocket.stream_mut().batches = 1;
                waits(websocket.next_message());
            }
            assert_eq!(websocket.stream().written, 12, "it was answered");
            *websocket.stream_mut() = Meter::new([0; 26]);
        });
        assert_eq!(held.bytes_current, 0, "{cut}");
    }
}

/// A server at rest that has received a message of this length.
fn rested(len: usize, config: Config) -> WebSocket<Meter> {
    let message = frame(Role::Client, FIN | BINARY, &pattern(len));
    let mut websocket = WebSocket::server(Meter::new(message), config).unwrap();
    websocket.stream_mut().batches = 1;
    now(websocket.next_message()).unwrap();
    waits(websocket.next_message());
    websocket
}

#[test]
fn a_thread_keeps_the_memory_of_two_messages_at_most() {
    let mut config = Config::default();
    config.limits.message = 10 << 20;
    let thread = std::thread::spawn(move || {
        let small = rested(20, config);
        let held = measure(|| drop(rested(5 << 20, config))).bytes_current;
        assert!(held < MIB / 2, "too large to be kept: {held}");
        let mut waiting = Vec::with_capacity(10);
        let held = measure(|| {
            // None of them is at rest before the others have their messages.
            for _ in 0..10 {
                let message = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
                let mut websocket = WebSocket::server(Meter::new(message), config).unwrap();
                websocket.stream_mut().batches = 1;
                now(websocket.next_message()).unwrap();
                waiting.push(websocket);
            }
            for websocket in &mut waiting {
                waits(websocket.next_message());
            }
            waiting.clear();
        });
        let held = held.bytes_current;
        assert!((2 * MIB..4 * MIB + MIB / 2).contains(&held), "{held}");
        drop(small);
    });
    thread.join().unwrap();
}

#[test]
fn a_message_under_way_has_no_more_memory_than_one_of_its_connection_could() {
    let pool = BufferPool::keeping(1);
    let mut message = frame(Role::Client, FIN | BINARY, &pattern(900));
    message.truncate(100);
    for (limit, least, most) in [(1000, 100, 3000), (1 << 20, MIB, 2 * MIB + 3000)] {
        let mut other = rested(20, Config::default());
        other.set_buffer_pool(&pool);
        *other.stream_mut() = Meter::new(frame(Role::Client, FIN | BINARY, &pattern(1 << 20)));
        other.stream_mut().batches = 1;
        now(other.next_message()).unwrap();
        waits(other.next_message());

        let mut config = Config::default();
        config.limits.message = limit;
        let mut websocket = WebSocket::server(Meter::new(&message[..]), config).unwrap();
        websocket.set_buffer_pool(&pool);
        websocket.stream_mut().batches = 1;
        waits(websocket.next_message());
        let held = measure(|| drop(websocket)).bytes_current;
        assert!((least..most).contains(&-held), "{limit}: {held}");
    }
}

#[test]
fn a_large_message_of_a_server_is_not_copied_however_the_stream_stalls() {
    let payload = pattern(1 << 20);
    for split in [false, true] {
        let stream = ScriptedPeer::default().in_pieces_of(100_000);
        let stream = stream.waiting();
        stream.reserve(3 << 20);
        let mut websocket = WebSocket::server(stream.clone(), Config::default()).unwrap();
        let info = if split {
            let (_reader, writer) = websocket.split();
            let write = writer.write_message(Opcode::Binary, &payload);
            measure(|| finish(&stream, write).unwrap())
        } else {
            let write = websocket.write_message(Opcode::Binary, &payload);
            measure(|| finish(&stream, write).unwrap())
        };
        assert!(info.bytes_total < 100_000, "split: {split}: {info:?}");
        assert_eq!(
            View::of(Role::Server, &stream.written()).payloads(),
            [&payload[..]]
        );
    }
}

#[test]
fn what_a_dropped_write_kept_is_given_back() {
    let payload = pattern(1 << 20);
    let stream = ScriptedPeer::default();
    stream.reserve(3 << 20);
    stream.set_taking(Taking::Nothing);
    let mut websocket = WebSocket::server(stream.clone(), Config::default()).unwrap();
    let held = measure(|| {
        let write = websocket.write_message(Opcode::Binary, &payload);
        assert!(attempt(&stream, 0, write).is_none());
    });
    assert!(
        (MIB..MIB + (MIB >> 3)).contains(&held.bytes_current),
        "{held:?}"
    );
    stream.set_taking(Taking::All);
    let held = measure(|| finish(&stream, websocket.flush()).unwrap());
    assert!(held.bytes_current <= -MIB, "{held:?}");
}

#[test]
fn a_peer_that_pings_and_never_reads_costs_no_more_than_the_write_buffer() {
    for role in ROLES {
        for split in [false, true] {
            let stream =
                ScriptedPeer::saying([frame(peer(role), FIN | PING, &[7; 125]).repeat(20_000)]);
            stream.set_taking(Taking::Room(1000));
            stream.reserve(1 << 10);
            let config = Config::default();
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, config).unwrap();
            let most = u64::try_from(2 * config.write_buffer + config.read_buffer).unwrap();
            let info = if split {
                let (mut reader, writer) = websocket.split();
                let info = measure(|| {
                    assert!(attempt(&stream, usize::MAX, reader.next_message()).is_none());
                });
                assert!(writer.buffered() <= config.write_buffer + 200);
                info
            } else {
                let mut websocket = websocket;
                let info = measure(|| {
                    assert!(attempt(&stream, usize::MAX, websocket.next_message()).is_none());
                });
                assert!(websocket.buffered() <= config.write_buffer + 200);
                info
            };
            assert!(!stream.has_more());
            assert!(info.bytes_max < most + 10_000, "{role:?}: {info:?}");
        }
    }
}

#[test]
fn a_peer_that_does_not_read_makes_those_wait_that_write() {
    for role in ROLES {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Nothing);
        let config = Config::default();
        let mut websocket = WebSocket::with_leftover(stream.clone(), &[], role, config).unwrap();
        let payload = pattern(1000);
        let mut fed = 0;
        while websocket.try_feed_message(Opcode::Binary, &payload).is_ok() {
            fed += 1;
        }
        assert!((60..66).contains(&fed), "{fed}");
        let full = websocket.try_feed_message(Opcode::Binary, payload.clone());
        let Err(TryFeedError::Full(given_back)) = full else {
            panic!("{full:?}")
        };
        assert_eq!(given_back, payload);
        assert!(websocket.buffered() <= config.write_buffer);
        let buffered = websocket.buffered();
        for _ in 0..3 {
            waits(websocket.feed_message(Opcode::Binary, &payload));
            waits(websocket.write_message(Opcode::Binary, &payload));
            waits(websocket.ping(b""));
            waits(websocket.flush());
        }
        assert_eq!(websocket.buffered(), buffered);
        stream.set_taking(Taking::All);
        finish(&stream, websocket.write_message(Opcode::Binary, b"last")).unwrap();
        let view = View::of(role, &stream.written());
        assert_eq!(view.messages.len(), fed + 1, "no more than was taken");
    }
}
