//! A read buffer that was given back while a message is under way.

use std::time::Duration;

use framewire::tokio::WebSocket;
use framewire::{Config, Opcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

const FRAME: &[u8] = b"\x82\x0A0123456789";

/// A client to which a server has said this.
async fn hearing(bytes: &[u8]) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, mut far) = duplex(100);
    far.write_all(bytes).await.unwrap();
    let config = Config {
        read_buffer: 4,
        ..Config::default()
    };
    (WebSocket::client(near, config).unwrap(), far)
}

/// What a future gives without waiting.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    timeout(Duration::ZERO, future).await.ok()
}

#[tokio::test]
async fn a_long_payload_is_waited_for_and_a_short_rest_of_it_then_read() {
    for cut in 2..FRAME.len() {
        let (mut socket, mut far) = hearing(&FRAME[..cut]).await;
        let mut reader = socket.message_reader().await.unwrap();
        let mut bytes = vec![];
        while let Some(len) = at_once(reader.read_buf(&mut bytes)).await {
            assert!(len.unwrap() > 0, "the message has no end yet");
        }
        far.write_all(&FRAME[cut..]).await.unwrap();
        // Too short to be read into past the read buffer.
        let mut buffer = [0; 3];
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                len => bytes.extend(&buffer[..len]),
            }
        }
        assert_eq!(bytes, FRAME[2..], "{cut}");
    }
}

#[tokio::test]
async fn nothing_is_left_over_in_it() {
    for cut in 0..FRAME.len() {
        let (mut socket, _far) = hearing(&FRAME[..cut]).await;
        assert!(at_once(socket.next_message()).await.is_none());
        let (_, leftover) = socket.into_inner();
        // A header of whose payload nothing has come is there, whole or not.
        let expected = if cut <= 2 { &FRAME[..cut] } else { &[] };
        assert_eq!(leftover, expected, "{cut}");
    }
    let (mut socket, _far) = hearing(FRAME).await;
    let message = socket.next_message().await.unwrap();
    assert_eq!(message.opcode(), Opcode::Binary);
    assert!(at_once(socket.next_message()).await.is_none());
    assert!(socket.into_inner().1.is_empty());
}
