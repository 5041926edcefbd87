//! What a message costs in reads and writes, and when it leaves.

use framewire::frame::MAX_HEADER;
use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{CHUNK_SIZE_LOW_MEMORY as CHUNK, Config};
use support::compression::Compression;
use support::connection::{
    Endpoint, Messaging, all_endpoints, all_endpoints_with, endpoints, endpoints_with,
};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, frame};
use support::operations::{Hands, Leaves, Operation};
use support::peer::ScriptedPeer;
use support::view::View;
use support::wait::wait;
use support::{oracle, pattern, peer};

use crate::messages::Message;
use crate::uses::{self, Use};

const BURST: usize = 100;

/// The rule by one example: messages that arrive together are read with one read, and their echoes
/// leave with one write, before the read that finds nothing.
#[test]
fn two_echoes_are_one_read_and_one_write() {
    let message = frame(Role::Client, FIN | BINARY, b"hello");
    let peer = ScriptedPeer::saying([message.repeat(2)]);
    let mut server = framewire::WebSocket::server(peer.clone(), Config::default()).unwrap();
    for _ in 0..2 {
        let (message, writer) = server.next_message_and_writer().unwrap().unwrap();
        writer.feed(message).unwrap();
    }
    assert_eq!((peer.calls().reads, peer.calls().writes), (1, 0));
    assert!(server.next_message().unwrap_err().is_would_block());
    assert_eq!((peer.calls().reads, peer.calls().writes), (2, 1));
}

#[test]
fn a_pong_that_has_left_does_not_hurry_what_is_fed_later() {
    let message = frame(Role::Client, FIN | BINARY, b"hello");
    let in_fragments = [
        frame(Role::Client, BINARY, b"hel"),
        frame(Role::Client, FIN | CONTINUATION, b"lo"),
    ];
    let peer = ScriptedPeer::saying([
        frame(Role::Client, FIN | PING, b"?"),
        message.clone(),
        [message, in_fragments.concat()].concat(),
    ]);
    let mut server = framewire::WebSocket::server(peer.clone(), Config::default()).unwrap();
    server.next_message().unwrap().unwrap();
    assert_eq!((peer.calls().reads, peer.calls().writes), (2, 1));
    for _ in 0..2 {
        let (message, writer) = server.next_message_and_writer().unwrap().unwrap();
        writer.feed(message).unwrap();
    }
    assert_eq!((peer.calls().reads, peer.calls().writes), (3, 1));
    assert!(server.next_message().unwrap_err().is_would_block());
    assert_eq!((peer.calls().reads, peer.calls().writes), (4, 2));
}

/// Each use that receives a message, and maybe answers it, in one frame at a time.
fn each_use(end: Endpoint) -> impl Iterator<Item = Use> {
    let all = uses::receiving(end.kind).chain(uses::answering(end.kind));
    all.filter(|one| !matches!(one.leaves(), Leaves::Streamed { .. } | Leaves::OneByOne))
}

fn coalescing() -> Config {
    Config::default().coalesce_writes(true)
}

fn assert_waits(connection: &mut dyn Messaging) {
    assert!(connection.next_message().unwrap_err().is_would_block());
    assert!(
        !connection.has_pending_output(),
        "it waits with something unsent"
    );
}

/// Makes one use of each message of a burst, and says how many reads and writes that were, and how
/// many writes after the connection has waited.
fn use_burst(
    one: Use,
    end: Endpoint,
    peer: &ScriptedPeer,
    config: Config,
) -> (usize, usize, usize) {
    let mut connection = end.messaging(peer, config).unwrap();
    let mut hands = Hands::new(&pattern(20), CHUNK);
    for _ in 0..BURST {
        one.make(&mut *connection, &mut hands);
    }
    let calls = peer.calls();
    assert_waits(&mut *connection);
    // A task that waits is polled once more than it has to be.
    let reads = 1 + usize::from(end.kind.waits());
    let case = one.case(end, 20);
    assert_eq!(peer.calls().reads, calls.reads + reads, "{case}");
    (calls.reads, calls.writes, peer.calls().writes)
}

fn burst(end: Endpoint) -> Vec<Vec<u8>> {
    let message = Message::new(end.compression, pattern(20));
    vec![message.whole(end.role); BURST]
}

#[test]
fn a_burst_is_read_at_once_and_answered_when_each_use_says() {
    for end in all_endpoints() {
        for one in each_use(end) {
            let peer = ScriptedPeer::saying([burst(end).concat()]);
            let expected = match one.leaves() {
                Leaves::Nothing => (1, 0, 0),
                Leaves::Later => (1, 0, 1),
                _ => (1, BURST, BURST),
            };
            let calls = use_burst(one, end, &peer, Config::default());
            let case = one.case(end, 20);
            assert_eq!(calls, expected, "{case}");
            let messages = View::of(end.role, &end.heard(&peer.written())).messages;
            let count = if one.leaves() == Leaves::Nothing {
                0
            } else {
                BURST
            };
            assert_eq!(messages.len(), count, "{case}");
            assert!(messages.iter().all(|(_, payload)| *payload == pattern(20)));
        }
    }
}

#[test]
fn what_is_written_may_wait_for_the_next_message_where_that_is_asked_for() {
    for end in endpoints() {
        for one in each_use(end).filter(|one| one.leaves() == Leaves::AtOnce) {
            let case = one.case(end, 20);
            let peer = ScriptedPeer::saying([burst(end).concat()]);
            // A half does not know what the other has read.
            let writes = if end.kind.is_whole() { 1 } else { BURST };
            let calls = use_burst(one, end, &peer, coalescing());
            assert_eq!(calls, (1, writes, writes), "{case}");

            let peer = ScriptedPeer::saying(burst(end));
            let calls = use_burst(one, end, &peer, coalescing());
            assert_eq!(calls, (BURST, BURST, BURST), "{case}: each alone");
        }
    }
}

#[test]
fn what_may_wait_leaves_when_something_else_is_awaited() {
    for end in endpoints() {
        if !end.kind.is_whole() {
            continue;
        }
        // The third is cut off, so that it is not there whole.
        let mut says = burst(end)[..3].concat();
        says.pop();
        let peer = ScriptedPeer::saying([says]);
        let mut connection = end.open(&peer, coalescing()).unwrap();
        for (unsent, writes) in [(true, 0), (false, 1)] {
            connection.next_message().unwrap().unwrap();
            connection.write(b"?").unwrap();
            assert_eq!(connection.has_pending_output(), unsent, "{end:?}");
            assert_eq!(peer.calls().writes, writes, "{end:?}");
        }
    }
}

#[test]
fn what_was_fed_leaves_before_a_read_that_waits() {
    for end in all_endpoints() {
        let peer = ScriptedPeer::default();
        let mut connection = end.messaging(&peer, Config::default()).unwrap();
        connection.feed("fed").unwrap();
        assert_eq!(peer.calls().writes, 0, "{end:?}");
        assert_waits(&mut *connection);
        assert_eq!(peer.calls().writes, 1, "{end:?}");
        assert_eq!(
            View::of(end.role, &peer.written()).messages.len(),
            1,
            "{end:?}"
        );
    }
}

/// A copy of a long payload would cost more than the call that it saves. A client masks, and so copies, in any case.
#[test]
fn what_a_server_feeds_over_the_chunk_size_leaves_at_once_with_what_waits() {
    for end in endpoints_with(Compression::None) {
        let peer = ScriptedPeer::default();
        let mut connection = end.messaging(&peer, Config::default()).unwrap();
        let feed = Operation::named("feed");
        for (len, writes) in [(20, 0), (CHUNK, 0), (CHUNK + 1, 1), (CHUNK, 1)] {
            let writes = if end.role == Role::Server { writes } else { 0 };
            let mut hands = Hands::new(&pattern(len), CHUNK);
            feed.call(&mut *connection, &mut hands).unwrap();
            assert_eq!(peer.calls().writes, writes, "{end:?}, {len} bytes");
        }
        assert_waits(&mut *connection);
        let messages = View::of(end.role, &peer.written()).messages;
        let lens: Vec<usize> = messages.iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(lens, [20, CHUNK, CHUNK + 1, CHUNK], "{end:?}");
    }
}

#[test]
fn replies_leave_together_while_the_application_only_reads() {
    for end in all_endpoints() {
        let from = peer(end.role);
        let pings = frame(from, FIN | PING, b"?").repeat(50);
        let begun = frame(from, BINARY, b"begun");
        let ended = frame(from, FIN | CONTINUATION, b"");
        let peer = ScriptedPeer::saying([[&pings[..], &begun, &pings, &ended].concat()]);
        let mut connection = end.messaging(&peer, Config::default()).unwrap();
        connection.next_message().unwrap().unwrap();
        assert_waits(&mut *connection);
        assert_eq!(peer.calls().writes, 1, "{end:?}");
        let close = frame(from, FIN | CLOSE, b"\x03\xE8");
        peer.say([frame(from, FIN | PING, b"?").repeat(3), close].concat());
        assert!(connection.next_message().unwrap().is_none());
        let view = View::of(end.role, &peer.written());
        let pong = (FIN | PONG, b"?".to_vec());
        let answers = view.control.iter().filter(|control| **control == pong);
        assert_eq!(answers.count(), 103, "{end:?}");
        assert!(view.is_closed());
        assert!(peer.calls().writes <= 3, "{end:?}");
    }
}

#[test]
fn a_message_leaves_with_one_write_or_one_for_each_fragment() {
    for end in all_endpoints() {
        // What was fed before leaves with it.
        for one in uses::sending(end.kind, 3) {
            for len in [0, 20, 4096] {
                assert_leaves(one, end, &pattern(len));
            }
        }
    }
}

#[test]
fn a_large_message_is_one_vectored_write_of_a_server_and_one_for_each_write_buffer_of_a_client() {
    let payload = pattern(1 << 20);
    for end in endpoints_with(Compression::None) {
        for one in uses::sending(end.kind, 1) {
            assert_leaves(one, end, &payload);
        }
    }
}

/// Sends a message, and before it others.
fn assert_leaves(one: Use, end: Endpoint, payload: &[u8]) {
    let len = payload.len();
    let case = one.case(end, len);
    let peer = ScriptedPeer::default();
    let mut connection = end.messaging(&peer, Config::default()).unwrap();
    one.make(&mut *connection, &mut Hands::new(payload, CHUNK));
    let calls = peer.calls();
    match one.leaves() {
        Leaves::OneByOne => {}
        // Who moves the bytes decides when a piece leaves.
        Leaves::Streamed { .. } if !end.kind.has_stream() => {}
        Leaves::Streamed { flushed } => {
            let fed = one.count - 1;
            let fragments = oracle::frames(&peer.written()).len() - fed;
            assert_eq!(calls.writes, fragments, "{case}");
            let least = len.div_ceil(CHUNK).max(1);
            // Where it is flushed a fragment ends, and compressed it is a little longer.
            let compressed = end.compression != Compression::None;
            let most = least + usize::from(flushed) + usize::from(compressed);
            assert!((least..=most).contains(&fragments), "{case}: {fragments}");
            let flushes = 1 + usize::from(flushed && len > 0);
            assert_eq!(calls.flushes, flushes, "{case}");
        }
        _ if one.is_of_bytes() => {
            let messages = View::of(end.role, &end.heard(&peer.written())).messages;
            let Config {
                write_buffer,
                chunk_size,
                ..
            } = Config::default();
            let at_once = write_buffer / (chunk_size + MAX_HEADER);
            let writes = messages.len().div_ceil(at_once);
            assert_eq!((calls.writes, calls.flushes), (writes, 1), "{case}");
        }
        _ => {
            let writes = match end.role {
                // It is masked in the write buffer, unless it was taken whole before.
                Role::Client if !one.tries() => len.div_ceil(Config::default().write_buffer).max(1),
                _ => 1,
            };
            assert_eq!((calls.writes, calls.flushes), (writes, 1), "{case}");
        }
    }
}

#[test]
fn fragments_of_a_streamed_message_may_wait_for_each_other_where_that_is_asked_for() {
    let payload = pattern(1 << 20);
    for end in all_endpoints_with(Compression::None).filter(|end| end.kind.has_stream()) {
        for one in uses::sending(end.kind, 1) {
            if one.leaves() != (Leaves::Streamed { flushed: false }) {
                continue;
            }
            let case = one.case(end, payload.len());
            let peer = ScriptedPeer::default();
            let mut connection = end.messaging(&peer, coalescing()).unwrap();
            one.make(&mut *connection, &mut Hands::new(&payload, CHUNK));
            // What is written at once: the fragments that fit, and the first that does not.
            let at_once = coalescing().write_buffer + CHUNK;
            let writes = payload.len().div_ceil(at_once) + 1;
            assert!(
                (writes - 1..=writes).contains(&peer.calls().writes),
                "{case}: {:?}",
                peer.calls()
            );
            assert_eq!(
                oracle::frames(&peer.written()).len(),
                payload.len() / CHUNK,
                "{case}"
            );
            assert!(!connection.has_pending_output(), "{case}");
        }
    }
}

#[test]
fn control_frames_leave_at_once() {
    for end in all_endpoints() {
        let answered = uses::receiving(end.kind).next();
        for one in uses::control(end.kind).chain(answered) {
            let from = peer(end.role);
            let says = [
                frame(from, FIN | PING, b"?"),
                frame(from, FIN | BINARY, b"x"),
            ];
            let peer = ScriptedPeer::saying([says.concat()]);
            let mut connection = end.messaging(&peer, coalescing()).unwrap();
            one.make(&mut *connection, &mut Hands::new(b"?", CHUNK));
            // Who moves the bytes decides when an answer leaves.
            if one.leaves() == Leaves::Nothing && !end.kind.has_stream() {
                assert_waits(&mut *connection);
            }
            let case = one.case(end, 1);
            assert_eq!(peer.calls().writes, 1, "{case}");
            assert_eq!(oracle::frames(&peer.written()).len(), 1, "{case}");
        }
    }
}

#[test]
fn a_large_message_that_arrives_at_once_takes_few_reads() {
    for end in all_endpoints_with(Compression::None) {
        let message = frame(peer(end.role), FIN | BINARY, &pattern(1 << 20));
        let peer = ScriptedPeer::saying([message]);
        let mut connection = end.messaging(&peer, Config::default()).unwrap();
        connection.next_message().unwrap().unwrap();
        // It doubles with each read from 16 KiB on, as no length is trusted.
        let reads = peer.calls().reads;
        assert!(reads <= 8, "{end:?}: {reads}");
        peer.say_again(1);
        connection.next_message().unwrap().unwrap();
        let reads = peer.calls().reads - reads;
        assert!(reads <= 2, "{end:?}: {reads}");
    }
}

#[test]
fn a_whole_connection_that_was_halves_may_let_messages_wait_again() {
    for role in [Role::Server, Role::Client] {
        let message = frame(peer(role), FIN | BINARY, b"x");
        let peer = ScriptedPeer::saying([message.repeat(BURST)]);
        let mut whole = WebSocket::with_leftover(peer.clone(), &[], role, coalescing()).unwrap();
        wait(async {
            whole.next_message().await?.expect("it is there");
            let (reader, mut writer) = whole.split();
            writer.write("!").await?;
            assert_eq!(peer.calls().writes, 1);

            let mut whole = reader.reunite(writer).expect("they are of one connection");
            whole.write("!").await?;
            assert_eq!(peer.calls().writes, 2);
            whole.next_message().await?.expect("it is there");
            whole.write("!").await?;
            assert_eq!(peer.calls().writes, 2, "another is there");
            whole.flush().await
        })
        .unwrap();
        assert_eq!(View::of(role, &peer.written()).messages.len(), 3);
    }
}
