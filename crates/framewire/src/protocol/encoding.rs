//! Messages that an extension transforms while they are sent.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::extension::{LEAST_ROOM, MessageEncoder, Until};
use super::{Encoder, SendError};
use crate::frame::{MAX_HEADER, Opcode, Rsv, mask};

/// The extension's encoder, and the bytes that are held back of the message under way.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) extension: Box<dyn MessageEncoder>,
    held: Option<[u8; HELD]>,
}

impl Encoding {
    pub(crate) fn new(extension: Box<dyn MessageEncoder>) -> Self {
        Self {
            extension,
            held: None,
        }
    }

    /// Begins a message. Returns `false` where it is sent as it is.
    pub(crate) fn begin(&mut self) -> bool {
        self.held = None;
        self.extension.begin()
    }

    /// Appends the next frame of a message to `output`, which then holds `bound` bytes at most, or a few more. Removes
    /// what went into the frame from `rest`. Returns whether it was the last frame.
    ///
    /// # Errors
    /// The extension or the key source failed. Nothing was appended, and a message that had begun cannot be ended.
    pub(crate) fn append_frame(
        &mut self,
        encoder: &mut Encoder,
        opcode: Opcode,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let (opcode, rsv) = match encoder.message() {
            Some(_) => (Opcode::Continuation, Rsv::NONE),
            None => (opcode, self.extension.rsv()),
        };
        let start = output.len();
        // The length of the header is not known before the payload is.
        let payload = start + MAX_HEADER;
        reserve(output, MAX_HEADER, bound);
        output.resize(payload, 0);
        let appended = self.append(rest, bound, output).and_then(|last| {
            let header = encoder.frame(last, rsv, opcode, &output[payload..])?;
            Ok((last, header))
        });
        let (last, header) = appended.inspect_err(|_| {
            output.truncate(start);
            self.held = None;
            self.extension.abandon();
        })?;
        if let Some(key) = header.mask() {
            mask::apply(&mut output[payload..], key, 0);
        }
        let mut bytes = [0; MAX_HEADER];
        let len = header.encode(&mut bytes);
        output[start..start + len].copy_from_slice(&bytes[..len]);
        output.copy_within(payload.., start + len);
        output.truncate(output.len() - (MAX_HEADER - len));
        Ok(last)
    }

    /// Appends the payload of the next frame. Returns whether it is the last.
    fn append(
        &mut self,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let start = output.len();
        let mut step = (rest.len() + LEAST_STEP).min(STEP);
        reserve(output, HELD + step, bound);
        output.extend_from_slice(self.held.take().as_ref().map_or(&[], |held| &held[..]));
        loop {
            let filled = output.len();
            reserve(output, step, bound);
            output.resize(filled + step, 0);
            let encoded = self
                .extension
                .encode(rest, Until::End, &mut output[filled..])?;
            *rest = &rest[encoded.consumed..];
            output.truncate(filled + encoded.produced);
            if encoded.done {
                self.extension.end();
                return Ok(true);
            }
            step = STEP;
            // Some bytes are held back, so that the last frame is never empty.
            if output.len().saturating_add(step) > bound
                && output.len() - start > HELD
                && let Some((sent, held)) = output.split_last_chunk()
            {
                let sent = sent.len();
                self.held = Some(*held);
                output.truncate(sent);
                return Ok(false);
            }
        }
    }
}

/// How many bytes are held back for the next frame of a message.
const HELD: usize = 16;
/// The least room for the last bytes of a message, more than its end may take.
const LEAST_STEP: usize = 64;
/// How much room a message is given at a time.
const STEP: usize = 4 << 10;

const _: () = assert!(LEAST_STEP > LEAST_ROOM);

/// Makes room for more by doubling the capacity, but not over `bound` bytes while that is enough.
pub(crate) fn reserve(output: &mut Vec<u8>, additional: usize, bound: usize) {
    let needed = output.len() + additional;
    if needed > bound {
        output.reserve(additional);
    } else if needed > output.capacity() {
        let doubled = output.capacity().saturating_mul(2).min(bound);
        output.reserve_exact(needed.max(doubled) - output.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Header;
    use crate::protocol::Transformed;

    /// Leaves messages as they are, so many bytes of them in a call at most.
    #[derive(Debug)]
    struct Plain(usize);

    impl MessageEncoder for Plain {
        fn rsv(&self) -> Rsv {
            Rsv::RSV1
        }

        fn set_enabled(&mut self, _enabled: bool) {}

        fn wants(&self, _len: Option<usize>) -> bool {
            true
        }

        fn begin(&mut self) -> bool {
            true
        }

        fn encode(
            &mut self,
            input: &[u8],
            _until: Until,
            output: &mut [u8],
        ) -> Result<Transformed, SendError> {
            assert!(output.len() >= LEAST_ROOM, "{}", output.len());
            let len = input.len().min(output.len()).min(self.0);
            output[..len].copy_from_slice(&input[..len]);
            Ok(Transformed {
                consumed: len,
                produced: len,
                done: len == input.len(),
            })
        }

        fn end(&mut self) {}

        fn abandon(&mut self) {}
    }

    /// Returns the payloads of the frames of a message, each in an output of its own.
    fn payloads(most: usize, bound: usize, message: &[u8]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::server();
        encoder.allow_rsv(Rsv::RSV1);
        let mut encoding = Encoding::new(Box::new(Plain(most)));
        assert!(encoding.begin());
        let (mut rest, mut payloads) = (message, Vec::new());
        loop {
            let mut output = Vec::new();
            let opcode = Opcode::Binary;
            let last = encoding.append_frame(&mut encoder, opcode, &mut rest, bound, &mut output);
            let (header, len) = Header::decode(&output).unwrap().unwrap();
            assert_eq!(header.payload_len(), (output.len() - len) as u64);
            payloads.push(output.split_off(len));
            assert_eq!(last, Ok(header.fin()));
            if header.fin() {
                return payloads;
            }
        }
    }

    #[test]
    fn an_extension_has_its_least_room_for_a_message_of_any_length() {
        for len in (0..300).chain([STEP - 1, STEP, STEP + 1]) {
            let message = vec![7; len];
            assert_eq!(payloads(usize::MAX, usize::MAX, &message), [message]);
        }
    }

    #[test]
    fn a_short_message_takes_memory_for_itself_and_its_end() {
        let mut encoder = Encoder::server();
        encoder.allow_rsv(Rsv::RSV1);
        let mut encoding = Encoding::new(Box::new(Plain(usize::MAX)));
        let (mut rest, mut output) = (&[7; 100][..], Vec::new());
        let (opcode, bound) = (Opcode::Binary, usize::MAX);
        let last = encoding.append_frame(&mut encoder, opcode, &mut rest, bound, &mut output);
        assert_eq!(last, Ok(true));
        let most = MAX_HEADER + HELD + 100 + LEAST_STEP;
        assert!(output.capacity() <= most, "{}", output.capacity());
    }

    #[test]
    fn an_extension_shares_no_frames_unless_it_says_so() {
        assert_eq!(Plain(1).shared_kind(), None);
    }

    #[test]
    fn a_message_is_cut_where_more_could_exceed_the_bound_and_no_frame_of_it_is_empty() {
        let two_steps = MAX_HEADER + 2 * STEP;
        for (most, bound, len, frames) in [
            (usize::MAX, two_steps, 10_000, &[2 * STEP - HELD, 1824][..]),
            (usize::MAX, two_steps - 1, 5000, &[STEP - HELD, 920]),
            (HELD, 1, 40, &[16, 24]),
            (HELD / 2, 1, 40, &[8, 8, 24]),
        ] {
            let message: Vec<_> = (0..=250).cycle().take(len).collect();
            let payloads = payloads(most, bound, &message);
            let lens: Vec<_> = payloads.iter().map(Vec::len).collect();
            assert_eq!(lens, frames, "{most} {bound}");
            assert_eq!(payloads.concat(), message, "{most} {bound}");
        }
    }

    /// Returns the capacity of an output that holds `len` bytes, once there is room for more.
    fn reserved(output: &mut Vec<u8>, len: usize, additional: usize, bound: usize) -> usize {
        output.resize(len, 0);
        reserve(output, additional, bound);
        output.capacity()
    }

    #[test]
    fn memory_doubles_where_it_is_used_up_but_not_over_the_bound_before_that_is_necessary() {
        let output = &mut Vec::new();
        assert_eq!(reserved(output, 0, 10, 100), 10);
        assert_eq!(reserved(output, 6, 4, 100), 10);
        assert_eq!(reserved(output, 10, 1, 100), 20);
        assert_eq!(reserved(output, 20, 15, 35), 35);
        assert!(reserved(output, 35, 1, 35) >= 70);
    }
}
