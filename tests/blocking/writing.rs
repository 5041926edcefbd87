//! What the writing side makes of a flush that a blocking stream has not done.

use std::io::ErrorKind as Kind;

use framewire::protocol::Role;
use support::connect;
use support::operations::SMALL;
use support::peer::{Direction, Fault, Plan, ScriptedPeer};

#[test]
fn a_flush_that_is_interrupted_is_made_again() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::Interrupted));
    let mut server = connect(Role::Server, ScriptedPeer::new([]).failing(plan), SMALL);
    server.write("x").unwrap();
    assert_eq!(server.stream().calls().flushes, 2);
    server.write("y").unwrap();
}

#[test]
fn a_flush_that_would_block_is_made_up_for_before_the_next_read() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::WouldBlock));
    let mut server = connect(Role::Server, ScriptedPeer::new([]).failing(plan), SMALL);
    server.write("x").unwrap();
    assert!(server.has_pending_output(), "the stream may hold it back");
    let _ = server.next_message();
    assert_eq!(server.stream().calls().flushes, 2);
    assert!(!server.has_pending_output());
}
