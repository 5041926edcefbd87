use super::*;
use alloc::string::{String, ToString as _};

fn server() -> Sender {
    Sender::new(Encoder::server())
}

fn payload(bytes: &[u8]) -> ControlPayload {
    ControlPayload::new(bytes).unwrap()
}

/// Writes what is pending.
fn written(sender: &mut Sender) -> Vec<u8> {
    let mut output = Vec::new();
    while sender.write_reply(&mut output).unwrap() {}
    output
}

#[test]
fn a_later_pong_replaces_an_earlier_one_and_a_close_frame_replaces_both() {
    let mut sender = server();
    sender.queue_pong(payload(b"a"));
    sender.queue_pong(payload(b"b"));
    assert!(sender.has_reply() && !sender.is_closing());
    assert_eq!(written(&mut sender), b"\x8A\x01b");
    sender.queue_pong(payload(b"c"));
    sender.queue_close(ControlPayload::EMPTY);
    assert!(sender.is_closing());
    sender.queue_pong(payload(b"d"));
    sender.queue_close(payload(&[3, 232]));
    assert_eq!(written(&mut sender), b"\x88\0");
}

#[test]
fn nothing_is_queued_after_a_close_frame() {
    let mut sender = server();
    let mut output = Vec::new();
    sender
        .frame(true, Rsv::NONE, Opcode::Close, b"", &mut output)
        .unwrap();
    assert!(sender.is_closing());
    sender.queue_pong(payload(b"a"));
    sender.queue_close(ControlPayload::EMPTY);
    assert!(!sender.has_reply());
}

#[cfg(feature = "std")]
#[test]
fn the_memory_of_replies_is_given_back_once_none_is_pending() {
    let mut sender = server();
    sender.queue_pong(payload(b"a"));
    sender.rest();
    assert_eq!(written(&mut sender), b"\x8A\x01a");
    assert!(sender.reply.is_some(), "the next one uses it again");
    sender.rest();
    assert!(sender.reply.is_none());
}

#[test]
fn a_violation_is_answered_with_its_code_and_its_text() {
    let violation = Violation::ReservedOpcode(3);
    let mut sender = server();
    sender.queue_violation(&violation);
    let close = written(&mut sender);
    assert_eq!(close[..2], [0x88, u8::try_from(close.len() - 2).unwrap()]);
    assert_eq!(close[2..4], violation.close_code().get().to_be_bytes());
    assert_eq!(close[4..], *violation.to_string().as_bytes());
}

#[test]
fn a_reason_is_cut_off_between_characters_after_123_bytes_at_most() {
    let mut reason = Reason::default();
    assert_eq!(reason.as_str(), "");
    for (text, fits) in [("ab", true), (&"é".repeat(60), true), ("€", false)] {
        assert_eq!(reason.write_str(text).is_ok(), fits, "{text}");
    }
    assert_eq!(reason.as_str(), ["ab", &"é".repeat(60)].concat());
    reason.write_str("c").unwrap();
    let whole: String = ["ab", &"é".repeat(60), "c"].concat();
    assert_eq!((reason.as_str(), whole.len()), (&*whole, MAX_REASON));
    assert!(reason.write_str("d").is_err());
}
