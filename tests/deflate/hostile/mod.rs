//! What a hostile peer can do with compression, and what it costs.

mod bombs;
mod corrupt;
mod nothing;
mod pool;

use framewire::deflate::{DeflateConfig, Engine as _, Flush, Negotiated, ZlibRs};
use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, ErrorKind};
use support::connection::{Connection, Kind, Messaging};
use support::each;
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, RSV1, frame};
use support::oracle::frames_in;
use support::peer::ScriptedPeer;

const MIB: usize = 1 << 20;

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

/// A server of a kind that compresses, and its peer, which says this.
fn server(kind: Kind, negotiated: &Negotiated, input: &[u8]) -> (ScriptedPeer, Box<dyn Messaging>) {
    let peer = ScriptedPeer::new(input);
    let server = kind.messaging(&peer, Role::Server, Config::default(), Some(negotiated));
    (peer, server.unwrap())
}

/// The same of a kind that has every call.
fn streaming_server(
    kind: Kind,
    negotiated: &Negotiated,
    input: &[u8],
    config: Config,
) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::new(input);
    let server = kind.open(&peer, Role::Server, config, Some(negotiated));
    (peer, server.unwrap())
}

/// Every kind whose allocations can be counted.
fn counted() -> impl Iterator<Item = Kind> {
    each(Kind::ALL.into_iter().filter(|kind| kind.is_counted()))
}

/// Those of them that have every call.
fn counted_streaming() -> impl Iterator<Item = Kind> {
    counted().filter(|kind| kind.has_stream())
}

fn violation(server: &mut dyn Messaging) -> Violation {
    match server.next_message() {
        Ok(received) => panic!("{received:?}"),
        Err(error) => match error.into_kind() {
            ErrorKind::Violation(violation) => violation,
            kind => panic!("{kind:?}"),
        },
    }
}

fn close_code(peer: &ScriptedPeer) -> u16 {
    let (first_byte, payload) = frames_in(&peer.written()).pop().unwrap();
    assert_eq!(first_byte, FIN | CLOSE);
    u16::from_be_bytes([payload[0], payload[1]])
}
