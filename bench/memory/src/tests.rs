//! Every echo returns what it was sent, in frames of a server.

use crate::echo::Reads;
use crate::kinds;
use crate::stream::Recorded;

const BATCHES: usize = 4;

#[test]
fn one_short_message_a_read() {
    check(1, 20);
}

#[test]
fn many_short_messages_a_read() {
    check(16, 125);
}

#[test]
fn messages_of_a_read_buffer() {
    check(1, 16 << 10);
}

#[test]
fn long_messages() {
    check(1, 1 << 20);
}

fn check(frames: usize, bytes: usize) {
    for text in [false, true] {
        let reads = Reads {
            frames,
            bytes,
            text,
        };
        let batch = reads.answer().expect("a legal message").repeat(frames);
        let expected = batch.repeat(BATCHES);
        for kind in kinds() {
            let (stream, record) = Recorded::new(reads.stream().expect("legal messages"));
            (kind.open)(stream, reads)(BATCHES * frames);
            let output = &record.lock().expect("no echo panicked").output;
            let name = kind.name;
            assert!(expected.starts_with(output), "{name} sent something else");
            // What is fed last leaves with the next read.
            assert!(
                output.len() >= expected.len() - batch.len(),
                "{name} sent {} bytes of {}",
                output.len(),
                expected.len(),
            );
        }
    }
}
