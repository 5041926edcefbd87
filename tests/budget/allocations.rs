//! What a message costs in heap: nothing, once the buffers have their size.

use std::io::{Read, Write};

use allocation_counter::{AllocationInfo, measure};
use framewire::blocking::PreparedMessage;
use framewire::frame::{Rsv, os_key};
use framewire::protocol::{Event, Limits, MessageBuffer, Role, Session};
use framewire::{Config, Opcode, WebSocket};
use support::frames::{BINARY, CONTINUATION, FIN, PING, PONG, frame};
use support::meter::Meter;
use support::pattern;
use support::peer;

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const SIZES: [usize; 4] = [20, 5_000, 60_000, 1 << 20];

/// What a job allocates each time it is done, after it was done often enough to have its buffers.
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

fn connection(role: Role, batch: &[u8]) -> WebSocket<Meter> {
    let mut meter = Meter::new(batch);
    meter.batches = usize::MAX;
    WebSocket::with_leftover(meter, &[], role, Config::default()).unwrap()
}

fn assert_none(info: &AllocationInfo, what: &str, role: Role, len: usize) {
    assert_eq!(
        info.count_total, 0,
        "{what} as {role:?}, {len} bytes: {info:?}"
    );
}

#[test]
fn the_counter_counts() {
    let message = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let mut server = connection(Role::Server, &message);
    let cold = measure(|| {
        server.next_message().unwrap();
    });
    assert!(
        cold.count_total > 0 && cold.bytes_total >= 1 << 20,
        "{cold:?}"
    );
}

#[test]
fn receiving_a_message_allocates_nothing() {
    for role in ROLES {
        for len in SIZES {
            let payload = pattern(len);
            let (first, second) = payload.split_at(len / 3);
            let whole = frame(peer(role), FIN | BINARY, &payload);
            let fragmented = [
                frame(peer(role), BINARY, first),
                frame(peer(role), FIN | CONTINUATION, second),
            ]
            .concat();
            for batch in [whole, fragmented] {
                let mut websocket = connection(role, &batch);
                let info = steadily(|| {
                    assert_eq!(websocket.next_message().unwrap().payload().len(), len);
                });
                assert_none(&info, "next_message", role, len);

                let mut websocket = connection(role, &batch);
                let mut buf = Vec::new();
                let info = steadily(|| {
                    buf.clear();
                    websocket.read_message(&mut buf).unwrap();
                    assert_eq!(buf.len(), len);
                });
                assert_none(&info, "read_message", role, len);

                let mut websocket = connection(role, &batch);
                let mut buf = vec![0; 10_000];
                let info = steadily(|| {
                    let mut reader = websocket.message_reader().unwrap();
                    while reader.read(&mut buf).unwrap() > 0 {}
                });
                assert_none(&info, "message_reader", role, len);

                let mut websocket = connection(role, &batch);
                let mut buf = vec![0; len];
                let info = steadily(|| {
                    websocket.read_header().unwrap();
                    websocket.read_frame(&mut buf).unwrap();
                });
                assert_none(&info, "read_frame", role, len);

                let mut websocket = connection(role, &batch);
                let info = steadily(|| {
                    let (message, writer) = websocket.next_message_and_writer().unwrap();
                    writer
                        .feed_message(message.opcode(), message.payload())
                        .unwrap();
                });
                assert_none(&info, "echo", role, len);
            }
        }
    }
}

#[test]
fn sending_a_message_allocates_nothing() {
    for role in ROLES {
        for len in SIZES {
            let payload = pattern(len);
            let mut websocket = connection(role, &[]);
            let info = steadily(|| websocket.write_message(Opcode::Binary, &payload).unwrap());
            assert_none(&info, "write_message", role, len);

            let info = steadily(|| {
                for _ in 0..10 {
                    websocket.feed_message(Opcode::Binary, &payload).unwrap();
                }
                websocket.flush().unwrap();
            });
            assert_none(&info, "feed_message", role, len);

            let info = steadily(|| {
                websocket
                    .write_frame(true, Rsv::NONE, Opcode::Binary, &payload)
                    .unwrap();
            });
            assert_none(&info, "write_frame", role, len);

            let prepared = PreparedMessage::new(Opcode::Binary, &payload).unwrap();
            let info = steadily(|| websocket.write_prepared(&prepared).unwrap());
            assert_none(&info, "write_prepared", role, len);

            let info = steadily(|| {
                websocket
                    .stream_message(Opcode::Binary, 4096, &payload[..])
                    .unwrap();
            });
            assert_none(&info, "stream_message", role, len);

            let info = steadily(|| {
                let mut writer = websocket.message_writer(Opcode::Binary).unwrap();
                writer.write_all(&payload).unwrap();
                writer.finish().unwrap();
            });
            assert_none(&info, "message_writer", role, len);
        }
    }
}

#[test]
fn a_burst_of_fed_messages_of_any_length_allocates_nothing() {
    for role in ROLES {
        for (len, count) in [
            (20, 100),
            (20, 10_000),
            (1000, 40),
            (1000, 60),
            (3000, 20),
            (4000, 200),
        ] {
            let payload = pattern(len);
            let mut websocket = connection(role, &[]);
            let info = steadily(|| {
                for _ in 0..count {
                    websocket.feed_message(Opcode::Binary, &payload).unwrap();
                }
                websocket.flush().unwrap();
            });
            assert_none(&info, &format!("{count} messages fed"), role, len);
        }
    }
}

#[test]
fn control_frames_allocate_nothing() {
    for role in ROLES {
        for len in [0, 20, 125] {
            let payload = pattern(len);
            let mut websocket = connection(role, &[]);
            let info = steadily(|| {
                websocket.ping(&payload).unwrap();
                websocket.pong(&payload).unwrap();
            });
            assert_none(&info, "ping and pong", role, len);

            let batch = [
                frame(peer(role), FIN | PING, &payload),
                frame(peer(role), FIN | PONG, &payload),
                frame(peer(role), FIN | BINARY, b"x"),
            ]
            .concat();
            let mut websocket = connection(role, &batch);
            let info = steadily(|| {
                websocket.next_message().unwrap();
            });
            assert_none(&info, "a ping answered", role, len);
            assert!(websocket.stream().written > 10 * len, "it was answered");
        }
    }
}

#[test]
fn a_session_allocates_nothing_per_message() {
    for role in ROLES {
        for len in SIZES {
            let batch = [
                frame(peer(role), FIN | BINARY, &pattern(len)),
                frame(peer(role), FIN | PING, b"?"),
            ]
            .concat();
            let mut session = session(role);
            let mut message = MessageBuffer::new();
            let mut output = Vec::new();
            let mut input = vec![0; 16 << 10];
            let info = steadily(|| {
                output.clear();
                for piece in batch.chunks(input.len()) {
                    input[..piece.len()].copy_from_slice(piece);
                    echo(
                        &mut session,
                        &mut input[..piece.len()],
                        &mut message,
                        &mut output,
                    );
                }
                assert!(output.len() > len);
            });
            assert_none(&info, "Session", role, len);
        }
    }
}

#[test]
fn an_idle_session_is_256_bytes_and_owns_no_heap() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    let mut input = frame(Role::Client, FIN | BINARY, &pattern(20));
    let mut output = Vec::with_capacity(100);
    let mut capacity = usize::MAX;
    let info = measure(|| {
        let mut session = session(Role::Server);
        let mut message = MessageBuffer::new();
        echo(&mut session, &mut input, &mut message, &mut output);
        capacity = message.capacity();
    });
    assert_eq!((info.count_total, capacity), (0, 0));
    assert_eq!(output.len(), 22);
}

fn session(role: Role) -> Session {
    match role {
        Role::Server => Session::server(Limits::default()),
        Role::Client => Session::client(Limits::default(), os_key),
    }
}

fn echo(
    session: &mut Session,
    input: &mut [u8],
    message: &mut MessageBuffer,
    output: &mut Vec<u8>,
) {
    let mut used = 0;
    while used < input.len() {
        let (taken, event) = session.receive(&mut input[used..], message).unwrap();
        used += taken;
        if let Some(Event::Message(message)) = event {
            session
                .send(message.opcode(), message.payload(), output)
                .unwrap();
        }
        session.write_reply(output).unwrap();
    }
}
