//! One sender, and the files that it sends.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use framewire::blocking::{ReadHalf, WriteHalf};
use framewire::{CloseCode, Error, ErrorKind, Opcode, WebSocket};

use super::shared::Shared;
use super::tally::Tally;
use crate::files::part::Incoming;
use crate::files::progress::Progress;
use crate::files::protocol::{
    Answer, CHUNK, FOREVER, MALFORMED, PING_INTERVAL, Refused, Say, Why, close_reason, decode,
    encode,
};
use crate::serve::blocking::socket::Stream;

/// An open connection.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    peer: SocketAddr,
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    tally: Tally,
    /// Whether the connection was closed for a file that cannot be taken.
    has_refused: bool,
}

/// Why a file does not arrive.
enum Stop {
    /// It is not taken, and the next one may follow.
    Refused(Refused),
    /// It cannot be taken to its end: the connection is closed.
    Broken(Refused),
    /// The sender does not keep to the protocol: the connection is closed.
    Breach(CloseCode, String),
    /// The connection has ended.
    Lost(Error),
}

impl<'a> Session<'a> {
    pub(super) fn new(
        websocket: WebSocket<Stream>,
        shared: &'a Shared,
        peer: SocketAddr,
    ) -> Result<Self, Error> {
        let (reader, writer) = websocket.split()?;
        let beat = writer.keep_alive(PING_INTERVAL, FOREVER);
        thread::Builder::new()
            .spawn(move || beat.run())
            .map_err(ErrorKind::Io)?;
        Ok(Self {
            shared,
            peer,
            reader,
            writer,
            tally: Tally::default(),
            has_refused: false,
        })
    }

    pub(super) fn writer(&self) -> WriteHalf<Stream> {
        self.writer.clone()
    }

    /// Returns whether all files that were announced have arrived; `None` if none was announced.
    pub(super) fn outcome(&self) -> Option<Result<(), String>> {
        self.tally.outcome()
    }

    /// Returns whether the connection was closed for a file that cannot be taken: the sender gives up.
    pub(super) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Takes files until the sender closes the connection. Returns why it ended in any other way.
    pub(super) fn run(&mut self) -> Result<(), String> {
        loop {
            let (name, size) = match self.listen() {
                Ok(Some(Say::File { name, size })) => (name, size),
                Ok(Some(_)) => return Err(self.close(&out_of_order("a file"))),
                Ok(None) => return self.closed(),
                Err(stop) => return Err(self.close(&stop)),
            };
            self.tally.announce(&name);
            let shown: String = name.chars().take(MOST_SHOWN).collect();
            let peer = self.peer;
            let screen = &self.shared.screen;
            let mut progress = screen.begin(&shown, size);
            let taken = self.take(&name, size, &mut progress);
            let (line, there) = (progress.to_string(), progress.there());
            drop(progress);
            let refused = match taken {
                Ok(()) => {
                    screen.tell(format_args!("{peer} {shown}: {line}"));
                    self.tally.arrive();
                    self.shared.count();
                    continue;
                }
                Err(Stop::Refused(refused)) => refused,
                Err(stop) => return Err(format!("{shown}: {} at {there}", self.close(&stop))),
            };
            if refused.why == Why::Busy {
                self.tally.put_off(name);
            }
            screen.tell(format_args!("{peer} {shown}: {refused}"));
            if let Err(error) = self.answer(&Answer::Failed(refused)) {
                return Err(error.to_string());
            }
        }
    }

    /// Ends the stream, so that the sender gets what was sent last.
    pub(super) fn linger(&mut self, deadline: Duration) {
        // The sender may be gone.
        let _ = self.reader.shutdown(deadline);
    }

    /// Takes one file that was announced.
    fn take(&mut self, name: &str, size: Option<u64>, progress: &mut Progress) -> Result<(), Stop> {
        let shared = self.shared;
        let mut incoming = shared.inbox.open(name, size).map_err(Stop::Refused)?;
        let bytes = incoming.have().map_err(Stop::Refused)?;
        let mut digits = None;
        if bytes > 0 {
            // Both ends read it at the same time.
            self.answer(&Answer::Have(bytes))?;
            incoming.look().map_err(Stop::Refused)?;
            digits = match self.listen()? {
                Some(Say::Prefix(digits)) => digits,
                Some(_) => return Err(out_of_order("the checksum of what is there")),
                None => return Err(self.lost()),
            };
        }
        let begun = incoming.begin(digits.as_deref());
        let from = begun.map_err(Stop::Refused)?;
        self.answer(&Answer::From(from))?;
        progress.start(from);
        self.store(&mut incoming, progress)?;
        let digits = match self.listen()? {
            Some(Say::Sha256(digits)) => digits,
            Some(_) => return Err(out_of_order("the checksum")),
            None => return Err(self.lost()),
        };
        let len = incoming.finish(&digits).map_err(Stop::Refused)?;
        self.answer(&Answer::Done(len))?;
        Ok(())
    }

    /// Stores the message that is the file.
    fn store(&mut self, incoming: &mut Incoming<'_>, progress: &mut Progress) -> Result<(), Stop> {
        let Some(mut message) = self.reader.message_reader()? else {
            return Err(self.lost());
        };
        if message.opcode() != Opcode::Binary {
            return Err(out_of_order("the file as a binary message"));
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            let len = message.read(&mut chunk).map_err(connection_error)?;
            if len == 0 {
                return Ok(());
            }
            incoming.write(&chunk[..len]).map_err(Stop::Broken)?;
            progress.add(len);
        }
    }

    /// Returns what the sender says next; `None` if it has closed the connection.
    fn listen(&mut self) -> Result<Option<Say>, Stop> {
        let Some(message) = self.reader.next_message()? else {
            return Ok(None);
        };
        match decode(&message) {
            Ok(said) => Ok(Some(said)),
            Err(error) => Err(Stop::Breach(MALFORMED, error.to_string())),
        }
    }

    fn answer(&mut self, answer: &Answer) -> Result<(), Error> {
        self.writer.write(encode(answer).as_str())
    }

    /// Returns how the connection was closed in the middle of a file.
    fn lost(&self) -> Stop {
        let kind = match self.reader.closed() {
            Some(closed) => ErrorKind::Closed(Box::new(closed)),
            None => ErrorKind::ConnectionLost,
        };
        Stop::Lost(kind.into())
    }

    /// Returns whether the connection was closed as planned.
    fn closed(&self) -> Result<(), String> {
        match self.reader.closed() {
            Some(closed) if closed.is_normal() => Ok(()),
            Some(closed) => Err(closed.to_string()),
            None => Err(Error::from(ErrorKind::ConnectionLost).to_string()),
        }
    }

    /// Tells the sender why the connection ends, and returns the same for the user.
    fn close(&mut self, stop: &Stop) -> String {
        let (code, why) = match stop {
            Stop::Refused(refused) | Stop::Broken(refused) => {
                // What cannot be sent any more is in the Close frame too, or the connection is gone.
                let _ = self.answer(&Answer::Failed(refused.clone()));
                self.has_refused = true;
                (code(refused.why), refused.to_string())
            }
            Stop::Breach(code, reason) => (*code, reason.clone()),
            Stop::Lost(error) if error.is_would_block() => {
                let timeout = self.shared.idle_timeout;
                let why = format!("nothing came for {timeout:?}");
                (CloseCode::POLICY_VIOLATION, why)
            }
            Stop::Lost(error) => return error.to_string(),
        };
        // It fails if the connection is gone.
        let _ = self.writer.close(code, close_reason(&why));
        why
    }
}

/// Returns the code of the Close frame after a file that could not be taken to its end.
fn code(why: Why) -> CloseCode {
    match why {
        Why::Size | Why::TooLarge => CloseCode::MESSAGE_TOO_BIG,
        _ => CloseCode::INTERNAL_ERROR,
    }
}

fn out_of_order(due: &str) -> Stop {
    let reason = format!("out of order: {due} was due");
    Stop::Breach(CloseCode::POLICY_VIOLATION, reason)
}

/// Returns the error of the connection that a reader of a message wraps.
fn connection_error(error: io::Error) -> Stop {
    let error = match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => ErrorKind::Io(error).into(),
    };
    Stop::Lost(error)
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

/// How many characters of a name are shown, which may be one that is refused.
const MOST_SHOWN: usize = 80;
