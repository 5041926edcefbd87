//! The least that any endpoint must do.

use std::io::IoSlice;

use framewire::frame::mask;

use crate::echo::{Echo, Kind, NO_FAILURE, Reads, Role, Style};
use crate::stream::Io;

pub(crate) fn all<S: Io>() -> Vec<Kind<S>> {
    vec![Kind {
        name: "bare-loop",
        package: "framewire-bench-memory",
        style: Style::Batched,
        role: Role::Floor,
        open: bare_loop,
    }]
}

/// Walks frames of a known shape, unmasks them where they lie, checks text, and answers a read with one write: small
/// payloads behind their headers in a buffer, large ones from where they lie.
fn bare_loop<S: Io>(mut stream: S, reads: Reads) -> Echo {
    let mut header = reads.answer().expect(NO_FAILURE);
    header.truncate(header.len() - reads.bytes);
    let start = header.len() + 4;
    let frame_len = start + reads.bytes;
    let mut input = vec![0; reads.frames * frame_len];
    let mut output = Vec::new();
    Box::new(move |messages| {
        for _ in 0..messages / reads.frames {
            stream.read_exact(&mut input).expect(NO_FAILURE);
            output.clear();
            for frame in input.chunks_exact_mut(frame_len) {
                let (head, payload) = frame.split_at_mut(start);
                let key = [
                    head[start - 4],
                    head[start - 3],
                    head[start - 2],
                    head[start - 1],
                ];
                mask::apply(payload, key, 0);
                if reads.text {
                    simdutf8::basic::from_utf8(payload).expect(NO_FAILURE);
                }
                if payload.len() <= COPIED {
                    output.extend_from_slice(&header);
                    output.extend_from_slice(payload);
                } else {
                    let bufs = [IoSlice::new(&header), IoSlice::new(payload)];
                    let written = stream.write_vectored(&bufs).expect(NO_FAILURE);
                    assert_eq!(written, header.len() + payload.len());
                }
            }
            if !output.is_empty() {
                stream.write_all(&output).expect(NO_FAILURE);
            }
        }
    })
}

/// The longest payload that is copied, so that many leave in one write.
const COPIED: usize = 4 << 10;
