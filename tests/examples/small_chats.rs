//! The small chats do what they say.

use std::future::Future;
use std::time::Duration;

use framewire::CloseCode;
use framewire::tokio::{WebSocket, accept, connect_stream};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[path = "../../crates/framewire/examples/axum_chat.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod axum_chat;
#[path = "../../crates/framewire/examples/tokio/chat_member.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod chat_member;

async fn in_time<T>(job: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), job).await.unwrap()
}

/// Accepts a member of the chat, and gives what it says until it has said `lines` of them.
async fn hear(listener: &TcpListener, lines: usize) -> (WebSocket<TcpStream>, Vec<String>) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut member = accept(stream).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < lines {
        let message = member.next_message().await.unwrap().unwrap();
        heard.push(message.text().unwrap().to_owned());
    }
    (member, heard)
}

#[tokio::test]
async fn chat_member_comes_back_and_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let (mut typed, input) = duplex(100);
    let member = async {
        let mut lines = BufReader::new(input).lines();
        chat_member::stay(&uri, &mut lines).await;
    };
    let server = async {
        typed.write_all(b"one\ntwo\n").await.unwrap();
        let (websocket, heard) = hear(&listener, 2).await;
        assert_eq!(heard, ["one", "two"]);
        // It vanishes; the next one goes away as a server does that is restarted.
        drop(websocket);
        let (mut websocket, _) = hear(&listener, 0).await;
        websocket.write("welcome back").await.unwrap();
        websocket.close(CloseCode::GOING_AWAY, "").await.unwrap();
        assert!(websocket.next_message().await.unwrap().is_none());
        drop(websocket);
        typed.write_all(b"three\n").await.unwrap();
        let (mut websocket, heard) = hear(&listener, 1).await;
        assert_eq!(heard, ["three"]);
        drop(typed);
        assert!(websocket.next_message().await.unwrap().is_none());
        assert_eq!(websocket.closed().unwrap().code(), CloseCode::NORMAL);
    };
    in_time(async { tokio::join!(member, server) }).await;
}

#[tokio::test]
async fn axum_chat_gives_what_anyone_says_to_everyone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum_chat::run(listener));
    in_time(async {
        let mut members = Vec::new();
        for number in 0..3 {
            let stream = TcpStream::connect(address).await.unwrap();
            let uri = format!("ws://{address}/chat");
            let mut member = connect_stream(stream, &uri).await.unwrap();
            // Once it hears itself it is in the room.
            let text = format!("{number} is here");
            member.write(&text).await.unwrap();
            until(&mut member, &text).await;
            members.push(member);
        }
        members[0].write("to all").await.unwrap();
        for member in &mut members {
            until(member, "to all").await;
        }
        // One that says what is no text is let go.
        members[1].write(b"\0").await.unwrap();
        assert!(members[1].next_message().await.is_err());
        members[2].write("still here").await.unwrap();
        until(&mut members[0], "still here").await;
        let shutdown = members[0].shutdown(Duration::from_secs(10)).await.unwrap();
        assert!(shutdown.clean);
    })
    .await;
}

/// Reads until somebody says this.
async fn until(member: &mut WebSocket<TcpStream>, text: &str) {
    while member.next_message().await.unwrap().unwrap().text() != Some(text) {}
}
