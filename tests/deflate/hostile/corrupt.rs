//! What is no DEFLATE: the connection ends, and says why.

use std::io::Read;

use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, ErrorKind};
use proptest::prelude::*;
use proptest::sample::select;
use support::compression::Compression;
use support::connection::{Endpoint, Kind, all_endpoints_with};
use support::deflate::{negotiated, sender, sent};
use support::frames::{BINARY, RSV1, TEXT};
use support::operations::{Hands, Operation};
use support::oracle::frames_in;
use support::peer::ScriptedPeer;

use super::{close_code, in_fragments, in_one_frame, server, streaming_server};

/// Whatever is called after it, the connection has failed, and for the same reason.
#[test]
fn a_corrupt_message_ends_the_connection() {
    let first = sent(&mut sender(&negotiated(true)), b"Hello");
    let first = frames_in(&first).remove(0).1;
    let good = in_one_frame(&first);
    for corrupt in [
        in_one_frame(&[0xff; 10]),
        in_fragments(b"\x00\x01\x00\xfe\xffH\xff\xff", 2),
        // Stored bytes whose length does not fit its complement.
        in_one_frame(&[0x00, 0x05, 0x00, 0x00, 0x00]),
    ] {
        let bytes = [&good[..], &corrupt, &good].concat();
        for end in compressing_servers() {
            let reads = || Operation::reading(end.kind).filter(|one| one.decompresses());
            for first in reads() {
                let peer = ScriptedPeer::new(&bytes[..]);
                let mut server = end.messaging(&peer, Config::default()).unwrap();
                assert_eq!(server.next_message().unwrap().unwrap().payload(), b"Hello");
                for read in std::iter::once(first).chain(reads()) {
                    let result = read.call(server.as_mut(), &mut Hands::seeing(64));
                    let error = result.unwrap_err();
                    let violation = ErrorKind::Violation(Violation::InvalidDeflate);
                    assert_eq!(format!("{:?}", error.kind()), format!("{violation:?}"));
                }
                // Nothing is sent behind the one Close frame.
                assert!(server.write("more").is_err());
                assert_eq!(frames_in(&peer.written()).len(), 1);
                assert_eq!(close_code(&peer), 1007);
            }
        }
    }
}

fn compressing_servers() -> impl Iterator<Item = Endpoint> {
    let compressions = [Compression::Takeover, Compression::NoTakeover];
    let ends = compressions.into_iter().flat_map(all_endpoints_with);
    ends.filter(|end| end.role == Role::Server)
}

/// What a message's bytes are changed to: bits flipped, or the rest cut off.
fn damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>)>
{
    (
        proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 0..4),
        any::<Option<prop::sample::Index>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_corrupt_stream_fails_or_is_a_message(
        message in prop_oneof!["[a-e ]{0,3000}", "\\PC{0,500}"],
        (flips, cut) in damage(),
        takeover: bool,
        text: bool,
        size in 1_usize..600,
        kind in select(Kind::FRONT_ENDS.to_vec()),
    ) {
        let agreed = negotiated(takeover);
        let wire = sent(&mut sender(&agreed), message.as_bytes());
        let mut payload = frames_in(&wire).remove(0).1;
        for (index, bit) in flips {
            let index = index.index(payload.len());
            payload[index] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len() + 1));
        }
        let mut bytes = in_fragments(&payload, size);
        bytes[0] = RSV1 | if text { TEXT } else { BINARY };
        let (peer, mut whole) = server(kind, &agreed, &bytes);
        let (_, mut streamed) = streaming_server(kind, &agreed, &bytes, Config::default());
        let result = whole.next_message().map(|message| message.unwrap().payload().to_vec());
        let mut pieces = Vec::new();
        let read = streamed.message_reader().unwrap().unwrap().read_to_end(&mut pieces);
        match result {
            Ok(message) => {
                prop_assert!(!text || std::str::from_utf8(&message).is_ok());
                prop_assert_eq!(read.unwrap(), message.len());
                prop_assert_eq!(pieces, message);
            }
            Err(error) => {
                prop_assert!(read.is_err());
                let ErrorKind::Violation(violation) = error.into_kind() else {
                    return Err(TestCaseError::fail("not the peer's fault"));
                };
                if !matches!(violation, Violation::MessageTooBig { .. }) {
                    prop_assert_eq!(close_code(&peer), 1007);
                }
            }
        }
    }

    #[test]
    fn any_bytes_fail_or_are_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..300), takeover: bool, kind in select(Kind::ALL.to_vec())) {
        let (_, mut server) = server(kind, &negotiated(takeover), &in_one_frame(&bytes));
        let received = server.next_message().map(|message| message.is_some());
        prop_assert!(!matches!(received, Ok(false)));
        if let Err(error) = received {
            let expected = matches!(
                error.kind(),
                ErrorKind::Violation(Violation::InvalidDeflate | Violation::MessageTooBig { .. })
            );
            prop_assert!(expected);
        }
    }
}
