//! What an application can do about Pings and Pongs: observe, replace, switch off. What it can do about a Close
//! frame is in `closed`.

use std::sync::mpsc::channel;

use framewire::Config;
use framewire::blocking::PingReply;
use framewire::frame::ControlPayload;
use support::connection::{all_endpoints, endpoints};
use support::each;
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, to, wire};
use support::operations::{Hands, Operation};
use support::oracle::frames_in;
use support::peer::ScriptedPeer;

#[test]
fn a_handler_sees_each_ping_and_decides_what_answers_it() {
    for end in all_endpoints() {
        let pings = [b"a", b"b", b"c"].map(|payload| to(end.role, FIN | PING, payload));
        let peer = ScriptedPeer::saying([wire(&pings)]);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        let (see, seen) = channel();
        socket.on_ping(Box::new(move |payload| {
            see.send(payload.to_vec()).unwrap();
            match payload {
                b"a" => PingReply::Replace(ControlPayload::new(b"other").unwrap()),
                b"b" => PingReply::Nothing,
                _ => PingReply::Pong,
            }
        }));
        assert!(socket.next_message().unwrap_err().is_would_block());
        socket.flush().unwrap();
        assert!(seen.try_iter().eq([b"a", b"b", b"c"]));
        let replies = [&b"other"[..], b"c"].map(|payload| (FIN | PONG, payload.to_vec()));
        assert_eq!(frames_in(&peer.written()), replies);
    }
}

#[test]
fn a_handler_sees_each_pong_and_nothing_is_sent() {
    for end in all_endpoints() {
        let pongs = ["a", ""].map(|payload| to(end.role, FIN | PONG, payload));
        let peer = ScriptedPeer::saying([wire(&pongs)]);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        let (see, seen) = channel();
        socket.on_pong(Box::new(move |payload| see.send(payload.to_vec()).unwrap()));
        assert!(socket.next_message().unwrap_err().is_would_block());
        socket.flush().unwrap();
        assert!(seen.try_iter().eq([&b"a"[..], b""]));
        assert_eq!(peer.written(), b"");
    }
}

#[test]
fn a_handler_sees_the_pings_that_come_by_every_way_to_read() {
    for end in endpoints() {
        let said = end.said(&[
            to(end.role, FIN | PING, b"1"),
            to(end.role, BINARY, b"a"),
            to(end.role, FIN | PING, b"2"),
            to(end.role, FIN | CONTINUATION, b"b"),
            to(end.role, FIN | CLOSE, b""),
        ]);
        for read in each(Operation::reading(end.kind)) {
            let mut socket = end.with(&ScriptedPeer::saying([&said[..]]));
            let (see, seen) = channel();
            socket.on_ping(Box::new(move |payload| {
                see.send(payload.to_vec()).unwrap();
                PingReply::Nothing
            }));
            // By one that gives frames the last is the fourth.
            let mut hands = Hands::seeing(16);
            let calls = (0..4).map(|_| read.call(&mut *socket, &mut hands));
            calls.take_while(Result::is_ok).for_each(drop);
            assert!(!hands.seen().is_empty());
            assert!(seen.try_iter().eq([b"1", b"2"]));
        }
    }
}
