//! What the writing side promises between its calls: what is open, what waits, what is refused.

use std::io::Write as _;

use framewire::blocking::PreparedMessage;
use framewire::frame::Rsv;
use framewire::protocol::{Role, SendError};
use framewire::{Error, ErrorKind, MessageKind, Opcode, Outgoing, TryFeedError};
use support::compression::Compression;
use support::connection::{
    Back, Change, Connection, Endpoint, all_endpoints, all_endpoints_with, endpoints, ends,
};
use support::frames::{BINARY, FIN, PING, PONG, RSV1, TEXT, to, wire};
use support::operations::{Again, Hands, Operation, SENDING, SMALL};
use support::oracle::{frames, frames_in};
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
        assert!(is_message_open(&server.write("no")));
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
        socket.write("x").unwrap();
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
            socket
                .message_writer(MessageKind::new(text).rsv(rsv))
                .map(drop),
            socket
                .stream_message(MessageKind::new(text).rsv(rsv), 32, &mut &b"x"[..])
                .map(drop),
        ] {
            let error = refused.unwrap_err();
            let bits = SendError::ReservedBits(rsv);
            assert!(matches!(error.kind(), ErrorKind::Send(error) if *error == bits));
        }
        assert!(socket.resume_message_writer().is_none());
        socket.write("x").unwrap();
        assert_eq!(view(end, &peer).payloads(), [b"x"]);
    }
}

#[test]
fn bytes_that_are_to_be_text_are_checked_by_every_call() {
    let bad = (Opcode::Text, b"\xFF");
    for end in all_endpoints() {
        let peer = ScriptedPeer::default();
        let mut socket = end.with(&peer);
        let tried = socket.try_feed(bad).map_err(|error| match error {
            TryFeedError::Full(_) => panic!("there is room"),
            TryFeedError::Failed(error) => error,
        });
        let prepared = PreparedMessage::new(bad).map(drop);
        for refused in [
            socket.write(bad),
            socket.feed(bad),
            socket.write(Outgoing::new(Opcode::Text, b"\xFF").uncompressed()),
            tried,
            prepared,
        ] {
            assert!(is_not_utf8(&refused), "{refused:?}");
        }
        socket.flush().unwrap();
        assert_eq!(peer.written(), b"");
        socket.write((Opcode::Binary, b"\xFF")).unwrap();
        socket.write((Opcode::Text, "w\u{f6}rld")).unwrap();
        let sent = [
            (BINARY, b"\xFF".to_vec()),
            (TEXT, "w\u{f6}rld".as_bytes().to_vec()),
        ];
        assert_eq!(view(end, &peer).messages, sent);
    }
}

fn is_not_utf8(result: &Result<(), Error>) -> bool {
    let kind = result.as_ref().err().map(Error::kind);
    matches!(kind, Some(ErrorKind::Send(SendError::InvalidUtf8)))
}

#[test]
fn a_text_that_was_received_goes_back_and_is_checked_where_it_was_changed() {
    let changes: [(Option<Change>, Option<&str>); 4] = [
        (None, Some("text")),
        (Some(|_| {}), Some("text")),
        (Some(|payload| payload[0] = b'n'), Some("next")),
        (Some(|payload| payload[0] = 0xFF), None),
    ];
    for end in all_endpoints() {
        for back in each([Back::Fed, Back::Written]) {
            let said = vec![to(end.role, FIN | TEXT, "text"); 4];
            let peer = ScriptedPeer::saying([end.said(&said)]);
            let mut socket = end.with(&peer);
            let mut expected = vec![];
            for (change, echo) in changes {
                let echoed = socket.echo_message(back, change, &mut vec![]);
                match echo {
                    Some(echo) => {
                        assert_eq!(echoed.unwrap(), Some(Opcode::Text));
                        expected.push((TEXT, echo.as_bytes().to_vec()));
                    }
                    None => assert!(is_not_utf8(&echoed.map(drop))),
                }
            }
            socket.flush().unwrap();
            assert_eq!(view(end, &peer).messages, expected);
        }
    }
}

/// With its kind, for the calls that take nothing else.
type Send = fn(&mut dyn Connection, Outgoing<'_>);

#[test]
fn what_is_to_be_sent_as_it_is_is_compressed_by_no_call() {
    let calls: [(&str, Send); 7] = [
        ("write", |socket, message| socket.write(message).unwrap()),
        ("write, of a pair", |socket, message| {
            let pair = (message.kind(), message.payload());
            socket.write(pair).unwrap();
        }),
        ("feed", |socket, message| socket.feed(message).unwrap()),
        ("try_feed", |socket, message| {
            socket.try_feed(message).unwrap();
        }),
        ("write_prepared", |socket, message| {
            let prepared = PreparedMessage::new(message).unwrap();
            socket.write_prepared(&prepared).unwrap();
        }),
        ("stream_message", |socket, message| {
            let mut source = message.payload();
            let streamed = socket.stream_message(message.kind(), 4096, &mut source);
            assert_eq!(streamed.unwrap(), 300);
        }),
        ("message_writer", |socket, message| {
            let mut writer = socket.message_writer(message.kind()).unwrap();
            writer.write_all(message.payload()).unwrap();
            assert_eq!(writer.finish().unwrap(), 300);
        }),
    ];
    let text = "like ".repeat(60);
    let compressions = [Compression::Takeover, Compression::NoTakeover];
    for end in compressions.into_iter().flat_map(all_endpoints_with) {
        for (name, send) in &calls {
            println!("{name}");
            let peer = ScriptedPeer::default();
            let mut socket = end.with(&peer);
            let message = Outgoing::text(&text);
            send(&mut *socket, message);
            send(&mut *socket, message.uncompressed());
            send(&mut *socket, message);
            socket.flush().unwrap();
            let [first, between, last] = &frames(&peer.written())[..] else {
                panic!("a frame each");
            };
            assert!(
                [first, last]
                    .iter()
                    .all(|frame| frame.rsv == RSV1 && frame.payload.len() < 30)
            );
            assert_eq!(between.rsv, 0);
            assert!(between.payload == text.as_bytes());
            assert_eq!(view(end, &peer).payloads(), [text.as_bytes(); 3]);
        }
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
            let _ = socket.write(&first);
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
            socket.write("second").unwrap();
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
        socket.next_message().unwrap().unwrap();
        // There is no room for the Pong.
        socket.try_feed(&payload).unwrap();
        socket.next_message().unwrap().unwrap();
        peer.set_taking(Taking::All);

        socket.set_compression(false);
        assert!(socket.has_pending_output());
        assert!(socket.buffered() >= 12);
        assert_eq!(socket.closed(), None);
        let full = socket.try_feed(&payload);
        assert!(matches!(full, Err(TryFeedError::Full(given)) if *given == payload));
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
                socket.try_feed("fed").unwrap();
            } else {
                socket.feed("fed").unwrap();
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
        whole.next_message().unwrap().unwrap();
        let mut half = whole.split_or_reunite();
        half.write("!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 1);

        let mut whole = half.split_or_reunite();
        whole.write("!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 2);
        whole.next_message().unwrap().unwrap();
        whole.write("!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 2, "another is there");
        whole.next_message().unwrap().unwrap();
        whole.write("!").unwrap();
        assert_eq!(view(end, &peer).messages.len(), 4);
    }
}
