//! Messages in pieces that compression is in the middle of, where a stream would block, a writer is lost, or the
//! connection is shut down. Every operation over a stream that fails is in `behaviour/faults.rs`.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::ways::end;
use framewire::protocol::{Role, SendError};
use framewire::{CloseCode, ErrorKind, Opcode};
use support::compression::Compression;
use support::connection::{Kind, endpoints_with};
use support::deflate::negotiated;
use support::frames::{CLOSE, FIN, TEXT, to};
use support::operations::SMALL;
use support::oracle;
use support::peer::{ScriptedPeer, Taking};
use support::{each, json, pattern};

/// What would block in the middle of its end is open still, for whatever comes, unless a call that was dropped has
/// taken the end.
#[test]
fn a_message_that_could_not_be_finished_goes_on() {
    for kind in each(Kind::FRONT_ENDS) {
        for takeover in each([false, true]) {
            let negotiated = negotiated(takeover);
            let mut resumed = 0;
            for len in each((0..150).step_by(if kind.waits() { 7 } else { 1 })) {
                let start = pattern(len);
                let peer = ScriptedPeer::new([]).taking(Taking::Room(0));
                let mut server = end(kind, Role::Server, &peer, 64, &negotiated);
                let mut writer = server.message_writer(Opcode::Binary).unwrap();
                let mut taken = 0;
                while let Ok(count @ 1..) = writer.write(&start[taken..]) {
                    taken += count;
                }
                let mut expected = start[..taken].to_vec();
                let finished = writer.finish();
                peer.set_taking(Taking::All);
                if let Err(error) = finished {
                    assert!(error.is_would_block(), "{error}");
                    if let Some(mut writer) = server.resume_message_writer() {
                        writer.write_all(b" and more").unwrap();
                        expected.extend_from_slice(b" and more");
                        assert_eq!(writer.finish().unwrap(), expected.len() as u64);
                        resumed += 1;
                    } else {
                        assert!(kind.waits(), "it is open");
                    }
                }
                server.write(b"next").unwrap();
                let wire = ScriptedPeer::new(peer.written()).in_pieces_of(700);
                let mut client = end(kind, Role::Client, &wire, 64, &negotiated);
                assert_eq!(client.next_message().unwrap().unwrap().payload(), expected);
                assert_eq!(client.next_message().unwrap().unwrap().payload(), b"next");
            }
            assert!(resumed > 0);
        }
    }
}

#[test]
fn a_text_that_was_not_utf_8_is_never_finished() {
    let negotiated = negotiated(true);
    for kind in each(Kind::FRONT_ENDS) {
        let peer = ScriptedPeer::new([]);
        let mut server = end(kind, Role::Server, &peer, 64, &negotiated);
        let mut writer = server.message_writer(Opcode::Text).unwrap();
        writer.write_all(b"text").unwrap();
        writer.write_all(b"\xFF").unwrap_err();
        writer.write_all(b"text").unwrap_err();
        writer.flush().unwrap_err();
        writer.finish().unwrap_err();
        assert!(peer.written().is_empty());
    }
}

/// Of halves it has the turn to send, which nobody has after it.
#[test]
fn the_message_of_a_forgotten_writer_stays_open_and_nothing_of_it_is_sent() {
    let negotiated = negotiated(true);
    let whole = Kind::FRONT_ENDS.into_iter().filter(|kind| kind.is_whole());
    for kind in each(whole) {
        let peer = ScriptedPeer::new([]);
        let mut server = end(kind, Role::Server, &peer, 64, &negotiated);
        let mut writer = server.message_writer(Opcode::Binary).unwrap();
        writer.write_all(b"secret").unwrap();
        std::mem::forget(writer);
        let refused = server.write(b"hello").unwrap_err();
        let open = SendError::MessageOpen(Opcode::Binary);
        assert!(matches!(refused.kind(), ErrorKind::Send(error) if *error == open));
        assert!(server.resume_message_writer().is_none());
        server.close(CloseCode::NORMAL, "").unwrap();
        let sent = oracle::frames(&peer.written());
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].opcode, Opcode::Close);
    }
}

#[test]
fn shutdown_is_clean_after_a_part_of_a_compressed_message() {
    let frames = [
        to(Role::Server, FIN | TEXT, json(300)),
        to(Role::Server, FIN | CLOSE, b"\x03\xE8bye"),
    ];
    let compressions = [Compression::Takeover, Compression::NoTakeover];
    let ends = compressions.into_iter().flat_map(endpoints_with);
    for end in ends.filter(|end| end.role == Role::Server) {
        let peer = ScriptedPeer::new(end.said(&frames));
        let mut server = end.open(&peer, SMALL).unwrap();
        let mut reader = server.message_reader().unwrap().unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 10);
        let end = server.shutdown(Duration::from_secs(600)).unwrap();
        assert!(end.clean && end.code == CloseCode::NORMAL, "{end:?}");
    }
}
