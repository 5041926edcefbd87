//! What is done to every byte, masking and the validation of text, compared to a copy of the same bytes.
//!
//! `cargo bench -p framewire-bench --bench kernels`, with `-- --json` all times as JSON, one object for each line.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::hint::black_box;
use std::time::Duration;

use framewire::frame::mask;
use framewire::protocol::Utf8;
use framewire_bench::{KEY, has_flag, median, nanoseconds, times};
use serde_json::json;

const LENGTHS: [usize; 5] = [20, 125, 1 << 10, 16 << 10, 1 << 20];
const ROUNDS: usize = 201;
/// How many bytes a round processes: short payloads many times over.
const ROUND: usize = 256 << 10;

fn main() {
    for len in LENGTHS {
        let mut payload = vec![0x5A; len];
        compare("mask", "binary", len, &mut || {
            mask::apply(black_box(&mut payload), black_box(KEY), 0);
        });
    }
    for (name, pattern) in [("ascii", "text, "), ("cjk", "文字列")] {
        for len in LENGTHS {
            let mut text: String = pattern.chars().cycle().take(len).collect();
            text.truncate(text.floor_char_boundary(len));
            compare("utf8", name, text.len(), &mut || {
                let mut utf8 = Utf8::new();
                utf8.push(black_box(text.as_bytes())).expect("it is text");
                assert!(utf8.is_complete());
            });
        }
    }
}

fn compare(bench: &str, payload: &str, len: usize, job: &mut dyn FnMut()) {
    let repeats = ROUND.div_ceil(len);
    // Where a copy's ends lie a few bytes apart in their pages, some processors take many times as long for it.
    let mut memory = vec![0x5A; len.next_multiple_of(PAGE) + PAGE / 2 + len];
    let (source, target) = memory.split_at_mut(len.next_multiple_of(PAGE) + PAGE / 2);
    let [ours, copy] = times(
        ROUNDS,
        [&mut || (0..repeats).for_each(|_| job()), &mut || {
            for _ in 0..repeats {
                black_box(&mut *target).copy_from_slice(black_box(&source[..len]));
            }
        }],
    );
    if has_flag("--json") {
        let line = json!({
            "bench": bench,
            "payload": payload,
            "bytes": len,
            "ns": nanoseconds(&ours, repeats),
            "memcpy_ns": nanoseconds(&copy, repeats),
        });
        println!("{line}");
        return;
    }
    let rate = |time: Duration| (len * repeats) as f64 / time.as_nanos() as f64;
    let (ours, copy) = (rate(median(&ours)), rate(median(&copy)));
    println!(
        "{bench} {payload:6} {len:8} bytes: {ours:6.1} GB/s, memcpy {copy:6.1} GB/s, ratio {:.2}",
        ours / copy
    );
}

const PAGE: usize = 4 << 10;
