//! Ends of the tokio front end.

mod receiving;
mod sending;
mod sink;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use framewire::handshake::{Acceptor, Connector};
use framewire::protocol::Role;
use framewire::tokio::{self as front_end, KeepAliveEnd, ReadHalf, WebSocket, WriteHalf};
use framewire::{CloseCode, Error, ErrorKind};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use self::receiving::receive;
use self::sending::send;
pub use self::sink::sink;
use crate::end::{DEADLINE, End, GIVES_UP, HEARTBEAT, REASON};
use crate::inbox::{Inbox, Reading};
use crate::network::Stream;
use crate::outbox::{Outbox, Way};
use crate::outcome::Outcome;
use crate::plan::{Closing, Kind};
use crate::world::Stillness;

/// Begins the connection, and does what the plan says.
pub async fn run(end: End, stream: Stream) {
    let connection = match establish(&end, stream).await {
        Ok(connection) => connection,
        Err(outcome) => return end.ended(outcome),
    };
    match end.plan().kind {
        Kind::TokioHalves(writers) => halves(&end, connection, writers),
        Kind::TokioSink => end.ended(sink(&end, connection).await),
        _ => end.ended(whole(&end, connection).await),
    }
}

async fn establish(end: &End, stream: Stream) -> Result<WebSocket<Stream>, Outcome> {
    let config = end.plan().config;
    if !end.all.has_handshake {
        let opened = WebSocket::with_leftover(stream, &[], end.role(), config);
        let mut connection = opened.expect("no size is zero");
        if let Some(agreed) = end.agreed() {
            connection.set_extension(&agreed);
        }
        return Ok(connection);
    }
    let deflate = end.all.deflate();
    let established = async {
        if end.role() == Role::Server {
            let mut acceptor = Acceptor::new();
            if let Some(deflate) = deflate {
                acceptor = acceptor.deflate(deflate);
            }
            front_end::accept_with(stream, &acceptor, config).await
        } else {
            let mut connector = Connector::new();
            if let Some(deflate) = deflate {
                connector = connector.deflate(deflate);
            }
            front_end::connect_stream_with(stream, "ws://localhost/", &connector, config).await
        }
    };
    established.await.map_err(Outcome::Failed)
}

/// One task that reads and sends by turns.
async fn whole(end: &End, mut connection: WebSocket<Stream>) -> Outcome {
    let (world, plan) = (&end.world, end.plan());
    if plan.has_heartbeat {
        connection
            .set_keep_alive(HEARTBEAT, DEADLINE)
            .expect("no time is zero");
    }
    let mut outbox = Outbox::new(world, end.side, 0, plan, ways_to_send(end));
    let mut inbox = Inbox::new(world, end.side, ways_to_read(end));
    let mut still = Stillness::new(world);
    loop {
        if still.is_long() {
            let is_closing = connection.closed().is_some();
            return Outcome::GaveUp { is_closing };
        }
        let is_done = outbox.is_done();
        if is_done {
            match plan.closing {
                Closing::Leave => return Outcome::Left,
                Closing::Shutdown => {
                    return match connection.shutdown(GIVES_UP).await {
                        Ok(shutdown) => Outcome::Shutdown(shutdown),
                        Err(error) => Outcome::Failed(error),
                    };
                }
                Closing::Close if connection.closed().is_none() => {
                    let close = connection.close(CloseCode::NORMAL, REASON);
                    match within(by_turns(end), close).await {
                        Some(Err(error)) if is_lost(&error) => return Outcome::Failed(error),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        if !is_done && world.once_in(2) {
            let sent = send(&mut connection, &mut outbox);
            match within(by_turns(end), sent).await {
                Some(Err(error)) if is_lost(&error) => return Outcome::Failed(error),
                Some(Err(_)) => outbox.clear(),
                _ => {}
            }
            continue;
        }
        // A Close frame that was dropped is tried again.
        let has_closed = plan.closing != Closing::Close || connection.closed().is_some();
        let is_last = is_done && has_closed;
        let patience = if is_last {
            Patience::of(GIVES_UP)
        } else {
            by_turns(end)
        };
        match within(patience, receive(&mut connection, &mut inbox)).await {
            Some(Ok(false)) => {
                return Outcome::Closed(connection.closed().expect("it says how it ended"));
            }
            Some(Err(error)) => return Outcome::Failed(error),
            None if is_last => {
                let is_closing = connection.closed().is_some();
                return Outcome::GaveUp { is_closing };
            }
            Some(Ok(true)) | None => {}
        }
    }
}

/// One task that reads, some that send, and one for the heartbeat.
fn halves(end: &End, connection: WebSocket<Stream>, writers: usize) {
    let (mut reading, writing) = connection.split();
    let (world, side) = (&end.world, end.side);
    if end.plan().has_heartbeat {
        let (beat, writing) = (writing.keep_alive(HEARTBEAT, DEADLINE), writing.clone());
        let is_dead = Rc::clone(&end.is_dead);
        world.spawn(format!("heartbeat of {side}"), async move {
            let end = beat.await;
            is_dead.set(matches!(end, KeepAliveEnd::NoPong));
            if let KeepAliveEnd::NoPong | KeepAliveEnd::WriteFailed(_) = end {
                writing.abort();
            }
        });
    }
    let sending = Rc::new(Cell::new(writers));
    let all_sent = Rc::new(Notify::new());
    for writer in 0..writers {
        let (end, writing) = (end.clone(), writing.clone());
        let (sending, all_sent) = (Rc::clone(&sending), Rc::clone(&all_sent));
        let name = format!("writer {writer} of {side}");
        world.spawn(name, async move {
            write(&end, writer, writing, &sending).await;
            if sending.get() == 0 && end.plan().closing == Closing::Shutdown {
                all_sent.notify_one();
            }
        });
    }
    let end = end.clone();
    world
        .clone()
        .spawn(format!("reader of {side}"), async move {
            let mut inbox = Inbox::new(&end.world, end.side, ways_to_read(&end));
            let outcome = loop {
                if end.has_left.get() {
                    break Outcome::Left;
                }
                let patience = Patience::draw(&end).at_most(GIVES_UP);
                let received = tokio::select! {
                    biased;
                    received = within(patience, receive(&mut reading, &mut inbox)) => received,
                    () = all_sent.notified() => break shut_down(&mut reading).await,
                };
                match received {
                    Some(Ok(false)) => {
                        break Outcome::Closed(reading.closed().expect("it says how it ended"));
                    }
                    Some(Err(_)) if end.is_dead.get() => {
                        break Outcome::Failed(ErrorKind::NoPong.into());
                    }
                    Some(Err(error)) => break Outcome::Failed(error),
                    None if patience.is_last() => {
                        let is_closing = reading.closed().is_some();
                        break Outcome::GaveUp { is_closing };
                    }
                    Some(Ok(true)) | None => {}
                }
            };
            // Those who send wait no longer than who reads.
            if let Outcome::GaveUp { .. } = outcome {
                writing.abort();
            }
            end.ended(outcome);
        });
}

/// Sends all that one task has to send; the last one closes.
async fn write(end: &End, writer: usize, mut writing: WriteHalf<Stream>, sending: &Cell<usize>) {
    let (world, plan) = (&end.world, end.plan());
    let mut outbox = Outbox::new(world, end.side, writer, plan, ways_to_send(end));
    while !outbox.is_done() && !end.is_over() {
        if world.once_in(3) {
            sleep(world.milliseconds(20)).await;
        }
        let sent = send(&mut writing, &mut outbox);
        if let Some(Err(error)) = within(Patience::draw(end), sent).await {
            if is_lost(&error) {
                writing.abort();
            }
            outbox.clear();
        }
    }
    sending.set(sending.get() - 1);
    if sending.get() > 0 {
        return;
    }
    match plan.closing {
        Closing::Close => {
            let closed = writing.close(CloseCode::NORMAL, REASON).await;
            if closed.is_err_and(|error| is_lost(&error)) {
                writing.abort();
            }
        }
        Closing::Leave => {
            end.has_left.set(true);
            writing.abort();
        }
        Closing::Wait | Closing::Shutdown => {
            // What was fed leaves, though the reader waits already.
            let _ = writing.flush().await;
        }
    }
}

async fn shut_down(reading: &mut ReadHalf<Stream>) -> Outcome {
    match reading.shutdown(GIVES_UP).await {
        Ok(shutdown) => Outcome::Shutdown(shutdown),
        Err(error) => Outcome::Failed(error),
    }
}

fn is_lost(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Closed(_))
}

/// How long a call is waited for: for so long, and until it has waited so many times.
#[derive(Clone, Copy)]
struct Patience {
    time: Duration,
    waits: usize,
}

impl Patience {
    const ENDLESS: Self = Self::of(Duration::MAX);

    const fn of(time: Duration) -> Self {
        Self {
            time,
            waits: usize::MAX,
        }
    }

    /// Draws how long a call is waited for that may be dropped: for ever, as a rule.
    fn draw(end: &End) -> Self {
        let (world, cancels) = (&end.world, end.plan().cancels);
        if cancels == 0 || !world.once_in(cancels) {
            Self::ENDLESS
        } else if world.once_in(2) {
            let waits = world.up_to(4) - 1;
            Self {
                waits,
                ..Self::ENDLESS
            }
        } else {
            Self::of(world.milliseconds(30))
        }
    }

    /// Whether who has waited so long gives up.
    fn is_last(self) -> bool {
        self.time == GIVES_UP && self.waits == usize::MAX
    }

    /// No longer than that.
    fn at_most(self, time: Duration) -> Self {
        let time = self.time.min(time);
        Self { time, ..self }
    }
}

/// How long a call is waited for by a task that both reads and sends, since the other end may wait for the other.
fn by_turns(end: &End) -> Patience {
    Patience::draw(end).at_most(Duration::from_millis(20) + end.world.milliseconds(400))
}

/// Awaits a call as long as that, and then drops it.
async fn within<F: Future>(patience: Patience, call: F) -> Option<F::Output> {
    let (mut call, mut waited) = (pin!(call), 0);
    let called = poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if waited == patience.waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    });
    timeout(patience.time, called).await.ok().flatten()
}

fn ways_to_send(end: &End) -> &'static [Way] {
    use Way::{Feed, Frames, Pieces, Ping, Prepared, Stream, TryFeed, Write};
    let plan = end.plan();
    if plan.kind == Kind::Tokio {
        // A frame that was dropped was taken or not: a message of such frames cannot be gone on with.
        return &[Write, Feed, TryFeed, Prepared, Ping, Stream, Pieces];
    }
    match (plan.writers(), plan.cancels) {
        (1, 0) => &[Write, Feed, TryFeed, Prepared, Ping, Stream, Pieces, Frames],
        (1, _) | (_, 0) => &[Write, Feed, TryFeed, Prepared, Ping, Stream, Pieces],
        // Another task would find the message open that was dropped.
        _ => &[Write, Feed, TryFeed, Prepared, Ping],
    }
}

fn ways_to_read(end: &End) -> &'static [Reading] {
    use Reading::{Appended, Frames, Pieces, Whole};
    if end.all.compression.is_some() {
        &[Whole, Appended, Pieces]
    } else {
        &[Whole, Appended, Pieces, Frames]
    }
}
