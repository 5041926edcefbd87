//! Ends of the blocking front end over a stream that does not block: what would block is tried again.

mod calls;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use framewire::blocking::{ReadHalf, Sending, Shutdown, WebSocket, WriteHalf, Writer};
use framewire::{CloseCode, Error};
use tokio::task::yield_now;
use tokio::time::sleep;

use self::calls::{receive, send};
use crate::end::{End, GIVES_UP, REASON};
use crate::inbox::{Inbox, Reading};
use crate::network::Stream;
use crate::outbox::{Outbox, Way};
use crate::outcome::Outcome;
use crate::plan::{Closing, Kind};
use crate::world::World;

/// Begins the connection, and does what the plan says.
pub async fn run(end: End, stream: Stream) {
    let config = end.plan().config;
    let opened = WebSocket::with_leftover(stream, &[], end.role(), config);
    let mut connection = opened.expect("no size is zero");
    if let Some(agreed) = end.agreed() {
        connection.set_extension(&agreed);
    }
    if end.plan().kind == Kind::BlockingHalves {
        halves(&end, connection);
    } else {
        end.ended(whole(&end, connection).await);
    }
}

/// One caller that reads and sends by turns.
async fn whole(end: &End, mut connection: WebSocket<Stream>) -> Outcome {
    let mut inbox = Inbox::new(&end.world, end.side, ways_to_read(end));
    let mut outbox = outbox(end);
    let mut wait = Wait::new(&end.world);
    loop {
        let sends = outbox.is_done() || end.world.once_in(2);
        let sent = match sends.then(|| send_or_close(end, &mut connection, &mut outbox)) {
            Some(Ok(Next::Leave)) => return Outcome::Left,
            Some(Ok(Next::Done)) if end.plan().closing == Closing::Shutdown => {
                return until_shut_down(&mut wait, || connection.shutdown(GIVES_UP)).await;
            }
            Some(sent) => sent.map(drop),
            None => Ok(()),
        };
        if let Err(error) = &sent
            && !error.is_would_block()
            && error.closed().is_none()
        {
            return Outcome::Failed(sent.expect_err("as above"));
        }
        let received = match receive(&mut connection, &mut inbox) {
            Ok(false) => {
                if !has_sent_all(connection.flush(), &mut wait).await {
                    continue;
                }
                return Outcome::Closed(connection.closed().expect("it says how it ended"));
            }
            received => received.map(drop),
        };
        if let Err(error) = wait.after(received).await {
            return error;
        }
    }
}

/// Makes the call until it has its result.
async fn until_shut_down(
    wait: &mut Wait,
    mut shutdown: impl FnMut() -> Result<Shutdown, Error>,
) -> Outcome {
    loop {
        let waits = match shutdown() {
            Ok(shutdown) => return Outcome::Shutdown(shutdown),
            Err(error) => wait.after(Err(error)).await,
        };
        if let Err(outcome) = waits {
            return outcome;
        }
    }
}

/// What an end that sends does next.
enum Next {
    /// It goes on.
    Again,
    /// All is sent, and nothing more is to come of it.
    Done,
    /// It leaves.
    Leave,
}

/// Sends the next message, or does what the end does once all are sent.
fn send_or_close<T: Sending>(
    end: &End,
    writer: &mut Writer<T>,
    outbox: &mut Outbox,
) -> Result<Next, Error> {
    if !outbox.is_done() {
        let sent = send(writer, outbox);
        if sent.as_ref().is_err_and(|error| error.closed().is_some()) {
            outbox.clear();
        }
        return sent.map(|()| Next::Again);
    }
    match end.plan().closing {
        Closing::Leave => Ok(Next::Leave),
        Closing::Close if writer.closed().is_none() => {
            writer.close(CloseCode::NORMAL, REASON)?;
            Ok(Next::Again)
        }
        _ => {
            writer.flush()?;
            Ok(Next::Done)
        }
    }
}

/// Whether what waits at the end, the answer to a Close frame, has been written.
async fn has_sent_all(flushed: Result<(), Error>, wait: &mut Wait) -> bool {
    match flushed {
        Err(error) if error.is_would_block() => wait.after(Err(error)).await.is_err(),
        _ => true,
    }
}

/// One caller that reads, and one that sends.
fn halves(end: &End, connection: WebSocket<Stream>) {
    let (reading, writing) = connection.split().expect("a stream with duplicates");
    let progress = Rc::new(Progress::default());
    let reader = read(end.clone(), reading, writing.clone(), Rc::clone(&progress));
    end.world.spawn(format!("reader of {}", end.side), reader);
    let writer = write(end.clone(), writing, progress);
    end.world.spawn(format!("writer of {}", end.side), writer);
}

/// What the two callers tell each other.
#[derive(Default)]
struct Progress {
    has_sent_all: Cell<bool>,
    is_over: Cell<bool>,
}

async fn read(
    end: End,
    mut reading: ReadHalf<Stream>,
    mut writing: WriteHalf<Stream>,
    progress: Rc<Progress>,
) {
    let mut inbox = Inbox::new(&end.world, end.side, ways_to_read(&end));
    let mut wait = Wait::new(&end.world);
    let outcome = loop {
        if end.has_left.get() {
            break Outcome::Left;
        }
        if progress.has_sent_all.get() && end.plan().closing == Closing::Shutdown {
            break until_shut_down(&mut wait, || reading.shutdown(GIVES_UP)).await;
        }
        let received = match receive(&mut reading, &mut inbox) {
            Ok(false) => {
                if !has_sent_all(writing.flush(), &mut wait).await {
                    continue;
                }
                break Outcome::Closed(reading.closed().expect("it says how it ended"));
            }
            received => received.map(drop),
        };
        if let Err(outcome) = wait.after(received).await {
            break outcome;
        }
    };
    progress.is_over.set(true);
    end.ended(outcome);
}

async fn write(end: End, mut writing: WriteHalf<Stream>, progress: Rc<Progress>) {
    let mut outbox = outbox(&end);
    let mut wait = Wait::new(&end.world);
    while !progress.is_over.get() {
        let sent = match send_or_close(&end, &mut writing, &mut outbox) {
            Ok(Next::Leave) => {
                end.has_left.set(true);
                let _ = writing.abort();
                return;
            }
            Ok(Next::Done) => {
                progress.has_sent_all.set(true);
                return;
            }
            sent => sent.map(drop),
        };
        if wait.after(sent).await.is_err() {
            // Who reads finds the same, or the end that this is.
            let is_closed = writing.closed().is_some();
            if !is_closed {
                let _ = writing.abort();
            }
            return;
        }
    }
}

/// How long the next try waits: longer each time, where nothing happens.
pub struct Wait {
    world: Rc<World>,
    moves: usize,
    time: Duration,
    waited: Duration,
}

impl Wait {
    pub fn new(world: &Rc<World>) -> Self {
        Self {
            world: Rc::clone(world),
            moves: 0,
            time: Duration::ZERO,
            waited: Duration::ZERO,
        }
    }

    /// Waits, where the call would block. An end gives up when it has waited long enough while nothing was moved, and
    /// ends when its call failed.
    pub async fn after(&mut self, result: Result<(), Error>) -> Result<(), Outcome> {
        let moves = self.world.moves.get();
        if result.is_ok() || moves != self.moves {
            self.moves = moves;
            (self.time, self.waited) = (Duration::ZERO, Duration::ZERO);
        }
        match result {
            Ok(()) => {
                yield_now().await;
                Ok(())
            }
            Err(error) if error.is_would_block() => {
                if self.waited > GIVES_UP {
                    return Err(Outcome::GaveUp { is_closing: false });
                }
                sleep(self.time).await;
                self.waited += self.time;
                self.time = (self.time * 2).clamp(Duration::from_millis(1), Duration::from_secs(5));
                Ok(())
            }
            Err(error) => Err(Outcome::Failed(error)),
        }
    }
}

fn outbox(end: &End) -> Outbox {
    use Way::{Feed, Frames, Pieces, Ping, Prepared, Stream, TryFeed, Write};
    let ways = &[Write, Feed, TryFeed, Prepared, Ping, Stream, Pieces, Frames];
    Outbox::new(&end.world, end.side, 0, end.plan(), ways)
}

fn ways_to_read(end: &End) -> &'static [Reading] {
    use Reading::{Appended, Frames, Pieces, Whole};
    if end.all.compression.is_some() {
        &[Whole, Appended, Pieces]
    } else {
        &[Whole, Appended, Pieces, Frames]
    }
}
