//! What a connection holds, and when it gives it back.

use allocation_counter::measure;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode, WebSocket};
use support::frames::{BINARY, CONTINUATION, FIN, Length, PING, frame, to};
use support::pattern;
use support::peer::{Direction, Fault, Plan, ScriptedPeer};

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
                server.next_message().unwrap();
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
                server.next_message().unwrap();
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
        assert!(held(|| _ = server.next_message().unwrap()) >= MIB);
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
    assert_eq!(server.next_message().unwrap().payload(), pattern(1 << 20));
}

#[test]
fn a_length_that_was_only_announced_costs_nothing() {
    let config = Config {
        limits: Limits::UNLIMITED,
        ..Config::default()
    };
    let frame = to(Role::Server, FIN | BINARY, [7; 10]).with_length(Length::Declared(1 << 62));
    let mut server = server(ScriptedPeer::new(frame.bytes()), config);
    let info = measure(|| assert!(server.next_message().is_err()));
    assert!(info.bytes_max < 100_000, "{info:?}");
}

#[test]
fn an_unfinished_message_holds_at_most_four_times_what_has_come_of_it() {
    let input = frame(Role::Client, FIN | BINARY, &pattern(1 << 20));
    for come in [100_000_usize, 300_000, 1_000_000] {
        let mut server = server(ScriptedPeer::new(&input[..come]), Config::default());
        let info = measure(|| assert!(server.next_message().is_err()));
        // One buffer to read into, and one that doubles ahead of what is read.
        let most = 4 * i64::try_from(come).unwrap() + (16 << 10);
        assert!(info.bytes_current < most, "{come}: {info:?}");
    }
}

/// A million bytes that come seven at a time: memory doubles from the read buffer's size on.
#[test]
fn a_long_frame_that_comes_in_small_reads_grows_by_doubling() {
    let frame = frame(Role::Client, FIN | BINARY, &pattern(1_000_000));
    let mut server = server(ScriptedPeer::new(frame).in_pieces_of(7), Config::default());
    let allocated = measure(|| assert!(server.next_message().is_ok()));
    assert!(allocated.count_total <= 12, "{allocated:?}");
    assert!(allocated.bytes_total < 4 * 1_000_000, "{allocated:?}");
}

#[test]
fn tiny_and_empty_fragments_take_memory_as_their_payload() {
    for (len, count, most) in [(0, 300_000, 40_000), (1, 130_000, 600_000)] {
        let mut input = frame(Role::Client, BINARY, b"");
        for _ in 0..count {
            input.extend(frame(Role::Client, CONTINUATION, &[7; 1][..len]));
        }
        input.extend(frame(Role::Client, FIN | CONTINUATION, b""));
        let mut server = server(ScriptedPeer::new(input), Config::default());
        let info = measure(|| {
            assert_eq!(server.next_message().unwrap().payload().len(), len * count);
        });
        assert!(info.bytes_max < most, "{count} of {len}: {info:?}");
    }
}

#[test]
fn a_streamed_message_is_received_in_constant_memory() {
    let part = frame(Role::Client, CONTINUATION, &pattern(100_000));
    let mut input = frame(Role::Client, BINARY, b"");
    for _ in 0..50 {
        input.extend(&part);
        input.extend(frame(Role::Client, FIN | PING, b"?"));
    }
    input.extend(frame(Role::Client, FIN | CONTINUATION, b""));
    let mut server = server(ScriptedPeer::new(input), Config::default());
    server.stream_mut().reserve(1000);
    let info = measure(|| {
        let mut reader = server.message_reader().unwrap();
        assert_eq!(
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap(),
            5_000_000
        );
    });
    assert!(info.bytes_max < 64 << 10, "{info:?}");
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
    assert!(held(|| server.write_message(Opcode::Binary, &payload).unwrap()) >= MIB);
    server.stream_mut().fail(Plan::None);
    assert!(held(|| server.flush().unwrap()) <= -MIB);
}

#[test]
fn what_is_streamed_is_sent_in_constant_memory() {
    let payload = pattern(1 << 20);
    let mut server = server(ScriptedPeer::new([]), Config::default());
    server.stream_mut().reserve(2 << 20);
    let info = measure(|| {
        server
            .stream_message(Opcode::Binary, 4096, &payload[..])
            .unwrap();
    });
    assert!(info.bytes_max < 3 * 4096, "{info:?}");
}
