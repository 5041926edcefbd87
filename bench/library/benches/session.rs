//! A 20-byte text message through a `Session` and back, in memory: decode, unmask, validate, encode. Compared
//! to a bare loop that does the same to a known frame and checks nothing.
//!
//! `cargo bench -p framewire-bench --bench session`; with `-- MESSAGES` it runs that many and times nothing, to
//! count instructions under `valgrind --tool=callgrind`.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::hint::black_box;

use framewire::frame::{Opcode, mask};
use framewire::protocol::{Event, Limits, MessageBuffer, Session};
use framewire_bench::{KEY, masked, medians};

const LEN: u8 = 20;
const PAYLOAD: &[u8; LEN as usize] = b"{\"bid\":1.2,\"ask\":3}\n";
const BATCH: usize = 100;
const ROUNDS: usize = 2_000;

fn main() {
    let message = masked((Opcode::Text, PAYLOAD)).expect("a legal message");
    let batch = message.repeat(BATCH);
    let mut echo = Echo::new();
    if let Some(messages) = std::env::args().find_map(|arg| arg.parse::<usize>().ok()) {
        let mut input = batch.clone();
        for _ in 0..messages.div_ceil(BATCH) {
            input.copy_from_slice(&batch);
            echo.run(&mut input);
        }
        return;
    }
    let mut input = batch.clone();
    let mut output = Vec::new();
    let [session, bare, copy] = medians(
        ROUNDS,
        [
            &mut || {
                input.copy_from_slice(&batch);
                echo.run(black_box(&mut input));
            },
            &mut || {
                let mut input = batch.clone();
                bare_echo(black_box(&mut input), &mut output);
            },
            &mut || {
                black_box(&batch.clone());
            },
        ],
    );
    let per_message = |time: std::time::Duration| time.as_nanos() as f64 / BATCH as f64;
    println!("session     {:6.1} ns per message", per_message(session));
    println!("bare loop   {:6.1} ns per message", per_message(bare));
    println!(
        "input copy  {:6.1} ns per message, in both of the above",
        per_message(copy)
    );

    let mut large = vec![0x5A; 64 << 10];
    let [masking] = medians(
        ROUNDS,
        [&mut || mask::apply(black_box(&mut large), black_box(KEY), 0)],
    );
    println!(
        "masking     {:6.1} GB/s",
        large.len() as f64 / masking.as_nanos() as f64
    );
}

struct Echo {
    session: Session,
    message: MessageBuffer,
    output: Vec<u8>,
}

impl Echo {
    fn new() -> Self {
        Self {
            session: Session::server(Limits::default()),
            message: MessageBuffer::new(),
            output: Vec::new(),
        }
    }

    fn run(&mut self, input: &mut [u8]) {
        self.output.clear();
        let mut used = 0;
        while used < input.len() {
            let (taken, event) = self
                .session
                .receive(&mut input[used..], &mut self.message)
                .expect("the frames are legal");
            used += taken;
            if let Some(Event::Message(message)) = event {
                self.session
                    .send(message, &mut self.output)
                    .expect("the echo is legal");
            }
        }
        assert_eq!(self.output.len(), BATCH * (PAYLOAD.len() + 2));
    }
}

/// The least that any endpoint must do: walks frames of a known shape, unmasks, reads the text, writes a header
/// and the payload.
fn bare_echo(input: &mut [u8], output: &mut Vec<u8>) {
    output.clear();
    for frame in input.chunks_exact_mut(6 + PAYLOAD.len()) {
        let key = [frame[2], frame[3], frame[4], frame[5]];
        let payload = &mut frame[6..];
        mask::apply(payload, key, 0);
        assert!(std::str::from_utf8(payload).is_ok());
        output.extend([0x81, LEN]);
        output.extend_from_slice(payload);
    }
}
