//! What a compressed message costs in heap: nothing, once contexts and buffers are there.

use std::io::{Read, Write};

use allocation_counter::{AllocationInfo, measure};
use framewire::blocking::PreparedMessage;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use support::deflate::{RSV1, negotiated, sender, sent};
use support::frames::{BINARY, FIN, frame};
use support::meter::Meter;
use support::oracle::data;
use support::peer;

/// Both roles, without takeover and with.
const ENDS: [(Role, bool); 4] = [
    (Role::Server, false),
    (Role::Server, true),
    (Role::Client, false),
    (Role::Client, true),
];

/// JSON that is alike and not the same.
fn json(len: usize) -> Vec<u8> {
    let objects = (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"ok\":true}},").into_bytes());
    objects.take(len).collect()
}

fn steadily(mut job: impl FnMut()) -> AllocationInfo {
    for _ in 0..3 {
        job();
    }
    measure(|| {
        for _ in 0..3 {
            job();
        }
    })
}

fn end(role: Role, takeover: bool, batch: &[u8]) -> WebSocket<Meter> {
    let mut meter = Meter::new(batch);
    meter.batches = usize::MAX;
    let mut end = WebSocket::with_leftover(meter, &[], role, Config::default()).unwrap();
    end.set_extension(&negotiated(takeover));
    end
}

#[track_caller]
fn assert_none(info: &AllocationInfo, what: &str, takeover: bool) {
    assert_eq!(info.count_total, 0, "{what}, takeover {takeover}: {info:?}");
}

/// Bytes without order, which no compressor makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn sending_allocates_nothing() {
    let messages = [300, 60_000, 600_000].map(|len| [json(len), noise(len)]);
    for message in messages.iter().flatten() {
        for (role, takeover) in ENDS {
            let mut websocket = end(role, takeover, &[]);
            let info = steadily(|| websocket.write_message(Opcode::Binary, message).unwrap());
            assert_none(&info, "write_message", takeover);

            let mut websocket = end(role, takeover, &[]);
            let info = steadily(|| {
                for _ in 0..5 {
                    websocket.feed_message(Opcode::Binary, message).unwrap();
                }
                websocket.flush().unwrap();
            });
            assert_none(&info, "feed_message", takeover);

            let mut websocket = end(role, takeover, &[]);
            let info = steadily(|| {
                websocket
                    .stream_message(Opcode::Binary, 4096, &message[..])
                    .unwrap();
            });
            assert_none(&info, "stream_message", takeover);

            let mut websocket = end(role, takeover, &[]);
            let info = steadily(|| {
                let mut writer = websocket.message_writer(Opcode::Binary).unwrap();
                for piece in message.chunks(1000) {
                    writer.write_all(piece).unwrap();
                }
                writer.flush().unwrap();
                writer.finish().unwrap();
            });
            assert_none(&info, "message_writer", takeover);

            let prepared = PreparedMessage::new(Opcode::Binary, message).unwrap();
            let mut websocket = end(role, takeover, &[]);
            let info = steadily(|| websocket.write_prepared(&prepared).unwrap());
            assert_none(&info, "write_prepared", takeover);
        }
    }
}

#[test]
fn echoing_allocates_nothing() {
    for len in [300, 1 << 20] {
        let payload = data(&sent(&mut sender(&negotiated(false)), &json(len)));
        for (role, takeover) in ENDS {
            let batch = frame(peer(role), FIN | RSV1 | BINARY, &payload);
            let mut websocket = end(role, takeover, &batch);
            let info = steadily(|| {
                let (message, writer) = websocket.next_message_and_writer().unwrap();
                writer
                    .feed_message(message.opcode(), message.payload())
                    .unwrap();
            });
            assert_none(&info, "echo", takeover);
        }
    }
}

#[test]
fn receiving_allocates_nothing() {
    for len in [300, 1 << 20] {
        // What stands alone can come again and again, whether the context is kept or not.
        let payload = data(&sent(&mut sender(&negotiated(false)), &json(len)));
        let batch = frame(Role::Client, FIN | RSV1 | BINARY, &payload);
        for takeover in [false, true] {
            let mut websocket = end(Role::Server, takeover, &batch);
            let info = steadily(|| {
                assert_eq!(websocket.next_message().unwrap().payload().len(), len);
            });
            assert_none(&info, "next_message", takeover);
            let mut buf = vec![0; 10_000];
            let info = steadily(|| {
                let mut reader = websocket.message_reader().unwrap();
                while reader.read(&mut buf).unwrap() > 0 {}
            });
            assert_none(&info, "message_reader", takeover);
        }
    }
}
