use super::*;

/// An extension that marks its messages with two bits and leaves them as they are.
#[derive(Debug)]
struct TwoBits;

impl MessageDecoder for TwoBits {
    fn rsv(&self) -> Rsv {
        Rsv::RSV1 | Rsv::RSV2
    }

    fn decode(
        &mut self,
        input: &[u8],
        _last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        let len = input.len().min(output.len());
        output[..len].copy_from_slice(&input[..len]);
        Ok(Transformed {
            consumed: len,
            produced: len,
            done: len == input.len(),
        })
    }
}

#[test]
fn a_message_with_some_of_the_bits_of_an_extension_is_none_of_its_messages_and_keeps_them() {
    let mut receiver = Receiver::new(Role::Server, Limits::default());
    let both = Rsv::RSV1 | Rsv::RSV2;
    assert!(!receiver.is_encoded(both));
    assert_eq!(receiver.given_rsv(both), both);
    receiver.set_message_decoder(Box::new(TwoBits));
    for (rsv, is_encoded, given) in [
        (Rsv::NONE, false, Rsv::NONE),
        (Rsv::RSV1, false, Rsv::RSV1),
        (Rsv::RSV2 | Rsv::RSV3, false, Rsv::RSV2 | Rsv::RSV3),
        (both, true, Rsv::NONE),
        (both | Rsv::RSV3, true, Rsv::RSV3),
    ] {
        assert_eq!(receiver.is_encoded(rsv), is_encoded, "{rsv:?}");
        assert_eq!(receiver.given_rsv(rsv), given, "{rsv:?}");
    }
}

#[test]
fn messages_are_equal_if_their_opcodes_their_bits_and_their_payloads_are() {
    fn message(opcode: Opcode, rsv: Rsv, payload: &mut [u8]) -> Message<'_> {
        Message::new(opcode, rsv, payload)
    }
    let (mut a, mut same, mut b) = (*b"a", *b"a", *b"b");
    let first = message(Opcode::Text, Rsv::NONE, &mut a);
    assert_eq!(first, message(Opcode::Text, Rsv::NONE, &mut same));
    assert_ne!(first, message(Opcode::Text, Rsv::NONE, &mut b));
    assert_ne!(first, message(Opcode::Binary, Rsv::NONE, &mut same));
    assert_ne!(first, message(Opcode::Text, Rsv::RSV1, &mut same));
}
