//! Limits: what is exactly as long passes, one byte more fails, on every front end that they bind.

use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};
use framewire::{CloseCode, Config, Opcode};
use support::compression::Compression;
use support::connection::Kind;
use support::each;
use support::event::{End, Event};
use support::frames::{BINARY, FIN, PING, close_payload, to, wire};
use support::front_end::Script;
use support::peer::ScriptedPeer;

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// Both roles, with what was agreed on about compression: it is the length before that counts.
fn ways() -> impl Iterator<Item = (Role, Compression)> {
    let ways = BOTH.map(|role| Compression::ALL.map(|compression| (role, compression)));
    ways.into_iter().flatten()
}

/// Around the lengths that are written differently, and none at all.
const LIMITS: [u64; 8] = [0, 1, 125, 126, 127, 65535, 65536, 70_000];

fn message(len: usize) -> Event {
    Event::Message(Opcode::Binary, vec![0x5A; len])
}

/// The end of a script on every front end that is up to its length: whether the limit on messages
/// binds, and the end.
fn ends(script: &Script) -> Vec<(bool, End, Vec<Event>)> {
    let bytes = script.bytes();
    let is_long = bytes.len() > 1000;
    if is_long {
        // As long text, a payload of the same byte over and over would take most of the time.
        println!("{} bytes, from {:02X?}", bytes.len(), &bytes[..20]);
    } else {
        println!("{script:?}");
    }
    let mut ends = vec![];
    for front_end in script.front_ends() {
        if is_long && front_end.is_slow() {
            continue;
        }
        let outcome = front_end.run(script);
        ends.push((front_end.holds_messages(), outcome.end, outcome.events));
    }
    ends
}

/// The rule, by hand.
#[test]
fn three_bytes_pass_where_three_are_the_limit_and_four_are_refused() {
    let limits = Limits {
        message: 3,
        ..Limits::UNLIMITED
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    for kind in each(Kind::ALL) {
        let peer = ScriptedPeer::saying([b"\x82\x03abc\x82\x04abcd"]);
        let mut socket = kind.messaging(&peer, Role::Client, config, None).unwrap();
        assert_eq!(socket.next_message().unwrap().payload(), b"abc");
        let error = socket.next_message().unwrap_err();
        assert_eq!(error.to_string(), "message exceeds the limit of 3 bytes");
        assert_eq!(error.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
    }
}

#[test]
fn a_message_in_one_frame() {
    for (way, limit) in ways().flat_map(|way| LIMITS.map(|limit| (way, limit))) {
        let (role, compression) = way;
        // Compressed it has another length on the wire.
        if compression != Compression::None && ![0, 1, 126, 65536].contains(&limit) {
            continue;
        }
        let limits = Limits {
            message: limit,
            ..Limits::UNLIMITED
        };
        let limit_len = usize::try_from(limit).unwrap();
        for over in [0, 1] {
            let payload = vec![0x5A; limit_len + over];
            let frame = to(role, FIN | BINARY, payload);
            let script = Script::said(compression, role, &[frame]);
            for (held, end, events) in ends(&script.limited(limits)) {
                if held && over > 0 {
                    assert_eq!(end, End::Violation(Violation::MessageTooBig { limit }));
                    assert!(events.is_empty());
                } else {
                    assert_eq!((end, events), (End::Open, vec![message(limit_len + over)]));
                }
            }
        }
    }
}

#[test]
fn a_message_in_fragments_with_a_ping_that_does_not_count() {
    for (role, compression) in ways() {
        let limits = Limits {
            message: 10,
            ..Limits::UNLIMITED
        };
        for over in [0, 1] {
            let frames = [
                to(role, BINARY, [0x5A; 4]),
                to(role, FIN | PING, [0; 125]),
                to(role, 0, [0x5A; 0]),
                to(role, FIN, vec![0x5A; 6 + over]),
            ];
            let script = Script::said(compression, role, &frames).limited(limits);
            let ping = Event::Ping(vec![0; 125]);
            for (held, end, events) in ends(&script) {
                if held && over > 0 {
                    assert_eq!(end, End::Violation(Violation::MessageTooBig { limit: 10 }));
                    assert_eq!(events, std::slice::from_ref(&ping));
                } else {
                    assert_eq!(
                        (end, events),
                        (End::Open, vec![ping.clone(), message(10 + over)])
                    );
                }
            }
        }
    }
}

#[test]
fn a_frame() {
    for (role, limit) in BOTH.map(|role| LIMITS.map(|limit| (role, limit))).concat() {
        let limits = Limits {
            frame: limit,
            ..Limits::UNLIMITED
        };
        let limit_len = usize::try_from(limit).unwrap();
        let first = to(role, BINARY, vec![0x5A; limit_len]);
        for over in [0, 1] {
            let last = to(role, FIN, vec![0x5A; limit_len + over]);
            let script = Script::new(role, wire(&[first.clone(), last])).limited(limits);
            for (_, end, events) in ends(&script) {
                if over > 0 {
                    assert_eq!(end, End::Violation(Violation::FrameTooBig { limit }));
                    assert!(events.is_empty());
                } else {
                    assert_eq!((end, events), (End::Open, vec![message(2 * limit_len)]));
                }
            }
        }
    }
}

#[test]
fn control_frames_are_bound_by_no_limit_but_their_own() {
    let limits = Limits {
        message: 0,
        frame: 0,
        ..Limits::UNLIMITED
    };
    for (role, compression) in ways() {
        let close = close_payload(1000, [b'x'; 123]);
        let frames = [to(role, FIN | PING, [7; 125]), to(role, FIN | 8, &close)];
        let script = Script::said(compression, role, &frames).limited(limits);
        let expected = [
            Event::Ping(vec![7; 125]),
            Event::from_control(Opcode::Close, &close),
        ];
        for (_, end, events) in ends(&script) {
            assert_eq!((end, &events[..]), (End::Closed, &expected[..]));
        }
    }
}

#[test]
fn each_message_is_counted_by_itself() {
    for (role, compression) in ways() {
        let limits = Limits {
            message: 3,
            // As it goes over the wire.
            frame: match compression {
                Compression::None => 3,
                _ => Limits::UNLIMITED.frame,
            },
            ..Limits::UNLIMITED
        };
        let frames = vec![to(role, FIN | BINARY, [0x5A; 3]); 50];
        let script = Script::said(compression, role, &frames).limited(limits);
        for (_, end, events) in ends(&script) {
            assert_eq!((end, events), (End::Open, vec![message(3); 50]));
        }
    }
}

#[test]
fn fragments_whose_sum_has_no_number_are_too_much() {
    use support::frames::Length;
    // The second header announces what would make 2^63 + 2 bytes, one byte after the first.
    let limits = Limits {
        message: (1 << 63) - 1,
        ..Limits::UNLIMITED
    };
    for role in BOTH {
        let huge = to(role, FIN, b"").with_length(Length::Declared((1 << 63) - 1));
        let script = Script::new(role, wire(&[to(role, BINARY, b"xyz"), huge])).limited(limits);
        for (held, end, _) in ends(&script) {
            let limit = limits.message;
            let expected = End::Violation(Violation::MessageTooBig { limit });
            assert_eq!(end, if held { expected } else { End::Open });
        }
    }
}
