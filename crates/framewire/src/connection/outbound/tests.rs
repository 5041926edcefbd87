use super::*;
use crate::error::Close;
use crate::protocol::Encoder;

fn server(config: Config) -> Outbound {
    Outbound::new(Sender::new(Encoder::server()), &config, Buffers::Kept)
}

/// Stages a binary message of so many bytes.
fn stage(outbound: &mut Outbound, len: usize) {
    let payload = vec![7; len];
    let unsent = outbound.stage_message(&Outgoing::binary(&payload));
    assert!(unsent.unwrap().is_nothing());
}

#[test]
fn a_message_waits_while_more_is_expected_and_the_write_buffer_is_not_full() {
    let mut outbound = server(Config::default().write_buffer(100));
    stage(&mut outbound, 97);
    assert!(!outbound.may_coalesce(), "nothing is expected");
    outbound.expect_more(true);
    assert_eq!(outbound.buffered(), 99);
    assert!(outbound.may_coalesce());
    let mut outbound = server(Config::default().write_buffer(100));
    outbound.expect_more(true);
    stage(&mut outbound, 98);
    assert_eq!(outbound.buffered(), 100);
    assert!(!outbound.may_coalesce());
}

#[test]
fn fragments_wait_where_that_is_asked_for_until_the_write_buffer_is_full() {
    let config = Config::default().write_buffer(10);
    assert!(!server(config).append_fragment(&[0; 4]));
    let mut outbound = server(config.coalesce_writes(true));
    assert!(outbound.append_fragment(&[0; 4]));
    assert!(!outbound.append_fragment(&[0; 7]));
    assert!(outbound.append_fragment(&[0; 6]));
    assert_eq!(outbound.buffered(), 10);
    assert!(!outbound.append_fragment(&[0; 1]));
}

fn ping(outbound: &mut Outbound) {
    outbound.reply(Reply::Pong(ControlPayload::EMPTY));
}

#[test]
fn a_pong_goes_into_the_write_buffer_unless_that_is_full() {
    for (len, room) in [(97, true), (98, false)] {
        let mut outbound = server(Config::default().write_buffer(100));
        stage(&mut outbound, len);
        let before = outbound.buffered();
        ping(&mut outbound);
        assert_eq!(outbound.buffered() > before, room, "{len}");
        assert_eq!(outbound.sender.has_reply(), !room, "{len}");
    }
}

#[test]
fn a_pong_waits_for_the_end_of_a_frame_of_which_the_caller_holds_payload() {
    let mut outbound = server(Config::default().chunk_size(10));
    let payload = Outgoing::binary(&[7; 100]);
    let mut unsent = outbound.stage_message(&payload).unwrap();
    ping(&mut outbound);
    let header = outbound.buffered();
    assert_eq!(header, 2);
    assert!(outbound.sender.has_reply() && !outbound.can_send_reply());
    outbound.wrote(Ok(header + 100), &mut unsent).unwrap();
    assert!(outbound.next_write(&mut unsent).unwrap().is_none());
    assert!(outbound.can_send_reply());
    assert_eq!(outbound.staged_with_reply().unwrap().unwrap(), [0x8A, 0]);
    assert!(!outbound.can_send_reply(), "it is in the write buffer");
}

#[test]
fn an_answer_takes_memory_for_one_control_frame() {
    let close = Close::of(&1000_u16.to_be_bytes());
    for reply in [
        Reply::Pong(ControlPayload::EMPTY),
        Reply::Close(Some(ControlPayload::EMPTY), close),
    ] {
        let mut outbound = server(Config::default());
        outbound.reply(reply);
        assert!(outbound.buffered() > 0);
        assert_eq!(outbound.output.capacity(), MAX_HEADER + MAX_CONTROL_PAYLOAD);
    }
}

#[test]
fn an_error_says_how_the_connection_was_closed_where_this_end_has_closed_it() {
    let mut outbound = server(Config::default());
    let open = outbound.send_error(SendError::Closed);
    assert!(matches!(open.kind(), ErrorKind::Send(SendError::Closed)));
    outbound.queue_normal_close();
    let closed = outbound.send_error(SendError::Closed);
    assert!(matches!(closed.kind(), ErrorKind::Closed(_)));
}
