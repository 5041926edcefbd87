//! The tokio front end, end to end.

use std::time::Duration;

use framewire::tokio::WebSocket;
use framewire::{CloseCode, Config, Opcode, Side};

#[tokio::test]
async fn messages_are_echoed_and_the_connection_is_closed() {
    let (near, far) = tokio::io::duplex(1000);
    let server = tokio::spawn(async move {
        let mut server = WebSocket::server(far, Config::default()).unwrap();
        while let Some((message, writer)) = server.next_message_and_writer().await.unwrap() {
            writer.feed(message).await.unwrap();
        }
        server.closed().unwrap()
    });
    let mut client = WebSocket::client(near, Config::default()).unwrap();
    for len in [0, 1, 125, 126, 5_000, 70_000] {
        let payload = vec![b'a'; len];
        let echo = tokio::time::timeout(Duration::from_secs(30), async {
            client.write((Opcode::Text, &payload)).await.unwrap();
            client
                .next_message()
                .await
                .unwrap()
                .unwrap()
                .payload()
                .to_vec()
        });
        assert_eq!(echo.await.unwrap(), payload);
    }
    let end = client.shutdown(Duration::from_secs(30)).await.unwrap();
    assert!(end.clean);
    let closed = server.await.unwrap();
    assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
}
