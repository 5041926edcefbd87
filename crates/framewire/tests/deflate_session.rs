//! permessage-deflate through two sessions: any messages, under every parameter set.
#![cfg(feature = "deflate")]

use framewire::Opcode;
use framewire::deflate::{Deflate, DeflateConfig, Parameters};
use framewire::frame::os_key;
use framewire::protocol::{Event, Limits, MessageBuffer, Session};
use proptest::prelude::*;

fn parameters() -> impl Strategy<Value = Parameters> {
    (any::<bool>(), any::<bool>(), 9_u8..=15, 9_u8..=15).prop_map(
        |(server_no_context_takeover, client_no_context_takeover, server, client)| Parameters {
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits: server,
            client_max_window_bits: client,
        },
    )
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        "[a-c]{0,2000}".prop_map(String::into_bytes),
        ".{0,200}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..3000),
        (any::<u8>(), 0_usize..100_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_round_trip_both_ways(
        parameters in parameters(),
        messages in proptest::collection::vec(message(), 1..8),
        level in 0_u8..=9,
        cut in 1_usize..5000,
    ) {
        let config = DeflateConfig { level, ..DeflateConfig::default() };
        let negotiated = Deflate::new(config).unwrap().negotiated(parameters);
        let mut server = Session::server(Limits::default());
        let mut client = Session::client(Limits::default(), os_key);
        server.set_deflate(&negotiated);
        client.set_deflate(&negotiated);
        for (from, to) in [(0, 1), (1, 0)] {
            let ends = [&mut client, &mut server];
            let mut wire = Vec::new();
            for message in &messages {
                ends[from].send(Opcode::Binary, message, &mut wire).unwrap();
            }
            let mut assembly = MessageBuffer::new();
            let mut received = Vec::new();
            for piece in wire.chunks_mut(cut) {
                let mut used = 0;
                while used < piece.len() {
                    let (taken, event) = ends[to].receive(&mut piece[used..], &mut assembly).unwrap();
                    used += taken;
                    if let Some(Event::Message(message)) = event {
                        received.push(message.payload().to_vec());
                    }
                }
            }
            prop_assert_eq!(&received, &messages);
        }
    }
}
