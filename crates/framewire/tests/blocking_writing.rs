//! What the writing side promises between its calls: what is open, what waits, what is refused.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind as Kind;

use framewire::protocol::Role;
use framewire::{ErrorKind, Opcode};
use support::connect;
use support::operations::SMALL;
use support::script::{Direction, Fault, Plan, Script};

#[test]
fn a_flush_that_is_interrupted_is_made_again() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::Interrupted));
    let mut server = connect(Role::Server, Script::new([]).failing(plan), SMALL);
    server.write_message(Opcode::Text, b"x").unwrap();
    assert_eq!(server.stream().calls.flushes, 2);
    server.write_message(Opcode::Text, b"y").unwrap();
}

#[test]
fn a_flush_that_would_block_is_made_up_for_before_the_next_read() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::WouldBlock));
    let mut server = connect(Role::Server, Script::new([]).failing(plan), SMALL);
    server.write_message(Opcode::Text, b"x").unwrap();
    assert!(server.has_pending_output(), "the stream may hold it back");
    let _ = server.next_message();
    assert_eq!(server.stream().calls.flushes, 2);
    assert!(!server.has_pending_output());
}

#[test]
fn a_failed_stream_is_reported_although_a_message_is_open() {
    let plan = Plan::Nth(Direction::Write, 0, Fault::Error(Kind::BrokenPipe));
    let mut server = connect(Role::Server, Script::new([]).failing(plan), SMALL);
    server
        .stream_message(Opcode::Binary, 32, &[7; 100][..])
        .unwrap_err();
    let error = server.write_message(Opcode::Text, b"x").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == Kind::BrokenPipe));
}
