//! What a connection holds, and when it gives it back.

use allocation_counter::{AllocationInfo, measure};
use framewire::protocol::{Limits, Role};
use framewire::{Config, Error, Opcode, WebSocket};
use support::connection::{Endpoint, Messaging, all_ends, ends};
use support::frames::{BINARY, CONTINUATION, FIN, Length, PING, frame, to};
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::wait::wait;
use support::{each, pattern, peer};

const MIB: i64 = 1 << 20;

fn server(script: ScriptedPeer, config: Config) -> WebSocket<ScriptedPeer> {
    WebSocket::server(script, config).unwrap()
}

/// How many bytes more are held after a job than before it.
fn held(job: impl FnOnce()) -> i64 {
    measure(job).bytes_current
}

#[test]
fn the_memory_of_an_assembled_message_is_given_back_after_128_without_use() {
    let big = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let small = frame(Role::Client, FIN | BINARY, b"small").repeat(128);
    let mut server = server(ScriptedPeer::new([big, small].concat()), Config::default());
    let mut messages = |count: usize| {
        held(|| {
            for _ in 0..count {
                server.next_message().unwrap().unwrap();
            }
        })
    };
    assert!(messages(1) >= MIB);
    assert_eq!(messages(127), 0);
    let given_back = -messages(1);
    assert!((MIB..2 * MIB).contains(&given_back), "{given_back}");
}

#[test]
fn a_message_that_needs_it_keeps_the_memory() {
    let big = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let small = frame(Role::Client, FIN | BINARY, b"small").repeat(127);
    let batch = [big, small].concat();
    let mut server = server(ScriptedPeer::new(batch.repeat(3)), Config::default());
    let mut messages = |count: usize| {
        held(|| {
            for _ in 0..count {
                server.next_message().unwrap().unwrap();
            }
        })
    };
    assert!(messages(128) >= MIB);
    assert_eq!(messages(256), 0);
}

#[test]
fn the_memory_of_an_assembled_message_is_given_back_after_two_reads_that_would_block() {
    for kind in [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut] {
        let big = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
        let mut server = server(ScriptedPeer::new(big), Config::default());
        assert!(held(|| _ = server.next_message().unwrap().unwrap()) >= MIB);
        server
            .stream_mut()
            .fail(Plan::Always(Direction::Read, Fault::Error(kind)));
        let mut block = || held(|| assert!(server.next_message().unwrap_err().is_would_block()));
        assert_eq!(block(), 0);
        assert!(block() <= -MIB);
        assert_eq!(block(), 0);
    }
}

#[test]
fn a_message_under_way_keeps_its_memory_over_any_number_of_time_outs() {
    let big = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    let mut server = server(ScriptedPeer::new(&big[..900_000]), Config::default());
    server.stream_mut().fail(Plan::Before(
        Direction::Read,
        std::io::ErrorKind::WouldBlock,
    ));
    while !server.stream().unread().is_empty() {
        assert!(server.next_message().unwrap_err().is_would_block());
    }
    let plan = Plan::Always(
        Direction::Read,
        Fault::Error(std::io::ErrorKind::WouldBlock),
    );
    server.stream_mut().fail(plan);
    for _ in 0..1000 {
        assert!(server.next_message().unwrap_err().is_would_block());
    }
    server.stream_mut().fail(Plan::None);
    server.stream().say(&big[900_000..]);
    assert_eq!(
        server.next_message().unwrap().unwrap().payload(),
        pattern(1 << 20)
    );
}

#[test]
fn what_a_stall_made_grow_is_given_back() {
    let payload = pattern(1 << 20);
    let stall = Plan::Always(
        Direction::Write,
        Fault::Error(std::io::ErrorKind::WouldBlock),
    );
    let mut server = server(ScriptedPeer::new([]), Config::default());
    server.stream_mut().reserve(2 << 20);
    server.stream_mut().fail(stall);
    assert!(held(|| server.write(&payload).unwrap()) >= MIB);
    server.stream_mut().fail(Plan::None);
    assert!(held(|| server.flush().unwrap()) <= -MIB);
}

/// Runs a job on a thread whose pools are empty, with the runtime there that it waits with.
pub fn with_empty_pools(job: impl FnOnce() + Send) {
    let job = || {
        wait(async { Ok::<_, Error>(()) }).unwrap();
        job();
    };
    std::thread::scope(|scope| scope.spawn(job).join()).unwrap();
}

/// Measures a job with each end of a connection of every kind that can be counted, over a peer that says this.
fn measure_each(
    ends: impl Iterator<Item = Endpoint>,
    says: impl Fn(Role) -> ScriptedPeer + Sync,
    config: Config,
    job: impl Fn(&mut dyn Messaging) + Sync,
    check: impl Fn(AllocationInfo) + Sync,
) {
    for end in ends.filter(|end| end.kind.is_counted()) {
        with_empty_pools(|| {
            let peer = says(end.role);
            peer.reserve(2 << 20);
            let mut connection = end.messaging(&peer, config).unwrap();
            check(measure(|| job(&mut *connection)));
        });
    }
}

/// Returns how many bytes may be held for a message of which these have come: one buffer to read into, and one that
/// doubles ahead of what is read, at least as long. What the call that reads leaves behind, such as its error or its
/// future, has a few hundred of its own.
fn most_unfinished(come: usize) -> i64 {
    let most = 4 * come + 2 * Config::default().read_buffer + 512;
    i64::try_from(most).unwrap()
}

#[test]
fn a_length_that_was_only_announced_costs_nothing() {
    let says = |role| {
        let frame = to(role, FIN | BINARY, [7; 10]).with_length(Length::Declared((1 << 63) - 1));
        ScriptedPeer::new(frame.bytes())
    };
    let config = Config::default().limits(Limits::UNLIMITED);
    let job = |connection: &mut dyn Messaging| assert!(connection.next_message().is_err());
    measure_each(all_ends(), says, config, job, |info| {
        assert!(info.bytes_max < 100_000, "{info:?}");
        assert!(info.bytes_current <= most_unfinished(10), "{info:?}");
    });
}

#[test]
fn an_unfinished_message_holds_at_most_four_times_what_has_come_of_it() {
    let payload = pattern(1 << 20);
    for come in each([10_usize, 5_000, 100_000, 300_000, 1_000_000]) {
        let says = |role| {
            let mut input = frame(peer(role), FIN | BINARY, &payload);
            input.truncate(come);
            ScriptedPeer::saying([input])
        };
        let job = |connection: &mut dyn Messaging| {
            assert!(connection.next_message().unwrap_err().is_would_block());
        };
        measure_each(all_ends(), says, Config::default(), job, |info| {
            let held = i64::try_from(come).unwrap()..=most_unfinished(come);
            assert!(held.contains(&info.bytes_current), "{come}: {info:?}");
        });
    }
}

/// Many bytes that come seven at a time: memory doubles from the read buffer's size on.
#[test]
fn a_long_frame_that_comes_in_small_reads_grows_by_doubling() {
    const LEN: usize = 300_000;
    let payload = pattern(LEN);
    let says = |role| {
        let frame = frame(peer(role), FIN | BINARY, &payload);
        ScriptedPeer::new(frame).in_pieces_of(7)
    };
    let job =
        |connection: &mut dyn Messaging| assert!(connection.next_message().unwrap().is_some());
    measure_each(all_ends(), says, Config::default(), job, |allocated| {
        assert!(allocated.count_total <= 10, "{allocated:?}");
        assert!(allocated.bytes_total < 4 * LEN as u64, "{allocated:?}");
    });
}

#[test]
fn tiny_and_empty_fragments_take_memory_as_their_payload() {
    for (len, count, most) in each([(0, 300_000, 40_000), (1, 130_000, 600_000)]) {
        let says = |role| {
            let mut input = frame(peer(role), BINARY, b"");
            input.extend(frame(peer(role), CONTINUATION, &[7; 1][..len]).repeat(count));
            input.extend(frame(peer(role), FIN | CONTINUATION, b""));
            ScriptedPeer::new(input)
        };
        let job = |connection: &mut dyn Messaging| {
            let message = connection.next_message().unwrap().unwrap();
            assert_eq!(message.payload().len(), len * count);
        };
        measure_each(all_ends(), says, Config::default(), job, |info| {
            assert!(info.bytes_max < most, "{info:?}");
        });
    }
}

#[test]
fn a_streamed_message_is_received_in_constant_memory() {
    let payload = pattern(100_000);
    let says = |role| {
        let part = frame(peer(role), CONTINUATION, &payload);
        let ping = frame(peer(role), FIN | PING, b"?");
        let begun = frame(peer(role), BINARY, b"");
        let end = frame(peer(role), FIN | CONTINUATION, b"");
        ScriptedPeer::new([begun, [part, ping].concat().repeat(50), end].concat())
    };
    let job = |connection: &mut dyn Messaging| {
        let mut reader = connection
            .with_stream()
            .unwrap()
            .message_reader()
            .unwrap()
            .unwrap();
        let len = std::io::copy(&mut reader, &mut std::io::sink());
        assert_eq!(len.unwrap(), 5_000_000);
    };
    measure_each(ends(), says, Config::default(), job, |info| {
        assert!(info.bytes_max < 64 << 10, "{info:?}");
    });
}

#[test]
fn what_is_streamed_is_sent_in_constant_memory() {
    let payload = pattern(1 << 20);
    let silent = |_| ScriptedPeer::new([]);
    let job = |connection: &mut dyn Messaging| {
        let connection = connection.with_stream().unwrap();
        let sent = connection.stream_message(Opcode::Binary, 4096, &mut &payload[..]);
        assert_eq!(sent.unwrap(), 1 << 20);
    };
    measure_each(ends(), silent, Config::default(), job, |info| {
        assert!(info.bytes_max < 3 * 4096, "{info:?}");
    });
}
