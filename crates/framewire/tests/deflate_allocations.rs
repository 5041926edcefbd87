//! What a compressed message costs in heap: nothing, once contexts and buffers are there.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used)]

mod deflate_support;
mod support;

use std::io::Read;

use allocation_counter::{AllocationInfo, measure};
use deflate_support::{RSV1, negotiated, sender, sent};
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use support::meter::Meter;
use support::wire::{BINARY, FIN, data, frame};

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

fn server(takeover: bool, batch: &[u8]) -> WebSocket<Meter> {
    let mut meter = Meter::new(batch);
    meter.batches = usize::MAX;
    let config = Config::default();
    let mut server = WebSocket::with_leftover(meter, &[], Role::Server, config).unwrap();
    server.set_deflate(&negotiated(takeover));
    server
}

#[track_caller]
fn assert_none(info: &AllocationInfo, what: &str, takeover: bool) {
    assert_eq!(info.count_total, 0, "{what}, takeover {takeover}: {info:?}");
}

#[test]
fn streaming_allocates_nothing() {
    for len in [300, 1 << 20] {
        let message = json(len);
        for takeover in [false, true] {
            let mut websocket = server(takeover, &[]);
            let info = steadily(|| {
                websocket
                    .stream_message(Opcode::Binary, 4096, &message[..])
                    .unwrap();
            });
            assert_none(&info, "stream_message", takeover);
        }
    }
}

#[test]
fn writing_a_short_message_allocates_nothing() {
    let message = json(300);
    for takeover in [false, true] {
        let mut websocket = server(takeover, &[]);
        let info = steadily(|| websocket.write_message(Opcode::Binary, &message).unwrap());
        assert_none(&info, "write_message", takeover);
    }
}

#[test]
fn receiving_allocates_nothing() {
    for len in [300, 1 << 20] {
        // What stands alone can come again and again, whether the context is kept or not.
        let payload = data(&sent(&mut sender(&negotiated(false)), &json(len)));
        let batch = frame(Role::Client, FIN | RSV1 | BINARY, &payload);
        for takeover in [false, true] {
            let mut websocket = server(takeover, &batch);
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
