//! Senders that do not keep to the protocol, say nothing, or are too many.

use std::sync::mpsc;
use std::time::Duration;

use framewire::handshake::Connector;
use framewire::{CloseCode, PingReply};

use crate::peer::{ABC, PROTOCOL, Peer, announcement, receiver};
use crate::programs::{Recv, Send, eventually};

#[test]
fn words_that_are_none_of_the_protocol_end_the_connection() {
    let recv = Recv::start(&[]);
    for text in [
        "",
        "hello",
        "{}",
        "[]",
        "null",
        r#"{"file":{"size":3}}"#,
        r#"{"file":{"name":"a","size":-1}}"#,
        r#"{"file":{"name":"a"}} {}"#,
        &"[".repeat(4000),
    ] {
        let mut peer = Peer::connect(&recv);
        peer.say(text);
        assert_eq!(peer.end(), CloseCode::INVALID_PAYLOAD, "{text:?}");
        let closed = peer.websocket.closed().unwrap();
        assert!(closed.reason().contains(PROTOCOL), "{closed}");
    }
    let mut peer = Peer::connect(&recv);
    peer.file(b"bytes where words are due");
    assert_eq!(peer.end(), CloseCode::INVALID_PAYLOAD);
    let mut peer = Peer::connect(&recv);
    peer.say(&announcement(&"a".repeat(8000), 3));
    assert_eq!(peer.end(), CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(recv.dir.names(), [""; 0]);
}

#[test]
fn words_out_of_order_end_the_connection() {
    let recv = Recv::start(&[]);
    let offer = announcement("a", 3);
    let checksum = format!(r#"{{"sha256":"{ABC}"}}"#);
    let prefix = r#"{"prefix":null}"#;
    recv.dir.write("there", "abc");
    let there = announcement("there", 3);
    for words in [
        &[prefix][..],
        &[&checksum],
        // The file is a binary message.
        &[&offer, &offer],
        &[&offer, prefix],
        &[&offer, &checksum],
        &[&offer, "abc"],
        &[&there, &there],
        &[&there, &checksum],
    ] {
        let mut peer = Peer::connect(&recv);
        for text in words {
            peer.say(text);
        }
        assert_eq!(peer.end(), CloseCode::POLICY_VIOLATION, "{words:?}");
        let closed = peer.websocket.closed().unwrap();
        assert!(closed.reason().contains("was due"), "{closed}");
    }
    assert_eq!(recv.dir.names(), ["there"]);
}

#[test]
fn a_sender_that_is_silent_is_not_waited_for() {
    let recv = Recv::start(&["--idle-timeout", "0.2"]);
    for words in [None, Some(announcement("a", 3))] {
        let mut peer = Peer::connect(&recv);
        if let Some(text) = &words {
            peer.say(text);
        }
        assert_eq!(peer.end(), CloseCode::POLICY_VIOLATION, "{words:?}");
        let line = recv.line();
        assert!(line.contains("nothing came for 200ms"), "{line}");
    }
    // In the middle of the file, what has arrived stays.
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 3);
    let (fin, rsv, binary) = (false, framewire::Rsv::NONE, framewire::Opcode::Binary);
    let websocket = &mut peer.websocket;
    websocket.write_frame(fin, rsv, binary, b"ab").unwrap();
    assert_eq!(peer.end(), CloseCode::POLICY_VIOLATION);
    assert_eq!(recv.dir.read("a.framewire-part"), b"ab");
}

#[test]
fn an_end_that_says_nothing_sends_pings() {
    let pinged = |peer: &mut Peer| {
        let (ping, pings) = mpsc::channel();
        peer.websocket.on_ping(move |_| {
            ping.send(()).unwrap();
            PingReply::Pong
        });
        let time = Some(Duration::from_millis(100));
        peer.websocket.stream().set_read_timeout(time).unwrap();
        eventually("a Ping", || {
            let read = peer.websocket.next_message();
            assert!(read.unwrap_err().is_would_block());
            pings.try_recv().is_ok()
        });
    };
    let (url, received) = receiver(move |mut peer| {
        peer.hear();
        pinged(&mut peer);
    });
    let recv = Recv::start(&[]);
    let file = recv.dir.write("sent", "abc");
    let sending = Send::start(&url, &["--retries", "0", &file]);
    pinged(&mut Peer::connect(&recv));
    received.join().unwrap();
    let (exit, notes) = sending.end();
    assert_eq!(exit, 2, "{notes}");
}

#[test]
fn a_client_that_sends_no_files_is_told_what_this_is() {
    let recv = Recv::start(&[]);
    for connector in [
        Connector::new(),
        Connector::new().subprotocols(["chat"]).unwrap(),
    ] {
        let refused = Peer::try_connect(&recv, &connector).err().unwrap();
        let text = refused.to_string();
        assert!(text.contains("400"), "{text}");
        assert!(recv.line().contains("400"));
    }
}

#[test]
fn a_web_page_from_elsewhere_cannot_send_files() {
    let recv = Recv::start(&[]);
    let connector = Connector::new().subprotocols([PROTOCOL]).unwrap();
    let connector = connector.origin("https://elsewhere.example").unwrap();
    let refused = Peer::try_connect(&recv, &connector).err().unwrap();
    assert!(refused.to_string().contains("403"), "{refused}");
}

#[test]
fn one_sender_too_many_is_refused_until_another_leaves() {
    let recv = Recv::start(&["--max-connections", "1"]);
    let first = Peer::connect(&recv);
    let connector = Connector::new().subprotocols([PROTOCOL]).unwrap();
    let refused = Peer::try_connect(&recv, &connector).err().unwrap();
    assert!(refused.to_string().contains("503"), "{refused}");
    first.close();
    eventually("a place", || Peer::try_connect(&recv, &connector).is_ok());
}
