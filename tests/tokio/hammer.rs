//! Many tasks on many threads over one connection: the peer sees each message whole.

use std::collections::HashMap;
use std::time::Duration;

use framewire::tokio::{ReadHalf, WebSocket, WriteHalf};
use framewire::{CloseCode, Config, Opcode};
use support::frames::{CLOSE, FIN};
use support::pattern;
use support::peer::ScriptedPeer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const TASKS: u32 = 8;
const MESSAGES: u32 = 40;
const SIZES: [usize; 7] = [0, 1, 125, 126, 4_000, 5_000, 70_000];

/// Whose message it is, which one of his, and what tells whether it is whole.
fn message(task: u32, number: u32) -> Vec<u8> {
    let len = SIZES[(task + number) as usize % SIZES.len()];
    let head = [task.to_be_bytes(), number.to_be_bytes()].concat();
    [head, pattern(len)].concat()
}

/// Sends it by one of the ways of a half. Those of the table are for a scripted peer, to which no other end listens.
async fn send(writer: &mut WriteHalf<DuplexStream>, task: u32, number: u32) {
    let message = message(task, number);
    match number % 6 {
        0 => writer.write(&message).await.unwrap(),
        1 => {
            writer.feed(&message).await.unwrap();
            writer.flush().await.unwrap();
        }
        2 => {
            let streamed = writer.stream_message(Opcode::Binary, 1000, &message[..]);
            assert_eq!(streamed.await.unwrap(), message.len() as u64);
        }
        3 => {
            let mut streamed = writer.message_writer(Opcode::Binary).await.unwrap();
            for piece in message.chunks(3000) {
                streamed.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            streamed.finish().await.unwrap();
        }
        4 => {
            writer.ping(b"between").await.unwrap();
            let prepared = framewire::tokio::PreparedMessage::new(&message).unwrap();
            writer.write_prepared(&prepared).await.unwrap();
        }
        _ => {
            // One that gives up at once: it is there whole, or not at all.
            let extra = [&u32::MAX.to_be_bytes()[..], &message[4..]].concat();
            let _ = timeout(Duration::ZERO, writer.write(&extra)).await;
            writer.write(&message).await.unwrap();
        }
    }
}

/// Reads everything, and gives how many messages there were of each.
async fn check(mut reader: ReadHalf<DuplexStream>) -> HashMap<u32, u32> {
    let mut seen = HashMap::new();
    while let Some(read) = reader.next_message().await.unwrap() {
        let (task, rest) = read.payload().split_first_chunk().unwrap();
        let (number, rest) = rest.split_first_chunk().unwrap();
        let (task, number) = (u32::from_be_bytes(*task), u32::from_be_bytes(*number));
        assert!(
            SIZES.contains(&rest.len()) && rest == pattern(rest.len()),
            "{task} {number}"
        );
        if task < TASKS {
            assert_eq!(
                seen.insert(task, number),
                number.checked_sub(1),
                "of {task}"
            );
            assert_eq!(read.payload().len(), message(task, number).len());
        }
    }
    seen
}

/// The rule, by hand: two messages of two tasks, one behind the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_messages_of_two_tasks_are_sent_one_after_the_other() {
    let peer = ScriptedPeer::default();
    let server = WebSocket::server(peer.clone(), Config::default()).unwrap();
    let (_reader, writer) = server.split();
    let tasks = ["Hello", "world"].map(|text| {
        let mut writer = writer.clone();
        tokio::spawn(async move { writer.write(text).await })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let either_way = [b"\x81\x05Hello\x81\x05world", b"\x81\x05world\x81\x05Hello"];
    let written = peer.written();
    assert!(either_way.contains(&&written.try_into().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_message_of_many_tasks_arrives_whole_and_in_order() {
    let (near, far) = tokio::io::duplex(10_000);
    let near = WebSocket::server(near, Config::default()).unwrap().split();
    let far = WebSocket::client(far, Config::default()).unwrap().split();
    let mut readers = JoinSet::new();
    let mut writers = JoinSet::new();
    let mut closers = [near.1.clone(), far.1.clone()];
    for (reader, writer) in [near, far] {
        readers.spawn(check(reader));
        for task in 0..TASKS {
            let mut writer = writer.clone();
            writers.spawn(async move {
                for number in 0..MESSAGES {
                    send(&mut writer, task, number).await;
                }
            });
        }
    }
    timeout(PATIENCE, async {
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        // Both at once: the one whose Close frame comes second finds the connection closed.
        let [near, far] = &mut closers;
        let _ = tokio::join!(
            near.close(CloseCode::NORMAL, ""),
            far.close(CloseCode::NORMAL, "")
        );
        while let Some(seen) = readers.join_next().await {
            let seen = seen.unwrap();
            let all = (0..TASKS).all(|task| seen.get(&task) == Some(&(MESSAGES - 1)));
            assert!(all, "{seen:?}");
        }
    })
    .await
    .expect("somebody waits for ever");
}

/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One that sends long messages without end, and what another wants to send between them: how many of
/// those messages come before that.
async fn messages_before<T>(
    greedy: impl AsyncFn(&mut WriteHalf<DuplexStream>) + 'static,
    other: impl AsyncFnOnce(WriteHalf<DuplexStream>) -> T + 'static,
    is_other: impl Fn(u8, &[u8]) -> bool,
) -> usize {
    let (stream, mut peer) = tokio::io::duplex(1000);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (_reader, writer) = server.split();
    let mut half = writer.clone();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(async move {
        loop {
            greedy(&mut half).await;
        }
    });
    local.spawn_local(async move {
        // The other is in the middle of its first message.
        tokio::task::yield_now().await;
        other(writer).await;
    });
    let counting = async {
        for before in 0..MOST {
            let mut header = [0; 2];
            peer.read_exact(&mut header).await.unwrap();
            let mut payload = vec![0; usize::from(header[1])];
            if header[1] == 126 {
                payload.resize(usize::from(peer.read_u16().await.unwrap()), 0);
            } else if header[1] == 127 {
                let len = peer.read_u64().await.unwrap();
                payload.resize(usize::try_from(len).unwrap(), 0);
            }
            peer.read_exact(&mut payload).await.unwrap();
            if is_other(header[0], &payload) {
                return before;
            }
        }
        MOST
    };
    timeout(PATIENCE, local.run_until(counting)).await.unwrap()
}

#[tokio::test]
async fn a_task_that_never_stops_sending_lets_others_send() {
    let before = messages_before(
        writes_long,
        async |mut writer: WriteHalf<_>| writer.write("small").await,
        |_, payload| payload == b"small",
    );
    assert!(before.await <= 2);
    let before = messages_before(
        writes_long,
        async |mut writer: WriteHalf<_>| writer.write(vec![1; 70_000]).await,
        |_, payload| payload.len() == 70_000,
    );
    assert!(before.await <= 2);
}

async fn writes_long(writer: &mut WriteHalf<DuplexStream>) {
    writer.write(&LONG).await.unwrap();
}

async fn streams_without_end(writer: &mut WriteHalf<DuplexStream>) {
    let endless = tokio::io::repeat(0);
    let streamed = writer.stream_message(Opcode::Binary, 4000, endless).await;
    assert!(streamed.unwrap_err().closed().is_some());
}

#[tokio::test]
async fn a_task_that_never_stops_sending_lets_control_frames_through() {
    let before = messages_before(
        writes_long,
        async |mut writer: WriteHalf<_>| writer.ping(b"ping").await,
        |_, payload| payload == b"ping",
    );
    assert!(before.await <= 2);
    let before = messages_before(
        writes_long,
        async |mut writer: WriteHalf<_>| writer.close(CloseCode::NORMAL, "").await,
        |first, _| first == FIN | CLOSE,
    );
    assert!(before.await <= 2);
}

#[tokio::test]
async fn a_message_without_end_lets_control_frames_through() {
    let before = messages_before(
        streams_without_end,
        async |mut writer: WriteHalf<_>| writer.ping(b"ping").await,
        |_, payload| payload == b"ping",
    );
    assert!(before.await <= 2);
}

#[tokio::test]
async fn a_task_that_never_stops_sending_lets_a_sink_send() {
    use futures_util::SinkExt as _;

    let before = messages_before(
        writes_long,
        async |mut writer: WriteHalf<_>| {
            let message = framewire::OwnedMessage::from("small");
            writer.send(message).await
        },
        |_, payload| payload == b"small",
    );
    assert!(before.await <= 2);
}

static LONG: [u8; 100_000] = [0; 100_000];
/// How many messages are waited for.
const MOST: usize = 200;
