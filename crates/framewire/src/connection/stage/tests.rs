use super::*;
use crate::connection::{Config, Replies as _, Reply};
use crate::pool::Buffers;
use crate::protocol::{Encoder, Sender};

fn server(config: Config) -> Outbound {
    Outbound::new(Sender::new(Encoder::server()), &config, Buffers::Kept)
}

fn client(config: Config) -> Outbound {
    let encoder = Encoder::client(|| Some([1, 2, 3, 4]));
    Outbound::new(Sender::new(encoder), &config, Buffers::Kept)
}

#[test]
fn a_message_follows_the_answer_that_waited_before_it() {
    let mut outbound = server(Config::default().write_buffer(100));
    let full = Outgoing::binary(&[7; 98]);
    assert!(outbound.stage_message(&full).unwrap().is_nothing());
    outbound.reply(Reply::Pong(ControlPayload::EMPTY));
    outbound.wrote(Ok(100), &mut Unsent::Nothing).unwrap();
    let message = Outgoing::text("a");
    assert!(outbound.stage_message(&message).unwrap().is_nothing());
    let staged = outbound.staged().unwrap().unwrap();
    assert_eq!(staged, b"\x8A\0\x81\x01a");
}

#[test]
fn a_client_copies_what_is_fed_while_the_write_buffer_has_room() {
    let config = Config::default().chunk_size(1000).write_buffer(6000);
    let mut outbound = client(config);
    let message = Outgoing::binary(&[7; 2000]);
    for _ in 0..2 {
        assert!(outbound.stage_fed(&message).unwrap().is_nothing());
    }
    // A header of 8 bytes for each.
    assert_eq!(outbound.buffered(), 2 * 2008);
    let full = outbound.stage_fed(&message);
    assert!(matches!(full, Err(NotStaged::Full)), "{full:?}");
}

#[test]
fn a_server_copies_nothing_of_a_long_message() {
    let mut outbound = server(Config::default().chunk_size(1000));
    let message = Outgoing::binary(&[7; 1001]);
    let unsent = outbound.stage_fed(&message).unwrap();
    assert!(matches!(unsent, Unsent::Plain(payload) if payload.len() == 1001));
    assert_eq!(outbound.buffered(), 4);
}

#[test]
fn what_waits_has_to_leave_room_for_the_payload_and_the_longest_header() {
    for (waiting, longest) in [(86, 0), (50, 36), (1, 85)] {
        for (len, fits) in [(longest, true), (longest + 1, false)] {
            let mut outbound = server(Config::default().write_buffer(100));
            outbound.append_raw(&vec![7; waiting]);
            assert_eq!(outbound.make_room(len).is_ok(), fits, "{waiting} {len}");
            let payload = vec![7; len];
            let message = Outgoing::binary(&payload);
            match outbound.stage_message(&message) {
                Ok(unsent) => assert!(fits && unsent.is_nothing(), "{waiting} {len}"),
                Err(NotStaged::Full) => assert!(!fits, "{waiting} {len}"),
                other => panic!("{other:?}"),
            }
            let mut outbound = server(Config::default().write_buffer(100));
            outbound.append_raw(&vec![7; waiting]);
            let fed = outbound.try_feed(&payload);
            assert_eq!(fed.is_ok(), fits, "{waiting} {len}");
        }
    }
    let mut outbound = server(Config::default().write_buffer(100));
    outbound.append_raw(&[7; 100]);
    let full = outbound.stage_message(&Outgoing::text(""));
    assert!(matches!(full, Err(NotStaged::Full)), "{full:?}");
}

#[test]
fn a_message_takes_memory_for_its_payload_as_far_as_that_is_copied_and_the_longest_header() {
    let config = Config::default().chunk_size(1000);
    for (len, copied) in [(50, 50), (1000, 1000), (5000, 1000)] {
        for mut outbound in [server(config), client(config)] {
            let payload = vec![7; len];
            let unsent = outbound.stage_message(&Outgoing::binary(&payload));
            assert_eq!(unsent.unwrap().is_nothing(), len == copied);
            assert_eq!(outbound.output.capacity(), MAX_HEADER + copied, "{len}");
        }
    }
}

#[cfg(feature = "futures")]
#[test]
fn a_client_copies_what_a_sink_takes_while_the_write_buffer_has_room() {
    let config = Config::default().chunk_size(1000).write_buffer(6000);
    let mut outbound = client(config);
    let message = Outgoing::binary(&[7; 2000]);
    for _ in 0..2 {
        outbound.make_ready().unwrap();
        assert!(outbound.stage_whole(&message).unwrap().is_nothing());
    }
    assert_eq!(outbound.buffered(), 2 * 2008);
    // A message that was promised room is taken, but no more of it is copied than of any long one.
    outbound.make_ready().unwrap();
    let unsent = outbound.stage_whole(&message).unwrap();
    assert!(matches!(unsent, Unsent::Masked { done: 0, .. }));
    assert_eq!(outbound.buffered(), 2 * 2008 + 8);
}

#[test]
fn a_prepared_message_is_copied_where_more_is_expected_while_the_write_buffer_has_room() {
    let prepared = PreparedMessage::new([7; 38]).unwrap();
    let mut outbound = server(Config::default().write_buffer(100));
    let unsent = outbound.stage_prepared(&prepared).unwrap();
    assert!(matches!(unsent, Unsent::Plain(frame) if frame.len() == 40));
    let mut outbound = server(Config::default().write_buffer(100));
    outbound.expect_more(true);
    for copied in [40, 80] {
        let unsent = outbound.stage_prepared(&prepared).unwrap();
        assert!(unsent.is_nothing());
        assert_eq!(outbound.buffered(), copied);
    }
    let unsent = outbound.stage_prepared(&prepared).unwrap();
    assert!(matches!(unsent, Unsent::Plain(frame) if frame.len() == 40));
}
