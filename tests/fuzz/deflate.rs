//! Any messages, sent compressed in every way that a connection has, under any parameters. A peer reads them
//! back unchanged, whole and in pieces.
//!
//! The input: a byte each for the sending role, compression level, memory level and threshold, two for
//! parameters, one each for the chunk size and the most that the stream takes at a time, three for piece
//! lengths, one for the output's length. Then messages: a byte that says by which operation of the table and in
//! pieces of which length each is sent, its length, how often it is repeated, and its bytes.

use crate::{Input, agreement, cut, receive, receive_in_pieces};
use framewire::Config;
use framewire::deflate::DeflateConfig;
use support::connection::{Kind, Messaging};
use support::operations::{Hands, Operation, Sends};
use support::peer::{ScriptedPeer, Taking};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let role = input.role();
    let config = DeflateConfig::default()
        .level(input.byte() % 10)
        .memory_level(1 + input.byte() % 9)
        .threshold(input.byte().into());
    let agreed = agreement(config, &mut input);
    let chunk_size = usize::from(input.byte()) + 1;
    let taking = match input.byte() {
        0 => Taking::All,
        most => Taking::AtMost(most.into()),
    };
    let lengths = input.lengths();
    let output = usize::from(input.byte()) + 1;

    let config = Config::default().chunk_size(chunk_size);
    let peer = ScriptedPeer::default().taking(taking);
    let opened = Kind::Blocking.messaging(&peer, role, config, Some(&agreed));
    let sent = send_all(&mut *opened.expect("legal sizes"), chunk_size, input);
    let bytes = peer.take_written();

    let peer = support::peer(role);
    let pieces = cut(&bytes, lengths);
    let limit = sent.iter().map(Vec::len).max().unwrap_or(0) as u64;
    let whole = receive(peer, &agreed, limit, &pieces);
    let streamed = receive_in_pieces(peer, &agreed, limit, output, &pieces);
    for received in [whole, streamed] {
        assert_eq!(received.refused, None);
        assert_eq!(received.messages, sent);
    }
}

/// Sends the messages of the input, and returns them.
fn send_all(connection: &mut dyn Messaging, most: usize, mut input: Input<'_>) -> Vec<Vec<u8>> {
    let operations = Operation::sending_messages(Kind::Blocking);
    let operations: Vec<_> = operations
        .filter(|one| one.sends == Sends::Message)
        .collect();
    let mut sent = Vec::new();
    let mut total = 0;
    while !input.is_empty() && total < MOST {
        let how = usize::from(input.byte());
        let (len, times) = (input.byte(), input.byte());
        let message = input.bytes(len.into()).repeat(usize::from(times % 32));
        let mut hands = Hands::new(&message, 1 + how % most);
        let operation = operations[how % operations.len()];
        let result = operation.call(connection, &mut hands);
        result.expect("nothing is wrong with a message");
        total += message.len();
        sent.push(message);
    }
    connection.flush().expect("the peer takes everything");
    sent
}

/// About the most that one input sends: more messages are not worth the time.
const MOST: usize = 4 << 10;
