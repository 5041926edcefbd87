//! What a message costs in heap: nothing, once the buffers have their size.

use allocation_counter::{AllocationInfo, measure};
use framewire::protocol::Role;
use framewire::{CHUNK_SIZE_LOW_MEMORY as CHUNK, Config};
use support::compression::Compression;
use support::connection::{Endpoint, all_endpoints_with};
use support::frames::{BINARY, FIN, PING, PONG, frame};
use support::operations::{Hands, Leaves};
use support::peer::ScriptedPeer;
use support::{json, pattern, peer};

use crate::messages::Message;
use crate::uses::{self, Use};

/// The rule by one example: the first message needs a buffer, and those after it nothing.
#[test]
fn the_first_message_allocates_and_the_next_does_not() {
    let message = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let peer = ScriptedPeer::saying([message]);
    let mut server = framewire::WebSocket::server(peer.clone(), Config::default()).unwrap();
    let mut next_message = || measure(|| _ = server.next_message().unwrap().unwrap());
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
    operation: Use,
    end: Endpoint,
    says: &[u8],
    pace: Pace,
    message: &[u8],
) {
    if !is_kept(operation, end, message) {
        return;
    }
    let peer = ScriptedPeer::saying([says]);
    let mut connection = end.messaging(&peer, Config::default()).unwrap();
    let mut hands = Hands::new(message, CHUNK);
    let mut once = || {
        peer.forget_written();
        operation.make(&mut *connection, &mut hands);
        if pace == Pace::Rests {
            assert!(connection.next_message().unwrap_err().is_would_block());
        }
        peer.say_again(1);
    };
    once();
    let written = peer.written().len();
    let may_wait = matches!(operation.leaves(), Leaves::Nothing | Leaves::Later);
    assert!(
        may_wait || written > message.len() / 100,
        "{operation} sends something"
    );
    peer.reserve(2 * written);
    let times = if is_short(message) && operation.count < 1000 {
        10
    } else {
        2
    };
    let info = steadily(times, once);
    let case = operation.case(end, message.len());
    assert_eq!(info.count_total, 0, "{case}: {info:?}");
}

/// Returns whether its buffers are kept. Without a stream, or where nothing may wait, what is sent is copied, and
/// memory longer than the write buffer is given back. Without a stream the first part of a raw frame is copied too,
/// until the rest has arrived.
fn is_kept(one: Use, end: Endpoint, message: &[u8]) -> bool {
    let fits = one.count * message.len() < Config::default().write_buffer;
    let is_copied = one.tries() || !end.kind.has_stream();
    if !end.kind.has_stream() && one.to_string().contains("read_frame") {
        return false;
    }
    !is_copied || fits || one.leaves() == Leaves::Nothing
}

fn is_short(message: &[u8]) -> bool {
    message.len() < 10_000
}

/// Those whose allocations can be counted.
fn counted(compression: Compression) -> impl Iterator<Item = Endpoint> {
    all_endpoints_with(compression).filter(|end| end.kind.is_counted())
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
        for end in counted(compression) {
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
                for one in uses::receiving(end.kind) {
                    assert_allocates_nothing(one, end, says, pace, payload);
                }
                // Of a long message each of the two calls is counted alone.
                for one in uses::answering(end.kind).filter(|_| is_short(payload)) {
                    assert_allocates_nothing(one, end, says, pace, payload);
                }
            }
        }
    }
}

#[test]
fn sending_a_message_allocates_nothing() {
    for (compression, message) in messages() {
        let count = if is_short(&message.payload) { 3 } else { 1 };
        for end in counted(compression) {
            for one in uses::sending(end.kind, count) {
                assert_allocates_nothing(one, end, &[], Pace::Busy, &message.payload);
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
        for end in counted(Compression::None) {
            let fed = uses::fed(count);
            assert_allocates_nothing(fed, end, &[], Pace::Busy, &pattern(len));
        }
    }
}

#[test]
fn control_frames_allocate_nothing() {
    for len in [0, 20, 125] {
        let payload = pattern(len);
        for end in Compression::ALL.into_iter().flat_map(counted) {
            let says = [
                frame(peer(end.role), FIN | PING, &payload),
                frame(peer(end.role), FIN | PONG, &payload),
                frame(peer(end.role), FIN | BINARY, b"x"),
            ];
            let answered = uses::receiving(end.kind).next();
            for one in uses::control(end.kind).chain(answered) {
                assert_allocates_nothing(one, end, &says.concat(), Pace::Busy, &payload);
            }
        }
    }
}
