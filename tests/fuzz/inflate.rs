//! Any bytes as the payload of compressed messages. Nothing panics, the limit holds, and messages read whole
//! are the same as messages read in pieces.
//!
//! The input: four bytes for parameters and limits, three for piece lengths, one for the output's length, and
//! then fragments: a byte of flags, a byte of length, and the payload.

use crate::{Input, agreement, cut, receive, receive_in_pieces};
use framewire::CloseCode;
use framewire::deflate::DeflateConfig;
use framewire::protocol::Role;
use support::frames::{self, BINARY, CONTINUATION, FIN, Frame, PING, RSV1, TEXT, wire};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let role = input.role();
    let agreed = agreement(DeflateConfig::default(), &mut input);
    let limit = u64::from(input.byte()) * 64;
    let lengths = input.lengths();
    let output = usize::from(input.byte()) + 1;
    let bytes = wire(&fragments(role, input));

    let pieces = cut(&bytes, lengths);
    let whole = receive(role, &agreed, limit, &pieces);
    let at_once = receive(role, &agreed, limit, std::slice::from_ref(&bytes));
    let streamed = receive_in_pieces(role, &agreed, limit, output, &pieces);
    for other in [at_once, streamed] {
        assert_eq!(whole.messages, other.messages);
        // If a message exceeds its limit at the byte where it is broken, either error is right.
        let one_is_too_big = [whole.refused, other.refused].contains(&Some(TOO_BIG));
        if one_is_too_big {
            assert!(whole.refused.is_some() && other.refused.is_some());
        } else {
            assert_eq!(whole.refused, other.refused);
        }
    }
}

/// Reads fragments of messages. Flag 1 ends a message, 2 makes it begin as text, 4 makes it begin uncompressed,
/// and 8 puts a Ping before the fragment.
fn fragments(role: Role, mut input: Input<'_>) -> Vec<Frame> {
    let mut fragments = Vec::new();
    let mut begun = false;
    while !input.is_empty() {
        let flags = input.byte();
        let len = input.byte().into();
        let opcode = match (begun, flags & 2 == 0) {
            (true, _) => CONTINUATION,
            (false, true) => BINARY | if flags & 4 == 0 { RSV1 } else { 0 },
            (false, false) => TEXT | if flags & 4 == 0 { RSV1 } else { 0 },
        };
        if flags & 8 != 0 {
            fragments.push(frames::to(role, FIN | PING, [flags]));
        }
        let fin = if flags & 1 == 0 { 0 } else { FIN };
        fragments.push(frames::to(role, fin | opcode, input.bytes(len)));
        begun = fin == 0;
    }
    fragments
}

const TOO_BIG: CloseCode = CloseCode::MESSAGE_TOO_BIG;
