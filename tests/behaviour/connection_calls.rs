//! Every way to read and to send has its call on a connection without a stream, so that a front end can be written over
//! it.

use std::iter;

use framewire::connection::{Connection, PreparedMessage};
use framewire::deflate::{Deflate, Parameters};
use framewire::frame::Rsv;
use framewire::protocol::{Role, SendError};
use framewire::{CloseCode, Config, Error, ErrorKind, Opcode, Outgoing, TryFeedError};
use support::frames::{BINARY, CONTINUATION, FIN, PING, TEXT, frame};
use support::pattern;
use support::without_stream::{give, give_some, open, written};

const CLIENT: Role = Role::Client;

/// A call that reads.
type Call = fn(&mut Connection) -> Result<(), Error>;

fn of(role: Role, read_buffer: usize) -> Connection {
    let config = Config::default().read_buffer(read_buffer).chunk_size(1000);
    open(role, &[], &config)
}

fn server() -> Connection {
    of(Role::Server, 4096)
}

/// Repeats a call that reads, and gives it as many bytes at a time as it lacks.
fn read<R>(
    connection: &mut Connection,
    bytes: &mut &[u8],
    most: usize,
    mut call: impl FnMut(&mut Connection) -> Result<Option<R>, Error>,
) -> Result<R, Error> {
    loop {
        if let Some(result) = call(connection)? {
            return Ok(result);
        }
        give_some(connection, bytes, most);
    }
}

fn kind_of_send(error: Error) -> SendError {
    match error.into_kind() {
        ErrorKind::Send(error) => error,
        kind => panic!("{kind:?}"),
    }
}

/// Two messages with a Ping between the fragments of the first.
fn input(long: usize) -> (Vec<u8>, Vec<u8>) {
    let payload = pattern(long);
    let frames = [
        frame(CLIENT, BINARY, &payload[..long / 2]),
        frame(CLIENT, FIN | PING, b"?"),
        frame(CLIENT, FIN | CONTINUATION, &payload[long / 2..]),
        frame(CLIENT, FIN | TEXT, b"next"),
    ];
    (frames.concat(), payload)
}

#[test]
fn a_message_is_read_in_pieces() {
    for (long, most) in [(10, 1), (10, 100), (20_000, 7), (20_000, 100_000)] {
        let (bytes, payload) = input(long);
        let mut rest = &bytes[..];
        let mut connection = server();
        let begun = read(&mut connection, &mut rest, most, Connection::next_stream).unwrap();
        assert_eq!(begun, (Opcode::Binary, Rsv::NONE));
        let mut message = vec![];
        loop {
            let mut output = [0; 300];
            let piece = read(&mut connection, &mut rest, most, |connection| {
                connection.read_stream(&mut output)
            });
            match piece.unwrap() {
                0 => break,
                len => message.extend_from_slice(&output[..len]),
            }
        }
        assert!(message == payload, "{long} {most}");
        let next = read(&mut connection, &mut rest, most, Connection::next_stream).unwrap();
        assert_eq!(next.0, Opcode::Text, "{long} {most}");
        assert_eq!(written(&mut connection), b"\x8A\x01?", "{long} {most}");
    }
}

#[test]
fn what_was_not_read_of_a_message_is_skipped_by_the_next_call() {
    let (bytes, _) = input(20_000);
    let mut rest = &bytes[..];
    let mut connection = server();
    read(&mut connection, &mut rest, 100, Connection::next_stream).unwrap();
    let next = read(&mut connection, &mut rest, 100, |connection| {
        let message = connection.next_message()?;
        Ok(message.map(|(message, _)| message.payload().to_vec()))
    });
    assert_eq!(next.unwrap(), b"next");
}

#[test]
fn frames_are_read_one_by_one() {
    for (long, most) in [(10, 1), (10, 100), (20_000, 7), (20_000, 100_000)] {
        let (bytes, payload) = input(long);
        let mut rest = &bytes[..];
        let mut connection = server();
        let mut frames = vec![];
        for _ in 0..4 {
            let header = read(&mut connection, &mut rest, most, Connection::next_header).unwrap();
            let mut output = vec![0; long];
            let read = read(&mut connection, &mut rest, most, |connection| {
                connection.read_frame(&mut output)
            });
            assert_eq!(read.unwrap(), header);
            output.truncate(header.payload_len() as usize);
            frames.push((header.opcode(), output));
        }
        let (first, second) = payload.split_at(long / 2);
        let expected = [
            (Opcode::Binary, first.to_vec()),
            (Opcode::Ping, b"?".to_vec()),
            (Opcode::Continuation, second.to_vec()),
            (Opcode::Text, b"next".to_vec()),
        ];
        assert!(frames == expected, "{long} {most}");
        assert_eq!(written(&mut connection), b"\x8A\x01?", "{long} {most}");
    }
}

#[test]
fn a_frame_that_does_not_fit_is_not_consumed() {
    let bytes = frame(CLIENT, FIN | TEXT, b"four");
    let mut rest = &bytes[..];
    let mut connection = server();
    let read_into = |connection: &mut Connection, rest: &mut &[u8], output: &mut [u8]| {
        read(connection, rest, 100, |connection| {
            connection.read_frame(output)
        })
    };
    let error = read_into(&mut connection, &mut rest, &mut [0; 3]).unwrap_err();
    let needed = match error.kind() {
        ErrorKind::FrameBufferTooSmall { needed } => *needed,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(needed, 4);
    let mut output = [0; 4];
    read_into(&mut connection, &mut rest, &mut output).unwrap();
    assert_eq!(&output, b"four");
}

#[test]
fn a_message_that_was_found_is_taken_before_anything_is_read_in_another_way() {
    let mut connection = server();
    let bytes = frame(CLIENT, FIN | TEXT, b"a");
    give(&mut connection, &bytes);
    assert!(connection.has_message().unwrap());
    for error in [
        connection.next_stream().unwrap_err(),
        connection.next_header().unwrap_err(),
        connection.read_frame(&mut []).unwrap_err(),
    ] {
        assert!(
            matches!(error.kind(), ErrorKind::MessageInProgress),
            "{error}"
        );
    }
    assert!(connection.next_message().unwrap().is_some());
    assert!(connection.next_stream().unwrap().is_none());
}

#[test]
fn the_end_of_the_stream_is_told_by_every_call_that_reads() {
    let calls: [Call; 4] = [
        |connection| connection.next_message().map(drop),
        |connection| connection.next_stream().map(drop),
        |connection| connection.next_header().map(drop),
        |connection| connection.read_frame(&mut []).map(drop),
    ];
    for (n, call) in calls.iter().enumerate() {
        let mut connection = server();
        connection.filled(0);
        let error = call(&mut connection).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ConnectionLost),
            "{n}: {error}"
        );
    }
}

#[test]
fn a_long_payload_is_written_from_where_it_lies() {
    let payload = pattern(100_000);
    let mut connection = server();
    let mut begun = connection.outbound().begin_message(&payload).unwrap();
    let [head, rest] = connection
        .outbound()
        .output_of(&mut begun)
        .unwrap()
        .unwrap();
    assert_eq!(head, [FIN | BINARY, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA0]);
    assert!(std::ptr::eq(rest, &raw const payload[..]), "it was copied");
    // The stream takes the header and a byte.
    connection
        .outbound()
        .written_of(Ok(11), &mut begun)
        .unwrap();
    let error = connection.outbound().ping(b"").unwrap_err();
    assert_eq!(
        kind_of_send(error),
        SendError::MessageOpen(Opcode::Binary),
        "the frame has not ended"
    );
    let [head, rest] = connection
        .outbound()
        .output_of(&mut begun)
        .unwrap()
        .unwrap();
    assert!(head.is_empty() && std::ptr::eq(rest, &raw const payload[1..]));
    let len = rest.len();
    connection
        .outbound()
        .written_of(Ok(len), &mut begun)
        .unwrap();
    assert!(
        connection
            .outbound()
            .output_of(&mut begun)
            .unwrap()
            .is_none()
    );
    connection.outbound().ping(b"").unwrap();
    assert_eq!(written(&mut connection), b"\x89\x00");
}

#[test]
fn a_long_payload_that_is_buffered_is_free() {
    for role in [Role::Server, Role::Client] {
        let mut connection = of(role, 4096);
        let payload = pattern(100_000);
        let mut begun = connection.outbound().begin_message(&payload).unwrap();
        let [head, rest] = connection
            .outbound()
            .output_of(&mut begun)
            .unwrap()
            .unwrap();
        let first = [head, rest].concat();
        let mut sent = first[..20].to_vec();
        connection
            .outbound()
            .written_of(Ok(20), &mut begun)
            .unwrap();
        connection.outbound().buffer(begun).unwrap();
        drop(payload);
        sent.extend(written(&mut connection));
        let frame = support::oracle::frames(&sent).remove(0);
        assert!(frame.payload == pattern(100_000), "{role:?}");
    }
}

#[test]
fn a_message_is_fed_in_pieces() {
    let mut connection = server();
    let payload = pattern(2500);
    let mut writer = connection.outbound().feed_writer(Opcode::Binary).unwrap();
    writer.feed(&payload[..700]).unwrap();
    writer.feed(&payload[700..]).unwrap();
    drop(writer);
    let outbound = connection.outbound();
    let error = outbound.feed("").unwrap_err();
    assert_eq!(kind_of_send(error), SendError::MessageOpen(Opcode::Binary));
    outbound.ping(b"between").unwrap();
    let writer = outbound.resume_feed_writer().unwrap();
    assert_eq!(writer.finish().unwrap(), 2500);
    assert!(outbound.resume_feed_writer().is_none());
    let server = Role::Server;
    let expected = [
        frame(server, BINARY, &payload[..1000]),
        frame(server, CONTINUATION, &payload[1000..2000]),
        frame(server, FIN | PING, b"between"),
        frame(server, FIN | CONTINUATION, &payload[2000..]),
    ];
    assert!(written(&mut connection) == expected.concat());
}

#[test]
fn frames_and_prepared_messages_are_fed() {
    let mut connection = server();
    let outbound = connection.outbound();
    let prepared = PreparedMessage::new("all").unwrap();
    outbound.feed_prepared(&prepared).unwrap();
    let frames = [
        (false, Opcode::Text, b"a"),
        (true, Opcode::Continuation, b"b"),
    ];
    for (fin, opcode, payload) in frames {
        outbound
            .feed_frame(fin, Rsv::NONE, opcode, payload)
            .unwrap();
    }
    outbound.close(CloseCode::NORMAL, "").unwrap();
    assert!(outbound.closed().unwrap().local.is_some());
    let error = outbound.feed_prepared(&prepared).unwrap_err();
    assert!(error.closed().is_some(), "{error}");
    let expected = b"\x81\x03all\x01\x01a\x80\x01b\x88\x02\x03\xE8";
    assert_eq!(written(&mut connection), expected);
}

#[test]
fn a_write_buffer_that_is_full_gives_a_message_back() {
    let mut connection = server();
    let outbound = connection.outbound();
    let payload = vec![0; 1000];
    let mut fed = 0;
    let back = loop {
        match outbound.try_feed(&payload) {
            Ok(()) => fed += 1,
            Err(TryFeedError::Full(back)) => break back,
            Err(TryFeedError::Failed(error)) => panic!("{error}"),
        }
    };
    assert!(std::ptr::eq(back, &raw const payload));
    let most = Config::default().write_buffer;
    assert!(
        outbound.buffered() <= most && outbound.buffered() + 1100 > most,
        "{fed}"
    );
    // A message that has to be sent goes over the bound.
    outbound.feed(&payload).unwrap();
    assert!(outbound.buffered() > most);
}

#[test]
fn a_message_that_was_received_and_finds_no_room_is_given_back() {
    let mut connection = server();
    give(&mut connection, &frame(CLIENT, FIN | TEXT, b"echo"));
    let full = vec![0; Config::default().write_buffer];
    connection.outbound().feed(full).unwrap();
    let (message, outbound) = connection.next_message().unwrap().unwrap();
    let Err(TryFeedError::Full(message)) = outbound.try_feed(message) else {
        panic!("there is no room");
    };
    outbound.feed(message).unwrap();
    assert!(written(&mut connection).ends_with(b"\x81\x04echo"));
}

/// Both ends of a connection that compresses.
fn compressed() -> (Connection, Connection) {
    let agreed = Deflate::default().negotiated(Parameters::default());
    let [mut server, mut client] = [Role::Server, Role::Client].map(|role| of(role, 16 << 10));
    server.set_extension(&agreed);
    client.set_extension(&agreed);
    (server, client)
}

#[test]
fn a_compressed_message_that_is_half_read_stays_while_it_rests_and_while_more_is_read() {
    let payload = pattern(2000);
    for reads_more in [false, true] {
        let (mut server, mut client) = compressed();
        let outbound = client.outbound();
        outbound.feed(&payload).unwrap();
        give(&mut server, &written(&mut client));
        assert!(server.next_stream().unwrap().is_some());
        let mut output = [0; 100];
        let mut message = vec![];
        loop {
            match server.read_stream(&mut output).unwrap() {
                Some(0) => break,
                Some(len) => message.extend_from_slice(&output[..len]),
                None => panic!("all of it is there: {reads_more}"),
            }
            server.rest();
            if reads_more && message.len() == 100 {
                client.outbound().ping(b"").unwrap();
                give(&mut server, &written(&mut client));
            }
        }
        assert!(message == payload, "{reads_more}");
    }
}

#[test]
fn a_message_that_compression_makes_no_shorter_is_streamed_whatever_its_length() {
    let numbers = iter::successors(Some(1_u32), |n| Some(n.wrapping_mul(0x915F_77F5)));
    let payload: Vec<_> = numbers
        .skip(1)
        .take(200_000)
        .map(|n| n.to_be_bytes()[0])
        .collect();
    let (mut server, mut client) = compressed();
    client.outbound().feed(&payload).unwrap();
    let wire = written(&mut client);
    assert!(wire.len() > 128 << 10, "{}", wire.len());
    let mut rest = &wire[..];
    let begun = read(&mut server, &mut rest, 1000, Connection::next_stream);
    begun.unwrap();
    let mut message = vec![];
    loop {
        let mut output = [0; 500];
        let piece = read(&mut server, &mut rest, 1000, |server| {
            server.read_stream(&mut output)
        });
        match piece.unwrap() {
            0 => break,
            len => message.extend_from_slice(&output[..len]),
        }
    }
    assert!(message == payload);
}

#[test]
fn a_long_payload_that_is_not_to_be_compressed_is_written_from_where_it_lies() {
    let payload = vec![7; 100_000];
    let message = Outgoing::binary(&payload).uncompressed();
    let mut connection = compressed().0;
    let outbound = connection.outbound();
    let mut begun = outbound.begin_message(&message).unwrap();
    let [head, rest] = outbound.output_of(&mut begun).unwrap().unwrap();
    assert_eq!(head[..2], [FIN | BINARY, 127]);
    assert!(std::ptr::eq(rest, &raw const payload[..]), "it was copied");
    let len = head.len() + rest.len();
    outbound.written_of(Ok(len), &mut begun).unwrap();
    assert!(outbound.output_of(&mut begun).unwrap().is_none());
    let mut writer = outbound.feed_writer(message.kind()).unwrap();
    writer.feed(&payload[..500]).unwrap();
    writer.finish().unwrap();
    let plain = frame(Role::Server, FIN | BINARY, &[7; 500]);
    assert_eq!(written(&mut connection), plain);
}

#[test]
fn no_other_message_begins_within_one_that_was_begun() {
    let noise = pattern(400_000);
    for compresses in [false, true] {
        let mut server = if compresses { compressed().0 } else { server() };
        let outbound = server.outbound();
        let begun = outbound.begin_message(&noise).unwrap();
        let errors = [
            outbound.feed("").unwrap_err(),
            outbound
                .feed_frame(false, Rsv::NONE, Opcode::Continuation, b"")
                .unwrap_err(),
            outbound
                .feed_frame(true, Rsv::NONE, Opcode::Text, b"")
                .unwrap_err(),
            outbound.feed_writer(Opcode::Text).unwrap_err(),
            outbound.begin_message("").unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                kind_of_send(error),
                SendError::MessageOpen(Opcode::Binary),
                "{compresses}"
            );
        }
        assert!(!server.is_at_rest());
        server.outbound().buffer(begun).unwrap();
        server.outbound().feed("").unwrap();
    }
}

#[test]
fn a_connection_in_the_middle_of_a_frame_is_not_at_rest() {
    let payload = pattern(100_000);
    let mut connection = server();
    let outbound = connection.outbound();
    let mut begun = outbound.begin_message(&payload).unwrap();
    let [head, _] = outbound.output_of(&mut begun).unwrap().unwrap();
    let len = head.len();
    outbound.written_of(Ok(len + 10), &mut begun).unwrap();
    assert!(!connection.is_at_rest());
}

#[test]
fn what_is_left_of_a_message_is_not_buffered_for_a_stream_that_has_failed() {
    let payload = pattern(100_000);
    let mut connection = server();
    let outbound = connection.outbound();
    let mut begun = outbound.begin_message(&payload).unwrap();
    assert!(outbound.output_of(&mut begun).unwrap().is_some());
    let failed = Err(std::io::ErrorKind::BrokenPipe.into());
    outbound.written_of(failed, &mut begun).unwrap_err();
    let error = outbound.buffer(begun).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
}

#[test]
fn the_answer_of_a_handshake_is_written_before_what_is_fed() {
    let mut connection = server();
    let head = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    connection.outbound().begin_with(head);
    connection.outbound().feed("a").unwrap();
    let message = frame(Role::Server, FIN | TEXT, b"a");
    assert_eq!(written(&mut connection), [&head[..], &message].concat());
}

#[test]
fn a_message_that_was_found_is_lent_or_appended() {
    let bytes = [
        frame(CLIENT, FIN | TEXT, b"a"),
        frame(CLIENT, FIN | BINARY, b"b"),
    ];
    let mut connection = server();
    assert!(connection.message().is_none());
    give(&mut connection, &bytes.concat());
    assert!(connection.message().is_none(), "nothing looked for it");
    assert!(connection.has_message().unwrap());
    let (message, _) = connection.message().unwrap();
    assert_eq!(message.text(), Some("a"));
    let mut buffer = b"so ".to_vec();
    let appended = connection.append_message(&mut buffer).unwrap().unwrap();
    let kind = (appended.opcode(), appended.rsv());
    assert_eq!(kind, (Opcode::Binary, Rsv::NONE));
    assert_eq!(appended.payload(), b"b");
    assert_eq!(buffer, b"so b");
    assert!(connection.append_message(&mut buffer).unwrap().is_none());
}

#[test]
fn a_connection_that_closes_discards_what_comes_until_the_peer_has_closed_too() {
    let mut connection = of(Role::Server, 4096);
    connection
        .outbound()
        .close(CloseCode::NORMAL, "done")
        .unwrap();
    let bytes = [
        frame(CLIENT, FIN | BINARY, &pattern(3000)),
        frame(CLIENT, BINARY, b"not to its end"),
    ];
    give(&mut connection, &bytes.concat());
    assert!(connection.has_message().unwrap());
    connection.discard().unwrap();
    give(&mut connection, b"\x88\x82\0\0\0\0\x03\xE8");
    for _ in 0..2 {
        let end = connection.discard().unwrap_err();
        assert_eq!(end.closed().unwrap().code(), CloseCode::NORMAL, "{end}");
    }
    assert_eq!(written(&mut connection), b"\x88\x06\x03\xE8done");
}

#[test]
fn a_streamed_message_is_known_until_its_end_and_what_follows_is_left_over() {
    let mut connection = server();
    let next = frame(CLIENT, FIN | TEXT, b"next");
    give(
        &mut connection,
        &[frame(CLIENT, FIN | BINARY, b"ab"), next.clone()].concat(),
    );
    assert!(connection.streamed().is_none());
    let begun = connection.next_stream().unwrap();
    assert_eq!(connection.streamed(), begun);
    assert_eq!(connection.read_stream(&mut [0; 1]).unwrap(), Some(1));
    assert_eq!(connection.streamed(), begun);
    assert_eq!(connection.read_stream(&mut [0; 9]).unwrap(), Some(1));
    assert_eq!(connection.read_stream(&mut [0; 9]).unwrap(), Some(0));
    assert!(connection.streamed().is_none());
    assert_eq!(connection.into_leftover(), next);
}

#[test]
fn a_prepared_message_is_written_from_where_it_lies() {
    let prepared = PreparedMessage::new(pattern(3000)).unwrap();
    let mut connection = server();
    let outbound = connection.outbound();
    let mut begun = outbound.begin_prepared(&prepared).unwrap();
    let [head, rest] = outbound.output_of(&mut begun).unwrap().unwrap();
    assert!(head.is_empty());
    let payload = &rest[rest.len() - 3000..];
    assert!(std::ptr::eq(payload, prepared.payload()), "it was copied");
}
