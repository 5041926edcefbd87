//! Streams of frames for property tests: legal ones, and legal ones with something done to them.

use framewire::protocol::{Limits, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::compression::Compression;
use crate::frames::{
    self, BINARY, CLOSE, CONTINUATION, FIN, Frame, Length, PING, PONG, RSV1, RSV2, RSV3, TEXT,
    close_payload,
};
use crate::front_end::Script;
use crate::peer::cut;

/// A message: whether it is text, and its bytes.
pub type Message = (bool, Vec<u8>);

/// Either end.
pub fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Messages of all the lengths that are written differently, mostly short.
pub fn message() -> impl Strategy<Value = Message> {
    let text = prop_oneof![
        8 => "[a-zé€😀]{0,20}",
        1 => "[a-zé€😀]{40,160}",
        2 => ".{0,30}",
    ];
    let binary = prop_oneof![
        8 => vec(any::<u8>(), 0..20),
        2 => vec(any::<u8>(), 120..132),
        1 => vec(any::<u8>(), 250..600),
    ];
    prop_oneof![
        text.prop_map(|text| (true, text.into_bytes())),
        binary.prop_map(|bytes| (false, bytes)),
    ]
}

/// A control frame that may stand between any two others: its opcode and payload.
pub fn ping_or_pong() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let payload = prop_oneof![4 => vec(any::<u8>(), 0..9), 1 => vec(any::<u8>(), 120..=125)];
    (prop_oneof![Just(PING), Just(PONG)], payload)
}

/// The legal frames of one message to a `role`, with control frames between its fragments.
fn fragments(role: Role) -> impl Strategy<Value = Vec<Frame>> {
    let cuts = vec((any::<Index>(), proptest::option::of(ping_or_pong())), 0..4);
    (message(), cuts).prop_map(move |((text, bytes), cuts)| {
        let places = cuts.iter().map(|(at, _)| at.index(bytes.len() + 1));
        let mut places: Vec<_> = places.collect();
        places.sort_unstable();
        let mut frames = vec![];
        let mut start = 0;
        let mut opcode = if text { TEXT } else { BINARY };
        for (end, (_, control)) in places.into_iter().zip(cuts) {
            frames.push(frames::to(role, opcode, &bytes[start..end]));
            let control = control.map(|(opcode, payload)| frames::to(role, FIN | opcode, payload));
            frames.extend(control);
            start = end;
            opcode = CONTINUATION;
        }
        frames.push(frames::to(role, FIN | opcode, &bytes[start..]));
        frames
    })
}

/// A whole legal stream to a `role`, which may end with a Close frame.
pub fn legal(role: Role) -> impl Strategy<Value = Vec<Frame>> {
    let close = prop_oneof![
        Just(vec![]),
        (legal_code(), "[a-zé€]{0,12}").prop_map(|(code, reason)| close_payload(code, reason)),
    ];
    let close = proptest::option::weighted(0.3, close);
    let unit = prop_oneof![
        3 => fragments(role),
        1 => ping_or_pong()
            .prop_map(move |(opcode, payload)| vec![frames::to(role, FIN | opcode, payload)]),
    ];
    let keys = vec(any::<[u8; 4]>(), 1..5);
    (vec(unit, 0..5), close, keys).prop_map(move |(units, close, keys)| {
        let mut frames = units.concat();
        frames.extend(close.map(|payload| frames::to(role, FIN | CLOSE, payload)));
        for (frame, key) in frames.iter_mut().zip(keys.iter().cycle()) {
            frame.mask = frame.mask.map(|_| *key);
        }
        frames
    })
}

fn legal_code() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(1000_u16),
        1000_u16..=1003,
        1007_u16..=1014,
        3000_u16..=4999
    ]
}

/// Close codes, mostly legal.
fn code() -> impl Strategy<Value = u16> {
    prop_oneof![6 => legal_code(), 1 => 990_u16..=1020, 1 => any::<u16>()]
}

/// Something that is done to a stream of frames.
#[derive(Debug, Clone)]
enum Twist {
    Duplicate(Index),
    Swap(Index, Index),
    Drop(Index),
    Insert(Index, Frame),
    SetFirst(Index, u8),
    SetLength(Index, Length),
    SetMask(Index, Option<[u8; 4]>),
}

/// Something that is done to bytes.
#[derive(Debug, Clone)]
enum Damage {
    FlipBit(Index, u8),
    Set(Index, u8),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index),
}

fn twist() -> impl Strategy<Value = Twist> {
    let at = any::<Index>;
    let opcode = prop_oneof![
        8 => proptest::sample::select(vec![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]),
        1 => 0_u8..16,
    ];
    let rsv = prop_oneof![6 => Just(0), 1 => proptest::sample::select(vec![RSV1, RSV2, RSV3])];
    let fin = prop_oneof![Just(FIN), Just(0)];
    let first = (fin, rsv, opcode).prop_map(|(fin, rsv, opcode)| fin | rsv | opcode);
    let length = prop_oneof![
        Just(Length::Bits(16)),
        Just(Length::Bits(64)),
        (0_u64..300).prop_map(Length::Declared),
        prop_oneof![Just(65535_u64), Just(65536), Just(1 << 62), Just(1 << 63)]
            .prop_map(Length::Declared),
    ];
    let mask = proptest::option::of(any::<[u8; 4]>());
    let payload = prop_oneof![
        vec(any::<u8>(), 0..6),
        (code(), vec(any::<u8>(), 0..6)).prop_map(|(code, reason)| close_payload(code, reason)),
    ];
    let frame = (first.clone(), payload, mask.clone()).prop_map(|(first, payload, mask)| Frame {
        first,
        mask,
        length: Length::Shortest,
        payload,
    });
    prop_oneof![
        at().prop_map(Twist::Duplicate),
        (at(), at()).prop_map(|(a, b)| Twist::Swap(a, b)),
        at().prop_map(Twist::Drop),
        (at(), frame).prop_map(|(at, frame)| Twist::Insert(at, frame)),
        (at(), first).prop_map(|(at, first)| Twist::SetFirst(at, first)),
        (at(), length).prop_map(|(at, length)| Twist::SetLength(at, length)),
        (at(), mask).prop_map(|(at, mask)| Twist::SetMask(at, mask)),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0_u8..8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => at().prop_map(Damage::Truncate),
        1 => (at(), vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => at().prop_map(Damage::Remove),
    ]
}

/// Any bytes, most of them nearly a legal stream to a `role`.
pub fn bytes(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let nearly = (legal(role), vec(twist(), 0..3), vec(damage(), 0..2));
    prop_oneof![
        12 => nearly.prop_map(|(mut frames, twists, damages)| {
            for twist in twists {
                twist.apply(&mut frames);
            }
            let mut bytes = frames::wire(&frames);
            for damage in damages {
                damage.apply(&mut bytes);
            }
            bytes
        }),
        1 => vec(any::<u8>(), 0..60),
    ]
}

/// Limits that such streams meet now and then.
pub fn limits() -> impl Strategy<Value = Limits> {
    let limit = || prop_oneof![3 => Just(None), 1 => (0_u64..150).prop_map(Some)];
    (limit(), limit()).prop_map(|(message, frame)| {
        Limits::UNLIMITED
            .message(message.unwrap_or(Limits::UNLIMITED.message))
            .frame(frame.unwrap_or(Limits::UNLIMITED.frame))
    })
}

/// A script of any bytes, cut anywhere.
pub fn script() -> impl Strategy<Value = Script> {
    let bytes = role().prop_flat_map(|role| (Just(role), bytes(role)));
    let rsv = prop_oneof![4 => Just(0), 1 => Just(RSV1), 1 => Just(RSV1 | RSV3)];
    (bytes, limits(), rsv, arriving()).prop_map(|((role, bytes), limits, rsv, arriving)| {
        let mut script = Script::new(role, bytes).limited(limits);
        script.terms.rsv = rsv;
        arriving.apply(script)
    })
}

/// A script of frames, legal ones or nearly, from a peer that compresses, cut anywhere. What is done
/// to them leaves their payloads whole, so that it is the same with compression and without.
pub fn compressed_script() -> impl Strategy<Value = Script> {
    let frames = role().prop_flat_map(|role| {
        let twisted = (legal(role), vec(twist(), 1..3)).prop_map(|(mut frames, twists)| {
            for twist in twists {
                if !matches!(twist, Twist::SetLength(..)) {
                    twist.apply(&mut frames);
                }
            }
            (frames, Limits::UNLIMITED)
        });
        // What is too long and no text either is refused for what comes first.
        let limited = (legal(role), limits())
            .prop_map(|(frames, limits)| (frames, limits.frame(Limits::UNLIMITED.frame)));
        (Just(role), prop_oneof![twisted, limited])
    });
    let compression = proptest::sample::select(Compression::ALL[1..].to_vec());
    let most = prop_oneof![2 => Just(usize::MAX), 1 => 0_usize..8];
    (frames, most, compression, arriving()).prop_map(
        |((role, (mut frames, limits)), most, compression, arriving)| {
            frames.truncate(most);
            for frame in &mut frames {
                // On these the bits say that a message is compressed.
                if matches!(frame.first & 0x0F, TEXT | BINARY) {
                    frame.first &= !(RSV1 | RSV2 | RSV3);
                }
            }
            arriving.apply(Script::said(compression, role, &frames).limited(limits))
        },
    )
}

/// How the bytes of a script arrive.
#[derive(Debug)]
struct Arriving {
    cuts: Option<Vec<Index>>,
    pauses: bool,
    read_buffer: usize,
}

fn arriving() -> impl Strategy<Value = Arriving> {
    let cuts = prop_oneof![
        3 => vec(any::<Index>(), 0..6).prop_map(Some),
        1 => Just(None), // between any two bytes
    ];
    let read_buffer = prop_oneof![Just(16 << 10), 1_usize..40];
    (cuts, any::<bool>(), read_buffer).prop_map(|(cuts, pauses, read_buffer)| Arriving {
        cuts,
        pauses,
        read_buffer,
    })
}

impl Arriving {
    fn apply(self, script: Script) -> Script {
        let bytes = script.bytes();
        let pieces = match self.cuts {
            Some(places) => {
                let places = places.iter().map(|at| at.index(bytes.len() + 1));
                cut(&bytes, places)
            }
            None => cut(&bytes, 0..bytes.len()),
        };
        Script {
            pieces,
            pauses: self.pauses,
            read_buffer: self.read_buffer,
            ..script
        }
    }
}

impl Twist {
    fn apply(self, frames: &mut Vec<Frame>) {
        let len = frames.len();
        match self {
            Self::Insert(at, frame) => frames.insert(at.index(len + 1), frame),
            _ if len == 0 => {}
            Self::Duplicate(at) => {
                let frame = frames[at.index(len)].clone();
                frames.insert(at.index(len), frame);
            }
            Self::Swap(a, b) => frames.swap(a.index(len), b.index(len)),
            Self::Drop(at) => drop(frames.remove(at.index(len))),
            Self::SetFirst(at, first) => frames[at.index(len)].first = first,
            Self::SetMask(at, mask) => frames[at.index(len)].mask = mask,
            Self::SetLength(at, length) => frames[at.index(len)].length = length,
        }
    }
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        match self {
            Self::Insert(at, new) => {
                let at = at.index(len + 1);
                drop(bytes.splice(at..at, new));
            }
            _ if len == 0 => {}
            Self::FlipBit(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = byte,
            Self::Truncate(at) => bytes.truncate(at.index(len)),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
        }
    }
}
