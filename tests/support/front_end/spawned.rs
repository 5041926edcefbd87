//! A connection in a task of its own, on a runtime with two threads, to which the peer speaks from
//! a third.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use framewire::ErrorKind;
use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connected::{Events, assert_same, config, final_end};
use super::{FrontEnd, Outcome, Script};
use crate::event::{End, Event};
use crate::peer::ScriptedPeer;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime without sockets")
});

/// `next_message` of `tokio::WebSocket`, in a task that is woken from another thread.
#[derive(Debug)]
pub struct Spawned;

impl FrontEnd for Spawned {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn run(&self, script: &Script) -> Outcome {
        let peer = ScriptedPeer::default();
        let events = Events::default();
        let mut task = RUNTIME.spawn(receive(open(peer.clone(), script, &events), events.clone()));
        let end = RUNTIME.block_on(async { timeout(A_LOT, say(script, &peer, &mut task)).await });
        Outcome {
            events: events.take(),
            end: end.expect("every wake-up arrives"),
            partial: vec![],
            sent: Some(peer.take_written()),
        }
    }
}

/// The end of a connection of tokio's that receives a script, past the handshake. Its handlers note what
/// they are called with.
pub fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    script: &Script,
    events: &Events,
) -> WebSocket<S> {
    let config = config(script);
    let socket = match script.terms.role {
        Role::Server => WebSocket::server(stream, config),
        Role::Client => WebSocket::client(stream, config),
    };
    let mut socket = socket.expect("no size is zero");
    if let Some(agreed) = script.compression.negotiated() {
        socket.set_extension(&agreed);
    }
    socket.on_ping(events.of_pings());
    socket.on_pong(events.of_pongs());
    socket.on_close(events.of_closes());
    socket
}

async fn receive(mut socket: WebSocket<ScriptedPeer>, events: Events) -> End {
    loop {
        match socket.next_message().await {
            Ok(Some(message)) => {
                let event = Event::Message(message.opcode(), message.payload().to_vec());
                events.push(event);
            }
            Ok(None) => {
                let reads = socket.stream().calls().reads;
                let closed = socket.closed().expect("it says how it ended");
                let again = socket.next_message().await;
                assert!(matches!(again, Ok(None)), "{again:?}");
                assert_eq!(socket.stream().calls().reads, reads, "a read after the end");
                return final_end(&ErrorKind::Closed(Box::new(closed)).into());
            }
            Err(error) => {
                let reads = socket.stream().calls().reads;
                let end = final_end(&error);
                let again = socket.next_message().await.map(drop);
                assert_same(&Err(error), &again);
                assert_eq!(socket.stream().calls().reads, reads, "a read after the end");
                return end;
            }
        }
    }
}

/// Says all of a script to a task, and gives the task's end: open, where it waits for more.
async fn say(script: &Script, peer: &ScriptedPeer, task: &mut JoinHandle<End>) -> End {
    for piece in &script.pieces {
        peer.say(&piece[..]);
        if script.pauses
            && let Some(end) = all_read(peer, task).await
        {
            return end;
        }
    }
    if let Some(end) = all_read(peer, task).await {
        return end;
    }
    task.abort();
    assert!(task.await.expect_err("it waits").is_cancelled());
    End::Open
}

/// Waits until a task has read all that was said; its end, where it has come to one.
async fn all_read(peer: &ScriptedPeer, task: &mut JoinHandle<End>) -> Option<End> {
    poll_fn(|cx| match Pin::new(&mut *task).poll(cx) {
        Poll::Ready(end) => Poll::Ready(Some(end.expect("no panic"))),
        Poll::Pending => peer.poll_all_read(cx).map(|()| None),
    })
    .await
}

/// Longer than anything takes.
const A_LOT: Duration = Duration::from_secs(60);
