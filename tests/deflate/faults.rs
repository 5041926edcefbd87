//! Messages in pieces that compression is in the middle of, where a stream would block, a writer is lost, or the
//! connection is shut down. Every operation over a stream that fails is in `behaviour/faults.rs`.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::ways::end;
use framewire::protocol::{Role, SendError};
use framewire::{CloseCode, ErrorKind, Opcode};
use support::compression::Compression;
use support::deflate::negotiated;
use support::frames::{CLOSE, FIN, TEXT, to};
use support::operations::SMALL;
use support::oracle;
use support::peer::{ScriptedPeer, Taking};
use support::{each, json, pattern};

/// What would block in the middle of its end is open still, for whatever comes.
#[test]
fn a_message_that_could_not_be_finished_goes_on() {
    for takeover in each([false, true]) {
        let negotiated = negotiated(takeover);
        for len in each(0..150) {
            let start = pattern(len);
            let wire = ScriptedPeer::new([]).taking(Taking::Room(0));
            let mut server = end(Role::Server, wire, 64, &negotiated);
            let mut writer = server.message_writer(Opcode::Binary).unwrap();
            let mut taken = 0;
            while let Ok(count @ 1..) = writer.write(&start[taken..]) {
                taken += count;
            }
            let mut expected = start[..taken].to_vec();
            let finished = writer.finish();
            server.stream().set_taking(Taking::All);
            if let Err(error) = finished {
                assert!(error.is_would_block(), "{error}");
                let mut writer = server.resume_message_writer().unwrap();
                writer.write_all(b" and more").unwrap();
                expected.extend_from_slice(b" and more");
                assert_eq!(writer.finish().unwrap(), expected.len() as u64);
            }
            server.write_message(Opcode::Binary, b"next").unwrap();
            let written = server.into_inner().0.written();
            let mut client = end(
                Role::Client,
                ScriptedPeer::new(written).in_pieces_of(700),
                64,
                &negotiated,
            );
            assert_eq!(client.next_message().unwrap().payload(), expected, "{len}");
            assert_eq!(client.next_message().unwrap().payload(), b"next", "{len}");
        }
    }
}

#[test]
fn a_text_that_was_not_utf_8_is_never_finished() {
    let negotiated = negotiated(true);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 64, &negotiated);
    let mut writer = server.message_writer(Opcode::Text).unwrap();
    writer.write_all(b"text").unwrap();
    writer.write_all(b"\xFF").unwrap_err();
    writer.write_all(b"text").unwrap_err();
    writer.flush().unwrap_err();
    writer.finish().unwrap_err();
    assert!(server.into_inner().0.written().is_empty());
}

#[test]
fn the_message_of_a_forgotten_writer_stays_open_and_nothing_of_it_is_sent() {
    let negotiated = negotiated(true);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 64, &negotiated);
    let mut writer = server.message_writer(Opcode::Binary).unwrap();
    writer.write_all(b"secret").unwrap();
    std::mem::forget(writer);
    let refused = server.write_message(Opcode::Binary, b"hello").unwrap_err();
    let open = SendError::MessageOpen(Opcode::Binary);
    assert!(matches!(refused.kind(), ErrorKind::Send(error) if *error == open));
    assert!(server.resume_message_writer().is_none());
    server.close(CloseCode::NORMAL, "").unwrap();
    let sent = oracle::frames(&server.into_inner().0.written());
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].opcode, Opcode::Close);
}

#[test]
fn shutdown_is_clean_after_a_part_of_a_compressed_message() {
    for takeover in [false, true] {
        let compression = if takeover {
            Compression::Takeover
        } else {
            Compression::NoTakeover
        };
        let frames = [
            to(Role::Server, FIN | TEXT, json(300)),
            to(Role::Server, FIN | CLOSE, b"\x03\xE8bye"),
        ];
        let peer = ScriptedPeer::new(compression.said(&frames));
        let mut server = support::connect(Role::Server, peer, SMALL);
        server.set_extension(&negotiated(takeover));
        let mut reader = server.message_reader().unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 10);
        let end = server.shutdown(Duration::from_secs(600)).unwrap();
        assert!(end.clean && end.code == CloseCode::NORMAL, "{end:?}");
    }
}
