//! What a hostile peer can do with compression, and what it costs.

use std::io::{self, Read, Write};
use std::num::NonZeroU64;

use allocation_counter::measure;
use framewire::deflate::{DeflateConfig, Engine as _, Flush, Negotiated, ZlibRs};
use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Error, ErrorKind, Opcode, WebSocket};
use proptest::prelude::*;
use support::deflate::{RSV1, Receiving, negotiated, pooled, sender, sent};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, TEXT, frame};
use support::oracle::frames_in;
use support::pattern;
use support::peer::{Direction, Fault, Plan, ScriptedPeer};

const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;

/// That many zeros, compressed a chunk at a time.
fn bomb(len: usize) -> Vec<u8> {
    let mut compressor = ZlibRs.compressor(9, 15, DeflateConfig::default().memory_level);
    let zeros = vec![0; len.min(MIB)];
    let mut output = vec![0; 64 << 10];
    let mut flushed = |zeros: &[u8]| {
        let progress = compressor.compress(zeros, &mut output, Flush::Sync);
        let progress = progress.unwrap();
        assert_eq!(progress.consumed, zeros.len());
        output[..progress.produced].to_vec()
    };
    let mut bomb = flushed(&zeros);
    if len > MIB {
        // Zeros after zeros: each further chunk is compressed to the same bytes.
        let chunk = flushed(&zeros);
        for _ in 1..len / MIB {
            bomb.extend_from_slice(&chunk);
        }
        let rest = len % MIB;
        if rest > 0 {
            bomb.extend(flushed(&zeros[..rest]));
        }
    }
    bomb.truncate(bomb.len() - 4);
    bomb
}

/// JSON that is alike and not the same.
fn json(len: usize) -> Vec<u8> {
    let objects = (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"ok\":true}},").into_bytes());
    objects.take(len).collect()
}

fn in_one_frame(payload: &[u8]) -> Vec<u8> {
    frame(Role::Client, FIN | RSV1 | BINARY, payload)
}

fn in_fragments(payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = frame(Role::Client, RSV1 | BINARY, &[]);
    for piece in payload.chunks(size) {
        bytes.extend(frame(Role::Client, CONTINUATION, piece));
    }
    bytes.extend(frame(Role::Client, FIN | CONTINUATION, &[]));
    bytes
}

fn server(negotiated: &Negotiated, input: &[u8]) -> WebSocket<ScriptedPeer> {
    server_by(negotiated, input, Config::default())
}

fn server_by(negotiated: &Negotiated, input: &[u8], config: Config) -> WebSocket<ScriptedPeer> {
    let mut websocket = support::connect(Role::Server, ScriptedPeer::new(input), config);
    websocket.set_deflate(negotiated);
    websocket
}

fn violation(websocket: &mut WebSocket<ScriptedPeer>) -> Violation {
    match websocket.next_message().unwrap_err().into_kind() {
        ErrorKind::Violation(violation) => violation,
        kind => panic!("{kind:?}"),
    }
}

fn close_code(websocket: &WebSocket<ScriptedPeer>) -> u16 {
    let (first_byte, payload) = frames_in(&websocket.stream().written()).pop().unwrap();
    assert_eq!(first_byte, FIN | CLOSE);
    u16::from_be_bytes([payload[0], payload[1]])
}

/// Everything up to a gigabyte stops at the limit of 1 MiB, after about as much memory.
#[test]
fn a_bomb_stops_at_the_limit() {
    for len in [1 << 10, MIB, MIB + 1, 2 * MIB, 64 * MIB, 1024 * MIB] {
        let bomb = bomb(len);
        assert!(bomb.len() < len / 50);
        for bytes in [in_one_frame(&bomb), in_fragments(&bomb, 700)] {
            for takeover in [false, true] {
                let mut server = server(&negotiated(takeover), &bytes);
                let mut allowed = false;
                let info = measure(|| allowed = server.next_message().is_ok());
                assert_eq!(allowed, len <= MIB, "{len}");
                // Doubling holds the old memory while it makes the new.
                assert!(info.bytes_max < 4 * MIB as u64, "{len}: {info:?}");
                if !allowed {
                    assert_eq!(close_code(&server), 1009, "{len}");
                }
            }
        }
    }
}

/// One that refers to what came before it, and comes again and again.
#[test]
fn a_bomb_with_takeover_stops_each_time() {
    let agreed = negotiated(true);
    let mut compressor = framewire::protocol::Sender::new(framewire::protocol::Encoder::client(
        framewire::frame::os_key,
    ));
    compressor.set_deflater(agreed.deflater(Role::Client));
    let mut bytes = Vec::new();
    for len in [MIB, MIB, MIB + 1] {
        let message = vec![0; len];
        compressor
            .message(Opcode::Binary, &message, &mut bytes)
            .unwrap();
    }
    let mut server = server(&agreed, &bytes);
    for _ in 0..2 {
        assert_eq!(server.next_message().unwrap().payload().len(), MIB);
    }
    let too_big = Violation::MessageTooBig { limit: MIB as u64 };
    assert_eq!(violation(&mut server), too_big);
    assert_eq!(close_code(&server), 1009);
}

#[test]
fn the_message_buffer_stays_near_the_limit() {
    let bytes = in_one_frame(&bomb(64 * MIB));
    for limit in [0, 1, 100, 5000, 100_000] {
        let limits = Limits {
            message: limit,
            compressed: NonZeroU64::new(u64::MAX),
            ..Limits::default()
        };
        let mut server = Receiving::new(Role::Server, &negotiated(true), limits);
        let received = server.receive(&bytes);
        assert_eq!(received, Err(Violation::MessageTooBig { limit }));
        let capacity = server.buffer.capacity() as u64;
        assert!(capacity <= 2 * limit + (8 << 10), "{limit}: {capacity}");
    }
}

#[test]
fn a_bomb_is_streamed_in_constant_memory() {
    let len = 32 * MIB;
    let bomb = bomb(len);
    for bytes in [in_one_frame(&bomb), in_fragments(&bomb, 700)] {
        for takeover in [false, true] {
            let mut server = server(&negotiated(takeover), &bytes);
            let mut buf = vec![0; 32 << 10];
            let mut read = 0;
            let info = measure(|| {
                let mut reader = server.message_reader().unwrap();
                loop {
                    match reader.read(&mut buf).unwrap() {
                        0 => break,
                        len => read += len,
                    }
                }
            });
            assert_eq!(read, len);
            assert!(info.bytes_max < 128 << 10, "{info:?}");
        }
    }
}

/// A payload that says the same again and again, as long as it is asked for.
struct Repeated {
    head: Vec<u8>,
    block: Vec<u8>,
    at: usize,
    blocks: u64,
}

impl Repeated {
    /// A client's binary message in one frame: a first block of 1 MiB, and then those many that
    /// refer to it.
    fn message(blocks: u64) -> Self {
        let mut compressor = ZlibRs.compressor(9, 15, 8);
        let text = json(MIB);
        let mut output = vec![0; MIB];
        let mut flushed = || {
            let progress = compressor.compress(&text, &mut output, Flush::Sync);
            output[..progress.unwrap().produced].to_vec()
        };
        let (first, block) = (flushed(), flushed());
        // The last block is an empty one, whose tail is cut off.
        let len = first.len() as u64 + blocks * block.len() as u64 + 1;
        let mut head = vec![FIN | RSV1 | BINARY, 0xff];
        head.extend(len.to_be_bytes());
        // A masking key of zeros changes nothing.
        head.extend([0; 4]);
        head.extend(first);
        Self {
            head,
            block,
            at: 0,
            blocks,
        }
    }
}

impl Read for Repeated {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            let len = (&self.head[..]).read(buf)?;
            self.head.drain(..len);
            return Ok(len);
        }
        if self.blocks == 0 {
            // The last byte is the header of the empty block, and then nobody says more.
            let len = (&[0x00][self.at..]).read(buf)?;
            self.at += len;
            return Ok(len);
        }
        let len = (&self.block[self.at..]).read(buf)?;
        self.at += len;
        if self.at == self.block.len() {
            self.at = 0;
            self.blocks -= 1;
        }
        Ok(len)
    }
}

impl Write for Repeated {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One message in one frame that inflates to a gigabyte.
#[test]
fn a_message_of_any_length_is_streamed_in_constant_memory() {
    let len = GIB;
    let message = Repeated::message(len / MIB as u64 - 1);
    let config = Config::default();
    let mut server = WebSocket::with_leftover(message, &[], Role::Server, config).unwrap();
    server.set_deflate(&negotiated(true));
    let mut buf = vec![0; 64 << 10];
    let expected = json(MIB);
    let mut read = 0;
    let info = measure(|| {
        let mut reader = server.message_reader().unwrap();
        loop {
            let len = reader.read(&mut buf).unwrap();
            if len == 0 {
                break;
            }
            let start = read % MIB;
            let len_here = len.min(MIB - start);
            assert!(buf[..len_here] == expected[start..start + len_here]);
            read += len;
        }
    });
    assert_eq!(read as u64, len);
    assert!(info.bytes_max < 128 << 10, "{info:?}");
}

/// One that is not wanted is skipped in constant memory as well.
#[test]
fn a_bomb_is_skipped_in_constant_memory() {
    let after = in_one_frame(&bomb(3));
    let bytes = [in_one_frame(&bomb(16 * MIB)), after].concat();
    let mut server = server(&negotiated(false), &bytes);
    let info = measure(|| {
        server.message_reader().unwrap();
        assert_eq!(server.next_message().unwrap().payload(), [0; 3]);
    });
    assert!(info.bytes_max < 128 << 10, "{info:?}");
}

/// What gives nothing, for ever.
#[test]
fn empty_blocks_cost_nothing() {
    let nothing = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(400_000);
    let bytes = in_one_frame(&[&nothing[..], &[0x00]].concat());
    let mut server = server(&negotiated(true), &bytes);
    let info = measure(|| assert_eq!(server.next_message().unwrap().payload(), b""));
    assert!(info.bytes_max < 128 << 10, "{info:?}");
}

#[test]
fn a_pool_that_is_exhausted_closes_with_1013() {
    let agreed = pooled(2);
    let begun = frame(Role::Client, RSV1 | TEXT, &[0xf2, 0x48]);
    let rest = frame(
        Role::Client,
        FIN | CONTINUATION,
        &[0xcd, 0xc9, 0xc9, 0x07, 0x00],
    );
    // The message may go on: its second read would block.
    let plan = Plan::Nth(Direction::Read, 1, Fault::Error(io::ErrorKind::WouldBlock));
    let mut holders: Vec<_> = (0..2)
        .map(|_| {
            let script = ScriptedPeer::new(begun.clone()).failing(plan);
            let mut holder = support::connect(Role::Server, script, Config::default());
            holder.set_deflate(&agreed);
            assert!(holder.next_message().unwrap_err().is_would_block());
            holder
        })
        .collect();
    let mut refused = server(&agreed, &begun);
    assert_eq!(violation(&mut refused), Violation::NoDecompressor);
    assert_eq!(close_code(&refused), 1013);
    drop(holders.pop());
    let mut taken = server(&agreed, &[begun, rest].concat());
    assert_eq!(taken.next_message().unwrap().text(), Some("Hello"));
}

#[test]
fn a_pool_that_is_exhausted_sends_uncompressed() {
    let agreed = pooled(2);
    let mut holders: Vec<_> = (0..2).map(|_| server(&agreed, &[])).collect();
    for holder in &mut holders {
        holder.message_writer(Opcode::Text).unwrap();
    }
    let first_byte = |websocket: &WebSocket<ScriptedPeer>| websocket.stream().written()[0];
    for (compressed, send) in [(0, false), (0, true), (RSV1, false), (RSV1, true)] {
        if compressed != 0 {
            holders.pop();
        }
        let mut sender = server(&agreed, &[]);
        if send {
            sender.write_message(Opcode::Text, b"Hello").unwrap();
        } else {
            sender
                .stream_message(Opcode::Text, 64, &b"Hello"[..])
                .unwrap();
        }
        assert_eq!(first_byte(&sender), FIN | compressed | TEXT);
    }
}

#[test]
fn what_the_pool_lends_comes_back() {
    let agreed = pooled(2);
    let whole = in_one_frame(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let begun = frame(Role::Client, RSV1 | BINARY, &[0xf2, 0x48]);
    let broken = in_one_frame(&[0xff; 10]);
    let mut alive = Vec::new();
    for n in 0..100 {
        // After messages, …
        let mut server = server(
            &agreed,
            &[&whole[..], &whole, [&begun, &broken][n % 2]].concat(),
        );
        for _ in 0..2 {
            assert_eq!(server.next_message().unwrap().payload(), b"Hello");
            server.write_message(Opcode::Text, b"Hello").unwrap();
            assert_eq!(server.stream().written()[0], FIN | RSV1 | TEXT);
        }
        if n % 4 == 0 {
            alive.push(server);
            continue;
        }
        // … and after drops, in the middle of a message both ways.
        server.message_writer(Opcode::Text).unwrap();
        assert!(server.next_message().is_err());
    }
    assert_eq!(alive.len(), 25);
}

/// Whoever is lent a context after a message that was never finished.
#[test]
fn a_context_that_comes_back_from_within_a_message_is_as_new() {
    let agreed = pooled(1);
    for len in [100, 10_000, 1_000_000] {
        server(&agreed, &[])
            .message_writer(Opcode::Binary)
            .unwrap()
            .write_all(&pattern(len))
            .unwrap();
        let mut next = server(&agreed, &[]);
        for message in [json(100), pattern(100_000)] {
            next.write_message(Opcode::Binary, &message).unwrap();
            let bytes = next.stream().take_written();
            let received = Receiving::client(false).receive(&bytes);
            assert!(received.unwrap() == [message], "{len}");
        }
    }
}

/// A connection that has failed is kept for its Close frame, and holds nothing of the pool's.
#[test]
fn a_violation_gives_the_context_back() {
    let agreed = pooled(1);
    let broken = in_one_frame(&[0xff; 10]);
    let not_text = frame(
        Role::Client,
        FIN | RSV1 | TEXT,
        &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00],
    );
    let bomb = in_one_frame(&bomb(2 * MIB));
    let mut failed = Vec::new();
    for bytes in [broken, not_text, bomb] {
        let mut server = server(&agreed, &bytes);
        assert_ne!(violation(&mut server), Violation::NoDecompressor);
        failed.push(server);
    }
}

/// Whatever is called after it, the connection has failed, and for the same reason.
#[test]
fn a_corrupt_message_ends_the_connection() {
    let first = sent(&mut sender(&negotiated(true)), b"Hello");
    let first = frames_in(&first).remove(0).1;
    let good = in_one_frame(&first);
    for corrupt in [
        in_one_frame(&[0xff; 10]),
        in_fragments(b"\x00\x01\x00\xfe\xffH\xff\xff", 2),
        // Stored bytes whose length does not fit its complement.
        in_one_frame(&[0x00, 0x05, 0x00, 0x00, 0x00]),
    ] {
        for takeover in [false, true] {
            let bytes = [&good[..], &corrupt, &good].concat();
            for first in READS {
                let mut server = server(&negotiated(takeover), &bytes);
                assert_eq!(server.next_message().unwrap().payload(), b"Hello");
                for read in std::iter::once(first).chain(READS) {
                    let error = read(&mut server).unwrap_err();
                    let violation = ErrorKind::Violation(Violation::InvalidDeflate);
                    assert_eq!(format!("{:?}", error.kind()), format!("{violation:?}"));
                }
                // Nothing is sent behind the one Close frame.
                assert!(server.write_message(Opcode::Text, b"more").is_err());
                assert_eq!(frames_in(&server.stream().written()).len(), 1);
                assert_eq!(close_code(&server), 1007);
            }
        }
    }
}

type ReadMessage = fn(&mut WebSocket<ScriptedPeer>) -> Result<(), Error>;

/// Every way to read a message.
const READS: &[ReadMessage] = &[
    |server| server.next_message().map(drop),
    |server| server.read_message(&mut Vec::new()).map(drop),
    |server| {
        let mut reader = server.message_reader()?;
        let read = reader.read_to_end(&mut Vec::new());
        read.map(drop).map_err(|error| error.downcast().unwrap())
    },
];

/// What a message's bytes are changed to: bits flipped, or the rest cut off.
fn damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>)>
{
    (
        proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 0..4),
        any::<Option<prop::sample::Index>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_corrupt_stream_fails_or_is_a_message(
        message in prop_oneof!["[a-e ]{0,3000}", "\\PC{0,500}"],
        (flips, cut) in damage(),
        takeover: bool,
        text: bool,
        size in 1_usize..600,
    ) {
        let agreed = negotiated(takeover);
        let wire = sent(&mut sender(&agreed), message.as_bytes());
        let mut payload = frames_in(&wire).remove(0).1;
        for (index, bit) in flips {
            let index = index.index(payload.len());
            payload[index] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len() + 1));
        }
        let mut bytes = in_fragments(&payload, size);
        bytes[0] = RSV1 | if text { TEXT } else { BINARY };
        let mut whole = server(&agreed, &bytes);
        let mut streamed = server(&agreed, &bytes);
        let result = whole.next_message().map(|message| message.payload().to_vec());
        let mut pieces = Vec::new();
        let read = streamed.message_reader().unwrap().read_to_end(&mut pieces);
        match result {
            Ok(message) => {
                prop_assert!(!text || std::str::from_utf8(&message).is_ok());
                prop_assert_eq!(read.unwrap(), message.len());
                prop_assert_eq!(pieces, message);
            }
            Err(error) => {
                prop_assert!(read.is_err());
                let ErrorKind::Violation(violation) = error.into_kind() else {
                    return Err(TestCaseError::fail("not the peer's fault"));
                };
                if !matches!(violation, Violation::MessageTooBig { .. }) {
                    prop_assert_eq!(close_code(&whole), 1007);
                }
            }
        }
    }

    #[test]
    fn any_bytes_fail_or_are_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..300), takeover: bool) {
        let mut server = server(&negotiated(takeover), &in_one_frame(&bytes));
        if let Err(error) = server.next_message() {
            let expected = matches!(
                error.kind(),
                ErrorKind::Violation(Violation::InvalidDeflate | Violation::MessageTooBig { .. })
            );
            prop_assert!(expected);
        }
    }
}

#[test]
fn noise_fails_or_is_a_message() {
    for len in 0..2000 {
        let _ = server(&negotiated(len % 2 == 0), &in_one_frame(&pattern(len))).next_message();
    }
}

/// Empty blocks.
fn nothing() -> Vec<u8> {
    [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(13_000)
}

/// A compressed message that never ends, of blocks of which nothing comes out.
fn endless_nothing(frames: usize) -> Vec<u8> {
    let blocks = nothing();
    let mut bytes = frame(Role::Client, RSV1 | BINARY, &blocks);
    bytes.extend(frame(Role::Client, CONTINUATION, &blocks).repeat(frames));
    bytes
}

/// By default twice the limit on the message, and 64 KiB: with the default of 1 MiB that is 33 frames
/// of 65,000 bytes, and the header of the next one is refused.
#[test]
fn a_message_of_which_nothing_comes_out_is_bounded() {
    let limit = 2 * MIB as u64 + (64 << 10);
    let mut server = server_by(&negotiated(true), &endless_nothing(100), Config::default());
    assert_eq!(
        violation(&mut server),
        Violation::CompressedTooBig { limit }
    );
    assert_eq!(close_code(&server), 1009);
    let read = server.stream().calls().reads;
    assert!(
        read <= 140,
        "it stopped reading after {read} reads of 16 KiB"
    );
}

#[test]
fn a_limit_on_compressed_bytes_holds_for_streamed_messages_where_it_is_set() {
    let mut config = Config::default();
    config.limits.compressed = NonZeroU64::new(100_000);
    let mut server = server_by(&negotiated(true), &endless_nothing(100), config);
    let mut reader = server.message_reader().unwrap();
    let error = reader.read(&mut [0; 100]).unwrap_err();
    let limit = Violation::CompressedTooBig { limit: 100_000 };
    let error = error.downcast::<Error>().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Violation(violation) if *violation == limit));

    // Where it is not, something has to come out now and then.
    let limit = Violation::CompressedToNothing { most: 64 << 10 };
    let mut bytes = frame(Role::Client, RSV1 | BINARY, b"\0\x05\0\xFA\xFFhello");
    bytes.extend(frame(Role::Client, CONTINUATION, &nothing()).repeat(100));
    let mut server = server_by(&negotiated(true), &bytes, Config::default());
    let mut reader = server.message_reader().unwrap();
    reader.read_exact(&mut [0; 5]).unwrap();
    let error = reader.read(&mut [0; 100]).unwrap_err();
    let error = error.downcast::<Error>().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Violation(violation) if *violation == limit));
    assert_eq!(close_code(&server), 1009);
    let read = server.stream().calls().reads;
    assert!(read <= 6, "it stopped after {read} reads of 16 KiB");
}

#[test]
fn what_compression_makes_longer_is_within_the_limit() {
    let noise = pattern(MIB);
    for level in 0..=9 {
        let mut compressor = ZlibRs.compressor(level, 15, 1);
        let mut payload = vec![];
        // Flushed every kilobyte, as a peer that streams may.
        for piece in noise.chunks(1 << 10) {
            let mut output = vec![0; 4 << 10];
            let progress = compressor
                .compress(piece, &mut output, Flush::Sync)
                .unwrap();
            payload.extend_from_slice(&output[..progress.produced]);
        }
        payload.truncate(payload.len() - 4);
        assert!(payload.len() > MIB);
        let bytes = in_one_frame(&payload);
        let mut server = server_by(&negotiated(true), &bytes, Config::default());
        assert!(server.next_message().unwrap().payload() == noise);
    }
}
