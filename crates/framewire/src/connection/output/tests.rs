use super::*;
use crate::connection::{Config, Replies as _, Reply};
use crate::error::ErrorKind;
use crate::frame::ControlPayload;
use crate::pool::{BufferPool, Buffers};
use crate::protocol::{Encoder, Outgoing, SendError, Sender};

/// A server that retains a write buffer of 1,114 bytes at most.
fn server(buffers: Buffers) -> Outbound {
    let config = Config::default().write_buffer(1000).chunk_size(100);
    Outbound::new(Sender::new(Encoder::server()), &config, buffers)
}

/// Writes so many of the bytes that wait.
fn write(outbound: &mut Outbound, len: usize) {
    outbound.wrote(Ok(len), &mut Unsent::Nothing).unwrap();
}

#[test]
fn memory_grows_to_what_is_retained_and_over_it_only_where_that_is_necessary() {
    let mut outbound = server(Buffers::Kept);
    outbound.append_raw(&[7; 600]);
    assert_eq!(outbound.output.capacity(), 600);
    outbound.append_raw(&[7; 1]);
    assert_eq!(outbound.output.capacity(), 1114);
    outbound.append_raw(&[7; 513]);
    assert_eq!(outbound.output.capacity(), 1114);
    outbound.append_raw(&[7; 1]);
    assert!(outbound.output.capacity() > 1114);
}

#[test]
fn an_empty_write_buffer_keeps_what_is_retained_and_no_more() {
    for (len, kept) in [(1114, true), (1115, false)] {
        let mut outbound = server(Buffers::Kept);
        outbound.append_raw(&vec![7; len]);
        assert_eq!(outbound.output.capacity(), len);
        write(&mut outbound, len - 1);
        assert!(!outbound.end_write());
        write(&mut outbound, 1);
        assert!(outbound.end_write());
        assert_eq!(outbound.output.capacity() > 0, kept, "{len}");
    }
}

#[test]
fn what_was_written_makes_room_once_it_is_half_of_the_buffer() {
    let mut outbound = server(Buffers::Kept);
    outbound.append_raw(&[[1; 50], [2; 50]].concat());
    for (written, held) in [(49, 100), (1, 50)] {
        write(&mut outbound, written);
        outbound.stall();
        assert_eq!(outbound.output.len(), held);
    }
    assert_eq!(outbound.staged().unwrap().unwrap(), [2; 50]);
}

#[test]
fn memory_is_taken_from_the_pool_and_goes_back_once_nothing_waits() {
    let pool = Buffers::Pooled(BufferPool::keeping(1));
    let mut outbound = server(pool);
    outbound.append_raw(&[7; 1000]);
    let memory = outbound.output.as_ptr();
    outbound.rest();
    assert_eq!(outbound.buffered(), 1000, "nothing is lost while it waits");
    outbound.retain_buffer(true);
    write(&mut outbound, 1000);
    assert!(outbound.end_write());
    assert_eq!(outbound.output.as_ptr(), memory, "a read may need it");
    outbound.retain_buffer(false);
    outbound.rest();
    assert_eq!(outbound.output.capacity(), 0);
    outbound.append_raw(&[7]);
    assert_eq!(outbound.output.as_ptr(), memory);
    write(&mut outbound, 1);
    assert!(outbound.end_write());
    assert_eq!(outbound.output.capacity(), 0);
}

#[test]
fn a_write_has_not_ended_while_an_answer_is_pending() {
    let mut outbound = server(Buffers::Kept);
    let message = Outgoing::binary(&[7; 101]);
    let mut unsent = outbound.stage_message(&message).unwrap();
    outbound.reply(Reply::Pong(ControlPayload::EMPTY));
    outbound.wrote(Ok(2 + 101), &mut unsent).unwrap();
    assert_eq!(outbound.buffered(), 0);
    assert!(!outbound.end_write());
}

#[test]
fn a_client_masks_the_next_part_of_a_long_message_once_the_last_was_written() {
    let config = Config::default().write_buffer(1000).chunk_size(100);
    let sender = Sender::new(Encoder::client(|| Some([1, 2, 3, 4])));
    let mut outbound = Outbound::new(sender, &config, Buffers::Kept);
    let message = Outgoing::binary(&[7; 2500]);
    let mut unsent = outbound.stage_message(&message).unwrap();
    let mut waiting = vec![];
    while let Some([staged, payload]) = outbound.next_write(&mut unsent).unwrap() {
        assert!(payload.is_empty());
        waiting.push(staged.len());
        // The stream takes 600 bytes at a time.
        let len = staged.len().min(600);
        write(&mut outbound, len);
    }
    // The header has 8 bytes.
    assert_eq!(waiting, [1008, 408, 1000, 400, 500]);
}

#[test]
fn what_was_interrupted_is_done_again_and_no_failure() {
    let interrupted = || io::Error::from(io::ErrorKind::Interrupted);
    let mut outbound = server(Buffers::Kept);
    outbound.append_raw(&[7; 10]);
    let written = outbound.wrote(Err(interrupted()), &mut Unsent::Nothing);
    written.unwrap();
    assert_eq!(outbound.staged().unwrap().unwrap(), [7; 10]);
    assert!(outbound.flushed(Err(interrupted())).unwrap(), "once more");
    assert!(!outbound.flushed(Ok(())).unwrap());
    assert!(outbound.failure().is_none());
}

#[test]
fn an_answer_without_a_masking_key_is_an_error_once_nothing_else_waits() {
    let sender = Sender::new(Encoder::client(|| None));
    let mut outbound = Outbound::new(sender, &Config::default(), Buffers::Kept);
    outbound.append_raw(&[7; 10]);
    outbound.reply(Reply::Pong(ControlPayload::EMPTY));
    assert_eq!(outbound.staged_with_reply().unwrap().unwrap(), [7; 10]);
    write(&mut outbound, 10);
    for _ in 0..2 {
        let error = outbound.staged_with_reply().unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Send(SendError::NoEntropy)
        ));
    }
    assert!(outbound.staged().unwrap().is_none(), "it is still pending");
}
