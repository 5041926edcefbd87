//! A message that is streamed from a source, and gone on with by other calls where that stops: because the source
//! fails, because the stream would block, or because the call is dropped while it waits.

use std::io::{ErrorKind as Kind, Write as _};

use framewire::protocol::Role;
use framewire::{Error, ErrorKind, Fault as Whose, Opcode};
use support::compression::Compression;
use support::connection::{Connection, Endpoint, MessageWriter, endpoints, endpoints_with, ends};
use support::frames::{FIN, PING};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::peer::{Direction, Ending, Fault, Plan, ScriptedPeer};
use support::view::View;
use support::wait::{Drops, Threads, in_turns};
use support::{Replay, again, io_again, pattern};

fn view(end: Endpoint, peer: &ScriptedPeer) -> View {
    View::of(end.role, &end.heard(&peer.written()))
}

fn is_message_open(result: Result<(), Error>) -> bool {
    matches!(result.unwrap_err().kind(), ErrorKind::Send(_))
}

/// The rule, by hand.
#[test]
fn a_message_whose_source_failed_is_ended_from_another() {
    for end in ends().filter(|end| end.role == Role::Server) {
        let peer = ScriptedPeer::default();
        let mut server = end.with(&peer);
        let mut failing = ScriptedPeer::saying([b"Hello"]).ending(Ending::Failure(Kind::Other));
        let failed = server.stream_message(Opcode::Text, 3, &mut failing);
        assert!(matches!(failed.unwrap_err().kind(), ErrorKind::Source(_)));
        assert_eq!(peer.written(), b"\x01\x03Hel");
        let writer = server.resume_message_writer().unwrap();
        assert_eq!(writer.finish_from(&mut &b"!"[..]).unwrap(), 6);
        assert_eq!(peer.written(), b"\x01\x03Hel\x80\x03lo!");
    }
}

// The same at every read of the source.

#[test]
fn a_source_that_fails_midway_is_taken_up_again() {
    for end in endpoints() {
        for fault in [Kind::ConnectionReset, Kind::Other] {
            for n in 0.. {
                let _replay = Replay(|| format!("{fault:?} at read {n}"));
                if !fail_source_at(end, fault, n) {
                    assert!(n > 9);
                    break;
                }
            }
        }
    }
}

/// Says whether there was such a read.
fn fail_source_at(end: Endpoint, fault: Kind, n: usize) -> bool {
    let (peer, bytes) = (ScriptedPeer::default(), pattern(90));
    let mut source = ScriptedPeer::new(&bytes[..])
        .in_pieces_of(10)
        .failing(Plan::Nth(Direction::Read, n, Fault::Error(fault)));
    let mut socket = end.open(&peer, SMALL).unwrap();
    let result = socket.stream_message(Opcode::Binary, 32, &mut source);
    let has_failed = source.failed().is_some();
    if has_failed {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Source(error) if error.kind() == fault));
        assert_eq!(error.fault(), Whose::Caller);
        assert!(is_message_open(socket.write("x")));
        let writer = socket.resume_message_writer().unwrap();
        assert_eq!(writer.finish_from(&mut source).unwrap(), 90);
    } else {
        assert_eq!(result.unwrap(), 90);
    }
    assert_eq!(view(end, &peer).payloads(), [bytes]);
    if end.compression == Compression::None {
        let sent = frames_in(&peer.written());
        let sizes: Vec<_> = sent.iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(sizes, [32, 32, 26]);
    }
    has_failed
}

// Where the stream would block, or the call is dropped while it waits for the n-th time.

/// So much noise that what compresses it does not keep it all.
const MUCH: usize = 20_000;

#[test]
fn what_was_read_of_the_source_goes_before_what_is_written_by_hand() {
    for end in endpoints_with(Compression::None) {
        for at_most in [7, 0] {
            // What does not wait has one place to stop at.
            for n in 1.. {
                if !stop_at(end, at_most, n, 100) || !end.kind.waits() {
                    break;
                }
            }
        }
    }
    let compressions = [Compression::Takeover, Compression::NoTakeover];
    let ends = compressions.into_iter().flat_map(endpoints_with);
    for end in ends.filter(|end| end.kind.threads() == Threads::One) {
        for n in [1, 2, 6, 11, 101] {
            assert!(stop_at(end, 20, n, MUCH));
        }
    }
}

/// Stops a message, and ends it by hand. Says whether it was stopped before its end.
fn stop_at(end: Endpoint, at_most: usize, n: usize, len: usize) -> bool {
    [false, true].into_iter().all(|flushes| {
        let _replay = Replay(|| format!("stopped at {n}, by {at_most}, flushes: {flushes}"));
        let peer = ScriptedPeer::default().in_pieces_of(at_most).waiting();
        let mut socket = end.open(&peer, SMALL).unwrap();
        let payload = pattern(2 * len);
        let (first, rest) = payload.split_at(len);
        let mut source = first;
        let stream = || socket.stream_message(Opcode::Binary, 32, &mut source);
        let (streamed, _) = in_turns(&peer, Drops::At(n), stream);
        if streamed.is_ok() || socket.resume_message_writer().is_none() {
            return false;
        }
        let read = &first[..len - source.len()];
        if flushes {
            let flush = || io_again(|| resumed(&mut *socket).flush());
            in_turns(&peer, Drops::At(n), flush).0.unwrap();
            let (_, so_far) = view(end, &peer).open.unwrap();
            assert!(so_far == read);
        }
        let between = || {
            let other = again(|| match socket.write("no") {
                Err(error) if error.is_would_block() => Err(error),
                other => Ok(is_message_open(other)),
            });
            assert!(other.unwrap());
            again(|| socket.ping(b"between"))
        };
        in_turns(&peer, Drops::Never, between).0.unwrap();
        let by_hand = || end_by_hand(&mut *socket, rest, read.len() + rest.len());
        in_turns(&peer, Drops::At(n), by_hand);
        let view = view(end, &peer);
        assert!(view.payloads() == [[read, rest].concat()]);
        assert_eq!(view.control, [(FIN | PING, b"between".to_vec())]);
        true
    })
}

/// Writes the rest of a message that is so long as a whole.
fn end_by_hand(socket: &mut dyn Connection, mut rest: &[u8], len: usize) {
    while !rest.is_empty() {
        let written = io_again(|| resumed(socket).write(rest)).unwrap();
        rest = &rest[written..];
    }
    // Its end may be taken by a call that is dropped.
    let finished = again(|| match socket.resume_message_writer() {
        Some(writer) => writer.finish(),
        None => Ok(len as u64),
    });
    assert_eq!(finished.unwrap(), len as u64);
    again(|| socket.flush()).unwrap();
}

fn resumed(socket: &mut dyn Connection) -> MessageWriter<'_> {
    socket.resume_message_writer().expect("it is open")
}
