//! What the writing side promises between its calls: what is open, what waits, what is refused.

use std::io::Write as _;

use framewire::frame::Rsv;
use framewire::protocol::Role;
use framewire::protocol::SendError;
use framewire::{Error, ErrorKind, Opcode, TryFeedError};
use support::connection::{Endpoint, endpoints, ends};
use support::frames::{BINARY, FIN, PING, PONG, TEXT, to, wire};
use support::operations::{Again, Hands, Operation, SENDING, SMALL};
use support::oracle::frames_in;
use support::peer::{ScriptedPeer, Taking};
use support::view::View;
use support::{each, pattern};

/// What the peer makes of all that it was sent.
fn view(end: Endpoint, peer: &ScriptedPeer) -> View {
    View::of(end.role, &end.heard(&peer.written()))
}

fn is_message_open(result: &Result<(), Error>) -> bool {
    let kind = result.as_ref().err().map(Error::kind);
    matches!(kind, Some(ErrorKind::Send(SendError::MessageOpen(_))))
}

/// The rule, by hand: a message in two pieces, and what goes between them.
#[test]
fn a_ping_goes_between_the_pieces_of_a_message_and_another_message_does_not() {
    for end in ends().filter(|end| end.role == Role::Server) {
        let peer = ScriptedPeer::default();
        let mut server = end.with(&peer);
        let mut writer = server.message_writer(Opcode::Text).unwrap();
        writer.write_all(b"Hel").unwrap();
        writer.flush().unwrap();
        drop(writer);
        assert!(is_message_open(&server.write_message(Opcode::Text, b"no")));
        server.ping(b"?").unwrap();
        let mut writer = server.resume_message_writer().unwrap();
        writer.write_all(b"lo").unwrap();
        assert_eq!(writer.finish().unwrap(), 5);
        assert_eq!(peer.written(), b"\x01\x03Hel\x89\x01?\x80\x02lo");
    }
}

#[test]
fn a_message_whose_writer_was_dropped_stays_open_to_control_frames_alone() {
    for end in endpoints() {
        let (peer, bytes) = (ScriptedPeer::default(), pattern(100));
        let mut socket = end.open(&peer, SMALL).unwrap();
        let mut writer = socket.message_writer(Opcode::Binary).unwrap();
        writer.write_all(&bytes[..50]).unwrap();
        drop(writer);

        for operation in Operation::sending_messages(end.kind) {
            let refused = operation.call(&mut *socket, &mut Hands::new(b"x", 16));
            assert!(is_message_open(&refused), "{operation:?}: {refused:?}");
        }
        // Nor does a raw frame go on with what is no raw message.
        for opcode in each([Opcode::Continuation, Opcode::Binary]) {
            let refused = socket.write_frame(true, Rsv::NONE, opcode, b"x");
            assert!(is_message_open(&refused), "{refused:?}");
        }
        socket.ping(b"mine").unwrap();
        peer.say(to(end.role, FIN | PING, b"yours").bytes());
        assert!(socket.next_message().unwrap_err().is_would_block());
        let controls = [
            (FIN | PING, b"mine".to_vec()),
            (FIN | PONG, b"yours".to_vec()),
        ];
        assert_eq!(view(end, &peer).control, controls);

        let mut writer = socket.resume_message_writer().unwrap();
        writer.write_all(&bytes[50..]).unwrap();
        assert_eq!(writer.finish().unwrap(), 100);
        assert!(socket.resume_message_writer().is_none());
        socket.write_message(Opcode::Text, b"x").unwrap();
        assert_eq!(view(end, &peer).payloads(), [&bytes[..], b"x"]);
    }
}

#[test]
fn a_stream_that_could_send_no_frame_is_refused_and_leaves_no_message_open() {
    for end in endpoints() {
        let peer = ScriptedPeer::default();
        let mut socket = end.open(&peer, SMALL).unwrap();
        let (text, rsv) = (Opcode::Text, Rsv::RSV2);
        for refused in [
            socket.message_writer_ext(text, rsv).map(drop),
            socket
                .stream_message_ext(text, rsv, 32, &mut &b"x"[..])
                .map(drop),
        ] {
            let error = refused.unwrap_err();
            let bits = SendError::ReservedBits(rsv);
            assert!(matches!(error.kind(), ErrorKind::Send(error) if *error == bits));
        }
        assert!(socket.resume_message_writer().is_none());
        socket.write_message(text, b"x").unwrap();
        assert_eq!(view(end, &peer).payloads(), [b"x"]);
    }
}

#[test]
fn nothing_is_taken_before_the_stream_has_taken_what_was() {
    for end in endpoints() {
        for len in each([5, 500]) {
            let peer = ScriptedPeer::default().taking(Taking::Nothing);
            let mut socket = end.open(&peer, SMALL).unwrap();
            let first = pattern(len);
            // What does not wait has taken it, and so has what was dropped while it waits.
            let _ = socket.write_message(Opcode::Binary, &first);
            assert!(socket.has_pending_output());
            let buffered = socket.buffered();
            // All but one that takes what there is room for, and never waits.
            let others = SENDING.iter().filter(|one| one.again == Again::MaybeTwice);
            for other in others.filter(|one| one.waits) {
                let result = other.call(&mut *socket, &mut Hands::new(b"not taken", 16));
                assert!(result.unwrap_err().is_would_block(), "{other:?}");
                assert_eq!(socket.buffered(), buffered, "{other:?}");
            }
            peer.set_taking(Taking::All);
            socket.write_message(Opcode::Text, b"second").unwrap();
            assert!(!socket.has_pending_output());
            let view = view(end, &peer);
            assert_eq!(view.payloads(), [&first[..], b"second"]);
            assert!(view.control.is_empty());
        }
    }
}

#[test]
fn what_only_asks_writes_nothing() {
    let config = SMALL.write_buffer(10);
    let payload = pattern(10);
    for end in endpoints() {
        let frames = [
            to(end.role, FIN | TEXT, b"a"),
            to(end.role, FIN | PING, b"?"),
            to(end.role, FIN | TEXT, b"b"),
        ];
        let peer = ScriptedPeer::saying([end.said(&frames)]).taking(Taking::Nothing);
        let mut socket = end.open(&peer, config).unwrap();
        socket.next_message().unwrap();
        // There is no room for the Pong.
        socket.try_feed_message(Opcode::Binary, &payload).unwrap();
        socket.next_message().unwrap();
        peer.set_taking(Taking::All);

        socket.set_compression(false);
        assert!(socket.has_pending_output());
        assert!(socket.buffered() >= 12);
        assert_eq!(socket.sent_close(), None);
        let full = socket.try_feed_message(Opcode::Binary, &payload);
        assert!(matches!(full, Err(TryFeedError::Full(given)) if given == payload));
        assert_eq!(peer.written(), b"");

        socket.flush().unwrap();
        assert!(!socket.has_pending_output());
        let sent = [(FIN | BINARY, payload.clone()), (FIN | PONG, b"?".to_vec())];
        assert_eq!(frames_in(&end.heard(&peer.written())), sent);
    }
}

#[test]
fn what_was_fed_before_or_after_a_split_goes_out_before_a_read_that_waits() {
    for end in endpoints() {
        for (tries, after) in each([(false, false), (false, true), (true, false), (true, true)]) {
            let peer = ScriptedPeer::default();
            let mut socket = end.open(&peer, SMALL).unwrap();
            if after {
                socket = socket.split_or_reunite();
            }
            if tries {
                socket.try_feed_message(Opcode::Text, b"fed").unwrap();
            } else {
                socket.feed_message(Opcode::Text, b"fed").unwrap();
            }
            if !after {
                socket = socket.split_or_reunite();
            }
            assert_eq!(peer.written(), b"");
            assert!(socket.next_message().unwrap_err().is_would_block());
            assert_eq!(view(end, &peer).payloads(), [b"fed"]);
        }
    }
}

#[test]
fn a_message_of_a_half_leaves_at_once_though_one_of_the_whole_connection_may_wait() {
    let config = SMALL.coalesce_writes(true);
    for end in endpoints().filter(|end| end.kind.is_whole()) {
        let said = end.peer().say(&vec![to(end.role, FIN | TEXT, b"?"); 3]);
        let peer = ScriptedPeer::saying([wire(&said)]);
        let mut whole = end.open(&peer, config).unwrap();
        whole.next_message().unwrap();
        let mut half = whole.split_or_reunite();
        half.write_message(Opcode::Text, b"!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 1);

        let mut whole = half.split_or_reunite();
        whole.write_message(Opcode::Text, b"!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 2);
        whole.next_message().unwrap();
        whole.write_message(Opcode::Text, b"!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 2, "another is there");
        whole.next_message().unwrap();
        whole.write_message(Opcode::Text, b"!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 4);
    }
}
