//! Buffers that connections have one after another: what one has left in them is nothing to the next.

use std::io::ErrorKind as Kind;

use framewire::protocol::Role;
use framewire::tokio::{BufferPool, WebSocket};
use framewire::{Config, Error};
use support::frames::{BINARY, CONTINUATION, FIN, TEXT, to, wire};
use support::oracle::unmasked;
use support::peer::ScriptedPeer;
use support::wait::wait;
use tokio::io::AsyncReadExt as _;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// An end with this pool, whose peer says this.
fn hearing(said: &[u8], role: Role, pool: &BufferPool) -> (ScriptedPeer, WebSocket<ScriptedPeer>) {
    let peer = ScriptedPeer::saying([said]);
    let opened = WebSocket::with_leftover(peer.clone(), &[], role, Config::default());
    let mut websocket = opened.unwrap();
    websocket.set_buffer_pool(pool);
    (peer, websocket)
}

/// Leaves a buffer of each kind in the pool, full of what no other connection is to see.
fn leave(role: Role, pool: &BufferPool) {
    let secret = vec![b's'; 20_000];
    let message = [
        to(role, BINARY, &*secret),
        to(role, FIN | CONTINUATION, &*secret),
    ];
    let (_, mut websocket) = hearing(&wire(&message), role, pool);
    wait(async {
        let (message, writer) = websocket.next_message_and_writer().await?.unwrap();
        assert_eq!(message.payload().len(), 2 * secret.len());
        writer.feed(&secret[..2000]).await?;
        writer.flush().await
    })
    .unwrap();
    // A read that has to wait gives back all of them.
    let rested = wait(async { websocket.next_message().await.map(drop) });
    assert!(rested.unwrap_err().is_would_block());
}

#[test]
fn a_connection_has_nothing_of_what_another_left_in_a_buffer() {
    for role in ROLES {
        let pool = BufferPool::keeping(1);
        leave(role, &pool);
        let said = wire(&[
            to(role, FIN | TEXT, "whole"),
            to(role, TEXT, "in "),
            to(role, FIN | CONTINUATION, "two"),
            to(role, TEXT, "in "),
            to(role, FIN | CONTINUATION, "memory of the caller"),
        ]);
        let unfinished = to(role, FIN | TEXT, vec![b'o'; 500]).bytes();
        let said = [said, unfinished[..unfinished.len() - 400].to_vec()].concat();
        let (peer, mut websocket) = hearing(&said, role, &pool);
        let rest = wait(async {
            for text in ["whole", "in two"] {
                let message = websocket.next_message().await?.unwrap();
                assert_eq!(message.text(), Some(text));
            }
            let mut memory = vec![];
            websocket.append_message(&mut memory).await?.unwrap();
            assert_eq!(memory, b"in memory of the caller");
            websocket.feed("sent").await?;
            websocket.flush().await?;
            peer.end();
            let mut reader = websocket.message_reader().await?.unwrap();
            let mut rest = vec![];
            let end = reader.read_to_end(&mut rest).await.unwrap_err();
            assert_eq!(end.kind(), Kind::UnexpectedEof);
            Ok::<_, Error>(rest)
        });
        assert_eq!(rest.unwrap(), [b'o'; 100]);
        let sent = to(support::peer(role), FIN | TEXT, "sent").bytes();
        assert_eq!(unmasked(&peer.written()), unmasked(&sent));
    }
}
