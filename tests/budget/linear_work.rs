//! Work is linear in what came: four times the input takes about four times the processor time,
//! where a quadratic step would take sixteen.
#![cfg(target_os = "linux")]

use std::fs;

use framewire::protocol::Role;
use support::connect;
use support::frames::{BINARY, CONTINUATION, FIN, PING, TEXT, frame};
use support::pattern;
use support::peer::ScriptedPeer;

const CLIENT: Role = Role::Client;

/// Nanoseconds of processor time that this thread has had; `None` where the kernel does not say.
fn processor_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok()
}

/// The least that receiving the input takes in five runs, with reads of at most `at_most` bytes.
fn time_to_receive(input: &[u8], at_most: usize) -> Option<u64> {
    let runs = (0..5).map(|_| {
        let script = ScriptedPeer::new(input).in_pieces_of(at_most);
        let mut server = connect(Role::Server, script, framewire::Config::default());
        let before = processor_time()?;
        server.next_message().unwrap();
        Some(processor_time()? - before)
    });
    runs.min().flatten()
}

/// Tries a few times: what else the machine does may take the cache away, and a quadratic step takes
/// its time each time.
fn assert_linear(what: &str, at_most: usize, input: impl Fn(usize) -> Vec<u8>) {
    const COUNT: usize = 30_000;
    let (few, many) = (input(COUNT), input(4 * COUNT));
    let is_linear = (0..5).any(|_| {
        let (once, four_times) = (
            time_to_receive(&few, at_most),
            time_to_receive(&many, at_most),
        );
        println!("{what}: {once:?} ns, then {four_times:?} ns");
        match (once, four_times) {
            (Some(once @ 1..), Some(four_times)) => four_times < 9 * once,
            _ => true,
        }
    });
    assert!(is_linear, "{what}");
}

fn fragments(first: u8, between: &[u8], count: usize) -> Vec<u8> {
    let mut input = frame(CLIENT, first, b"");
    input.extend(between.repeat(count));
    input.extend(frame(CLIENT, FIN | CONTINUATION, b""));
    input
}

#[test]
fn fragments_of_one_byte() {
    let fragment = frame(CLIENT, CONTINUATION, b"x");
    assert_linear("binary", 0, |count| fragments(BINARY, &fragment, count));
    assert_linear("text", 0, |count| fragments(TEXT, &fragment, count));
}

#[test]
fn fragments_of_no_byte() {
    let fragment = frame(CLIENT, CONTINUATION, b"");
    assert_linear("empty", 0, |count| fragments(BINARY, &fragment, count));
}

#[test]
fn characters_cut_between_fragments() {
    let cut = [
        frame(CLIENT, CONTINUATION, b"\xE2\x82"),
        frame(CLIENT, CONTINUATION, b"\xAC"),
    ];
    assert_linear("cut characters", 0, |count| {
        fragments(TEXT, &cut.concat(), count / 2)
    });
}

#[test]
fn pings_inside_a_message() {
    let pair = [
        frame(CLIENT, CONTINUATION, b"x"),
        frame(CLIENT, FIN | PING, b"?"),
    ];
    assert_linear("pings", 0, |count| {
        fragments(BINARY, &pair.concat(), count / 2)
    });
}

#[test]
fn one_frame_in_reads_of_a_few_bytes() {
    assert_linear("one byte a read", 1, |count| {
        frame(CLIENT, FIN | BINARY, &pattern(count))
    });
    assert_linear("seven bytes a read", 7, |count| {
        frame(CLIENT, FIN | TEXT, &vec![b'x'; 7 * count])
    });
}
