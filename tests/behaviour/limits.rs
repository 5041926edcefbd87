//! Limits: what is exactly as long passes, one byte more fails, on every front end that they bind.

use std::fmt;

use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};
use framewire::{CloseCode, Config, Opcode};
use support::compression::Compression;
use support::connection::Kind;
use support::event::{End, Event};
use support::frames::{BINARY, FIN, Frame, Length, PING, close_payload, to};
use support::front_end::Script;
use support::peer::ScriptedPeer;
use support::{Replay, each};

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

/// What a peer says to one of this role that holds to these limits.
struct Case {
    role: Role,
    compression: Compression,
    limits: Limits,
    frames: Vec<Frame>,
}

impl Case {
    /// Has every front end that is up to its length checked: whether the limit on messages binds, how it ended, and
    /// what it gave.
    fn check(&self, check: impl Fn(bool, End, Vec<Event>)) {
        let script = Script::said(self.compression, self.role, &self.frames).limited(self.limits);
        let is_long = script.bytes().len() > 1000;
        for front_end in script.front_ends() {
            if is_long && front_end.is_slow() {
                continue;
            }
            let _replay = Replay(|| format!("{}, {self}", front_end.name()));
            let outcome = front_end.run(&script);
            check(front_end.holds_messages(), outcome.end, outcome.events);
        }
    }
}

/// In short: whole, a payload of the same byte over and over would hide what matters.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, compression, limits) = (self.role, self.compression, self.limits);
        write!(f, "{role:?}, {compression:?}, {limits:?}, frames:")?;
        for frame in &self.frames {
            let (first, len) = (frame.first, frame.payload.len());
            let mut different = frame.payload.clone();
            different.dedup();
            match different[..] {
                [byte] => write!(f, " {first:#04X} {len} bytes of {byte:#04X},")?,
                _ => write!(f, " {first:#04X} \"{}\",", frame.payload.escape_ascii())?,
            }
            if frame.length != Length::Shortest {
                write!(f, " {:?},", frame.length)?;
            }
        }
        Ok(())
    }
}

/// The rule, by hand.
#[test]
fn three_bytes_pass_where_three_are_the_limit_and_four_are_refused() {
    let config = Config::default().limits(Limits::UNLIMITED.message(3));
    for kind in each(Kind::ALL) {
        let peer = ScriptedPeer::saying([b"\x82\x03abc\x82\x04abcd"]);
        let mut socket = kind.messaging(&peer, Role::Client, config, None).unwrap();
        assert_eq!(socket.next_message().unwrap().unwrap().payload(), b"abc");
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
        let limits = Limits::UNLIMITED.message(limit);
        let limit_len = usize::try_from(limit).unwrap();
        for over in [0, 1] {
            let payload = vec![0x5A; limit_len + over];
            let case = Case {
                role,
                compression,
                limits,
                frames: vec![to(role, FIN | BINARY, payload)],
            };
            case.check(|held, end, events| {
                if held && over > 0 {
                    assert_eq!(end, End::Violation(Violation::MessageTooBig { limit }));
                    assert!(events.is_empty());
                } else {
                    assert_eq!(end, End::Open);
                    assert!(events == [message(limit_len + over)]);
                }
            });
        }
    }
}

#[test]
fn a_message_in_fragments_with_a_ping_that_does_not_count() {
    for (role, compression) in ways() {
        let limits = Limits::UNLIMITED.message(10);
        for over in [0, 1] {
            let frames = vec![
                to(role, BINARY, [0x5A; 4]),
                to(role, FIN | PING, [0; 125]),
                to(role, 0, [0x5A; 0]),
                to(role, FIN, vec![0x5A; 6 + over]),
            ];
            let case = Case {
                role,
                compression,
                limits,
                frames,
            };
            let ping = Event::Ping(vec![0; 125]);
            case.check(|held, end, events| {
                if held && over > 0 {
                    assert_eq!(end, End::Violation(Violation::MessageTooBig { limit: 10 }));
                    assert_eq!(events, std::slice::from_ref(&ping));
                } else {
                    assert_eq!(
                        (end, events),
                        (End::Open, vec![ping.clone(), message(10 + over)])
                    );
                }
            });
        }
    }
}

#[test]
fn a_frame() {
    for (role, limit) in BOTH.map(|role| LIMITS.map(|limit| (role, limit))).concat() {
        let limits = Limits::UNLIMITED.frame(limit);
        let limit_len = usize::try_from(limit).unwrap();
        let first = to(role, BINARY, vec![0x5A; limit_len]);
        for over in [0, 1] {
            let last = to(role, FIN, vec![0x5A; limit_len + over]);
            let case = Case {
                role,
                compression: Compression::None,
                limits,
                frames: vec![first.clone(), last],
            };
            case.check(|_, end, events| {
                if over > 0 {
                    assert_eq!(end, End::Violation(Violation::FrameTooBig { limit }));
                    assert!(events.is_empty());
                } else {
                    assert_eq!(end, End::Open);
                    assert!(events == [message(2 * limit_len)]);
                }
            });
        }
    }
}

#[test]
fn control_frames_are_bound_by_no_limit_but_their_own() {
    let limits = Limits::UNLIMITED.message(0).frame(0);
    for (role, compression) in ways() {
        let close = close_payload(1000, [b'x'; 123]);
        let case = Case {
            role,
            compression,
            limits,
            frames: vec![to(role, FIN | PING, [7; 125]), to(role, FIN | 8, &close)],
        };
        let expected = [
            Event::Ping(vec![7; 125]),
            Event::from_control(Opcode::Close, &close),
        ];
        case.check(|_, end, events| {
            assert_eq!((end, &events[..]), (End::Closed, &expected[..]));
        });
    }
}

#[test]
fn each_message_is_counted_by_itself() {
    for (role, compression) in ways() {
        let limits = Limits::UNLIMITED.message(3);
        // A frame is counted as it goes over the wire.
        let limits = match compression {
            Compression::None => limits.frame(3),
            _ => limits,
        };
        let case = Case {
            role,
            compression,
            limits,
            frames: vec![to(role, FIN | BINARY, [0x5A; 3]); 50],
        };
        case.check(|_, end, events| {
            assert_eq!((end, events), (End::Open, vec![message(3); 50]));
        });
    }
}

#[test]
fn fragments_whose_sum_has_no_number_are_too_much() {
    // The second header announces what would make 2^63 + 2 bytes, one byte after the first.
    let limits = Limits::UNLIMITED.message((1 << 63) - 1);
    for role in BOTH {
        let huge = to(role, FIN, b"").with_length(Length::Declared((1 << 63) - 1));
        let case = Case {
            role,
            compression: Compression::None,
            limits,
            frames: vec![to(role, BINARY, b"xyz"), huge],
        };
        case.check(|held, end, _| {
            let limit = limits.message;
            let expected = End::Violation(Violation::MessageTooBig { limit });
            assert_eq!(end, if held { expected } else { End::Open });
        });
    }
}
