//! Any messages, sent compressed in every way that a connection has, under any parameters. A peer reads them
//! back unchanged, whole and in pieces.
//!
//! The input: a byte each for the sending role, compression level, memory level and threshold, two for
//! parameters, one each for the chunk size and the most that the stream takes at a time, three for piece
//! lengths, one for the output's length. Then messages: a byte that says how each is sent, its length, how
//! often it is repeated, and its bytes.
#![no_main]

use std::error::Error;
use std::io::Write as _;

use framewire::deflate::DeflateConfig;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use framewire_fuzz::{Input, agreement, cut, receive, receive_in_pieces};
use libfuzzer_sys::fuzz_target;
use support::peer::{ScriptedPeer, Taking};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let role = input.role();
    let config = DeflateConfig {
        level: input.byte() % 10,
        memory_level: 1 + input.byte() % 9,
        threshold: input.byte().into(),
        ..DeflateConfig::default()
    };
    let agreed = agreement(config, &mut input);
    let chunk_size = usize::from(input.byte()) + 1;
    let taking = match input.byte() {
        0 => Taking::All,
        most => Taking::AtMost(most.into()),
    };
    let lengths = input.lengths();
    let output = usize::from(input.byte()) + 1;

    let config = Config {
        chunk_size,
        ..Config::default()
    };
    let peer = ScriptedPeer::default().taking(taking);
    let mut websocket = WebSocket::with_leftover(peer, &[], role, config).expect("legal sizes");
    websocket.set_extension(&agreed);
    let sent =
        send_all(&mut websocket, chunk_size, input).expect("nothing is wrong with a message");
    let bytes = websocket.stream_mut().take_written();

    let peer = match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    let pieces = cut(&bytes, lengths);
    let limit = sent.iter().map(Vec::len).max().unwrap_or(0) as u64;
    let whole = receive(peer, &agreed, limit, &pieces);
    let streamed = receive_in_pieces(peer, &agreed, limit, output, &pieces);
    for received in [whole, streamed] {
        assert_eq!(received.refused, None);
        assert_eq!(received.messages, sent);
    }
});

/// Sends the messages of the input, and returns them.
fn send_all(
    websocket: &mut WebSocket<ScriptedPeer>,
    most: usize,
    mut input: Input<'_>,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut sent = Vec::new();
    let mut total = 0;
    while !input.is_empty() && total < MOST {
        let how = input.byte();
        let (len, times) = (input.byte(), input.byte());
        let message = input.bytes(len.into()).repeat(usize::from(times % 32));
        let opcode = match std::str::from_utf8(&message) {
            Ok(_) if how & 0x80 != 0 => Opcode::Text,
            _ => Opcode::Binary,
        };
        match how % 8 {
            0 => websocket.write_message(opcode, &message)?,
            1 => websocket.feed_message(opcode, &message)?,
            2 => {
                let chunk_size = 1 + usize::from(how) % most;
                let len = websocket.stream_message(opcode, chunk_size, &message[..])?;
                assert_eq!(len, message.len() as u64);
            }
            3 => {
                // Between the repeated parts the message is flushed, or left open and resumed.
                websocket.message_writer(opcode)?;
                for part in message.chunks(usize::from(len).max(1)) {
                    let mut writer = websocket.resume_message_writer().expect("it is open");
                    writer.write_all(part)?;
                    if how & 0x40 != 0 {
                        writer.flush()?;
                    }
                }
                let writer = websocket.resume_message_writer().expect("it is open");
                assert_eq!(writer.finish()?, message.len() as u64);
            }
            4 => {
                websocket.set_compression(how & 0x40 != 0);
                continue;
            }
            _ => {
                websocket.ping(&[how])?;
                continue;
            }
        }
        total += message.len();
        sent.push(message);
    }
    websocket.flush()?;
    Ok(sent)
}

/// About the most that one input sends: more messages are not worth the time.
const MOST: usize = 4 << 10;
