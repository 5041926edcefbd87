//! What a message costs in heap: nothing, once the buffers have their size.

use allocation_counter::{AllocationInfo, measure};
use framewire::Config;
use framewire::protocol::Role;
use support::compression::Compression;
use support::connection::{Endpoint, endpoints, endpoints_with};
use support::frames::{BINARY, FIN, PING, PONG, frame};
use support::peer::ScriptedPeer;
use support::{json, pattern, peer};

use crate::messages::Message;
use crate::operations::{
    CONTROL, ECHOING, ECHOING_BY_TWO, FEED, Hands, Leaves, Operation, RECEIVING, SENDING,
};

/// The rule by one example: the first message needs a buffer, and those after it nothing.
#[test]
fn the_first_message_allocates_and_the_next_does_not() {
    let message = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let peer = ScriptedPeer::saying([message]);
    let mut server = framewire::WebSocket::server(peer.clone(), Config::default()).unwrap();
    let mut next_message = || measure(|| _ = server.next_message().unwrap());
    assert!(next_message().bytes_total >= 1 << 20);
    peer.say_again(1);
    assert_eq!(next_message().count_total, 0);
}

/// What a job allocates, after it was done often enough to have its buffers.
pub fn steadily(times: usize, mut job: impl FnMut()) -> AllocationInfo {
    for _ in 0..2 {
        job();
    }
    measure(|| (0..times).for_each(|_| job()))
}

/// Whether a connection is used up to where it would wait each time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Busy,
    Rests,
}

/// Makes one use of a connection over and over, before each of which its peer says this.
#[track_caller]
fn assert_allocates_nothing(
    operation: Operation,
    end: Endpoint,
    says: &[u8],
    pace: Pace,
    (message, count): (&[u8], usize),
) {
    let peer = ScriptedPeer::saying([says]);
    let mut connection = end.with(&peer);
    let mut hands = Hands::new(message, says.len(), count);
    let mut once = || {
        peer.forget_written();
        (operation.run)(&mut *connection, &mut hands);
        if pace == Pace::Rests {
            assert!(connection.next_message().unwrap_err().is_would_block());
        }
        peer.say_again(1);
    };
    once();
    let written = peer.written().len();
    let may_wait = matches!(operation.leaves, Leaves::Nothing | Leaves::Later);
    assert!(
        may_wait || written > message.len() / 100,
        "it sends something"
    );
    peer.reserve(2 * written);
    let times = if is_short(message) && count < 1000 {
        10
    } else {
        2
    };
    let info = steadily(times, once);
    let case = operation.case(end, message.len());
    assert_eq!(info.count_total, 0, "{case}: {info:?}");
}

fn is_short(message: &[u8]) -> bool {
    message.len() < 10_000
}

/// Short ones and those that are longer than each buffer; compressed, such as get shorter too.
fn messages() -> impl Iterator<Item = (Compression, Message)> {
    let compressions = Compression::ALL.into_iter();
    compressions.flat_map(|compression| {
        let payloads = match compression {
            Compression::None => [20, 5_000, 60_000, 1 << 20].map(pattern).to_vec(),
            Compression::Unused => vec![json(300)],
            Compression::NoTakeover | Compression::Takeover => [
                [300, 80_000].map(pattern).to_vec(),
                [300, 60_000, 400_000].map(json).to_vec(),
            ]
            .concat(),
        };
        let payloads = payloads.into_iter();
        payloads.map(move |payload| (compression, Message::new(compression, payload)))
    })
}

#[test]
fn receiving_a_message_allocates_nothing() {
    for (compression, message) in messages() {
        let payload = &message.payload;
        for end in endpoints_with(compression) {
            let whole = message.whole(end.role);
            let fragments = message.in_fragments(end.role);
            let ways = [
                (&whole, Pace::Rests),
                (&fragments, Pace::Busy),
                (&whole, Pace::Busy),
                (&fragments, Pace::Rests),
            ];
            let most = if is_short(payload) { 4 } else { 2 };
            for (says, pace) in ways.into_iter().take(most) {
                // Of a long message each of the two calls is counted alone.
                let by_two = if is_short(payload) {
                    ECHOING_BY_TWO
                } else {
                    &[]
                };
                for receive in [RECEIVING, ECHOING, by_two].concat() {
                    assert_allocates_nothing(receive, end, says, pace, (payload, 1));
                }
            }
        }
    }
}

#[test]
fn sending_a_message_allocates_nothing() {
    for (compression, message) in messages() {
        for end in endpoints_with(compression) {
            for send in SENDING {
                assert_allocates_nothing(*send, end, &[], Pace::Busy, (&message.payload, 3));
            }
        }
    }
}

#[test]
fn a_burst_of_fed_messages_of_any_length_allocates_nothing() {
    const BURSTS: [(usize, usize); 6] = [
        (20, 100),
        (20, 10_000),
        (1000, 40),
        (1000, 60),
        (3000, 20),
        (4000, 200),
    ];
    for (len, count) in BURSTS {
        for end in endpoints_with(Compression::None) {
            let message = (&pattern(len)[..], count);
            assert_allocates_nothing(FEED, end, &[], Pace::Busy, message);
        }
    }
}

#[test]
fn control_frames_allocate_nothing() {
    for len in [0, 20, 125] {
        let payload = pattern(len);
        for end in endpoints() {
            let says = [
                frame(peer(end.role), FIN | PING, &payload),
                frame(peer(end.role), FIN | PONG, &payload),
                frame(peer(end.role), FIN | BINARY, b"x"),
            ];
            for control in CONTROL {
                let message = (&payload[..], 1);
                assert_allocates_nothing(control, end, &says.concat(), Pace::Busy, message);
            }
        }
    }
}
