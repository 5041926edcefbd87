//! One connection to a receiver.
//!
//! One thread reads the answers, so that a refusal is seen while a file is being sent; another sends Pings.

use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use framewire::blocking::{ReadHalf, WriteHalf};
use framewire::upgrade::Stream;
use framewire::{
    CloseCode, Closed, Config, Error, ErrorKind, Limits, Opcode, Socket as _, WebSocket,
};

use super::content::Content;
use crate::failure::Failure;
use crate::files::progress::Progress;
use crate::files::protocol::{
    Answer, CHUNK, FOREVER, MALFORMED, MOST_TEXT, Malformed, PING_INTERVAL, Refused, SUBPROTOCOL,
    Say, close_reason, decode, encode,
};
use crate::reach::Reach;

/// An open connection.
pub(super) struct Link {
    writer: WriteHalf<Stream>,
    answers: Receiver<Heard>,
}

/// Why a file was not sent.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The receiver does not take it.
    Refused(Refused),
    /// The connection is gone; another may be better.
    Lost(String),
    /// Another try would end the same way.
    Final(String),
}

/// What the thread that reads has heard last.
type Heard = Result<Answer, End>;

/// How the connection has ended.
#[derive(Debug)]
enum End {
    Closed(Closed),
    Failed(Error),
    /// Nothing came for so long.
    Idle(Duration),
    Malformed(Malformed),
}

impl Link {
    /// Connects to a receiver.
    pub(super) fn open(reach: &Reach, url: &str, idle: Duration) -> Result<Self, Failure> {
        let config = Config::default()
            .limits(Limits::default().message(MOST_TEXT))
            .chunk_size(CHUNK)
            .write_buffer(2 * CHUNK);
        let established = reach.open(url)?;
        if established.subprotocol() != Some(SUBPROTOCOL) {
            let message = format!("server takes no files: it does not know {SUBPROTOCOL}");
            return Err(Failure::NoConnection(message));
        }
        let fails = |error: Error| Failure::NoConnection(error.to_string());
        let set = established.get_ref().set_read_timeout(Some(idle));
        set.map_err(|error| fails(ErrorKind::Io(error).into()))?;
        let websocket = WebSocket::from_established(established, config);
        let (reader, writer) = websocket.and_then(WebSocket::split).map_err(fails)?;
        let (heard, answers) = mpsc::sync_channel(1);
        let closer = writer.clone();
        let beat = writer.keep_alive(PING_INTERVAL, FOREVER);
        // They end with the connection.
        thread::spawn(move || listen(reader, closer, &heard, idle));
        thread::spawn(move || beat.run());
        Ok(Self { writer, answers })
    }

    /// Says something to the receiver.
    pub(super) fn say(&mut self, said: &Say) -> Result<(), Trouble> {
        let written = self.writer.write(encode(said).as_str());
        written.map_err(|error| self.why_not_sent(&error))
    }

    /// Waits for the next answer.
    pub(super) fn answer(&mut self) -> Result<Answer, Trouble> {
        match self.answers.recv() {
            Ok(heard) => heard.map_err(Trouble::from),
            Err(_) => Err(lost()),
        }
    }

    /// Sends a file as one message, unless the receiver answers meanwhile.
    pub(super) fn stream(
        &mut self,
        content: &mut Content,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let mut watched = Watched {
            content,
            progress,
            answers: &self.answers,
            heard: None,
        };
        let sent = self
            .writer
            .stream_message(Opcode::Binary, CHUNK, &mut watched);
        match (sent, watched.heard) {
            (_, Some(heard)) => Err(of(heard)),
            (Ok(_), None) => Ok(()),
            (Err(error), None) => Err(match error.kind() {
                ErrorKind::Source(error) => Trouble::Final(format!("cannot read it: {error}")),
                _ => self.why_not_sent(&error),
            }),
        }
    }

    /// Closes the connection, and waits a little for the receiver's answer.
    pub(super) fn close(mut self) {
        if self.writer.close(CloseCode::NORMAL, "").is_ok() {
            while let Ok(Ok(_)) = self.answers.recv_timeout(PATIENCE) {}
        }
    }

    /// Returns why something could not be sent. What the receiver said before the end says more than the stream.
    fn why_not_sent(&self, error: &Error) -> Trouble {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(heard) => of(heard),
            Err(_) => Trouble::Lost(error.to_string()),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // It ends the threads. It fails if the connection is gone already.
        let _ = self.writer.abort();
    }
}

/// Hands on what the receiver says, until the connection ends.
fn listen(
    mut reader: ReadHalf<Stream>,
    mut writer: WriteHalf<Stream>,
    heard: &SyncSender<Heard>,
    idle: Duration,
) {
    loop {
        let answer = match reader.next_message() {
            Ok(Some(message)) => decode(&message).map_err(End::Malformed),
            Ok(None) => Err(match reader.closed() {
                Some(closed) => End::Closed(closed),
                None => End::Failed(ErrorKind::ConnectionLost.into()),
            }),
            Err(error) if error.is_would_block() => Err(End::Idle(idle)),
            Err(error) => Err(End::Failed(error)),
        };
        let is_end = answer.is_err();
        if let Err(End::Malformed(error)) = &answer {
            // It fails if the connection is gone.
            let _ = writer.close(MALFORMED, close_reason(&error.to_string()));
        }
        // Nobody listens where the connection was given up.
        if heard.send(answer).is_err() || is_end {
            return;
        }
    }
}

/// The content of a file, until the receiver says something.
struct Watched<'a> {
    content: &'a mut Content,
    progress: &'a mut Progress,
    answers: &'a Receiver<Heard>,
    heard: Option<Heard>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Ok(heard) = self.answers.try_recv() {
            self.heard = Some(heard);
            return Err(io::Error::other("the receiver has answered"));
        }
        let len = self.content.read(buf)?;
        self.progress.add(len);
        Ok(len)
    }
}

/// Returns the trouble where a file was to be sent and something else was heard.
fn of(heard: Heard) -> Trouble {
    match heard {
        Ok(Answer::Failed(refused)) => Trouble::Refused(refused),
        Ok(_) => Trouble::Final("the receiver does not keep to the protocol".to_owned()),
        Err(end) => end.into(),
    }
}

fn lost() -> Trouble {
    Trouble::Lost(Error::from(ErrorKind::ConnectionLost).to_string())
}

impl From<End> for Trouble {
    fn from(end: End) -> Self {
        let may_be_better = match &end {
            End::Closed(closed) => MAY_BE_BETTER.contains(&closed.code()),
            End::Failed(error) => !matches!(error.kind(), ErrorKind::Violation(_)),
            End::Idle(_) => true,
            End::Malformed(_) => false,
        };
        let why = end.to_string();
        if may_be_better {
            Self::Lost(why)
        } else {
            Self::Final(why)
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::Failed(error) => error.fmt(f),
            Self::Idle(time) => write!(f, "nothing came from the receiver for {time:?}"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

/// The codes after which another connection may do better (RFC 6455 7.4.1, and the registry of RFC 6455 11.7).
const MAY_BE_BETTER: [CloseCode; 6] = [
    CloseCode::GOING_AWAY,
    CloseCode::ABNORMAL,
    CloseCode::INTERNAL_ERROR,
    CloseCode::SERVICE_RESTART,
    CloseCode::TRY_AGAIN_LATER,
    CloseCode::BAD_GATEWAY,
];
/// How long to wait for what the receiver says at the end.
const PATIENCE: Duration = Duration::from_secs(2);
