//! Every operation of a connection, once: what it calls, and what each suite has to know of it. The suites of
//! faults, of dropped calls, of budgets and of compression are loops over this table.

mod hands;
mod receiving;
mod sending;

use std::fmt;
use std::pin::Pin;

use framewire::frame::Rsv;
use framewire::tokio::WriteHalf;
use framewire::{Config, Error};

pub use self::hands::{Hands, Seen, sample};
pub use self::receiving::{RECEIVING, SHUTDOWN};
pub use self::sending::SENDING;

use super::connection::{ByteStream, Connection, Kind, Messaging};
use super::peer::ScriptedPeer;
use super::view::View;
use crate::frames::{BINARY, CLOSE, FIN, PING, PONG, TEXT};

/// One use of a connection: it sends one message or frame, or receives one.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub struct Operation {
    pub name: &'static str,
    pub calls: Calls,
    pub again: Again,
    pub leaves: Leaves,
    pub sends: Sends,
    /// Whether it goes by pieces of [`Hands::step`] bytes.
    pub in_pieces: bool,
    /// Whether a message is sent with the reserved bits of [`Hands::rsv`].
    pub rsv: bool,
    /// Whether the payload is the same on the wire, though compression was agreed on.
    pub raw: bool,
    /// Whether the rest of a message is skipped.
    pub skips: bool,
    /// Whether it waits where a peer that reads nothing has left no room.
    pub waits: bool,
    /// How long the messages are that it is tried with, over the sizes of [`SMALL`].
    pub lens: &'static [usize],
    /// The same in a task of its own, beside others.
    pub by_half: Option<ByHalf>,
}

/// What it calls, and so which kinds have it. Where it would block before it has begun, it says so, to
/// be called again.
#[derive(Clone, Copy)]
pub enum Calls {
    /// What every kind has.
    Any(fn(&mut dyn Messaging, &mut Hands) -> Result<(), Error>),
    /// What every kind has besides.
    WithStream(fn(&mut dyn Connection, &mut Hands) -> Result<(), Error>),
    /// What such a kind has that is no halves.
    Whole(fn(&mut dyn Connection, &mut Hands) -> Result<(), Error>),
    /// What such a kind has as a stream of bytes.
    Bytes(fn(&mut dyn ByteStream, &mut Hands) -> Result<(), Error>),
}

/// The call of a half of tokio's.
pub type ByHalf = for<'a> fn(
    &'a mut WriteHalf<ScriptedPeer>,
    &'a Hands,
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// What the peer sees where a call is dropped while it waits, and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same as if it had not been.
    Same,
    /// Maybe a message twice: the call took it whole or not at all, and does not tell which. The second
    /// call is not dropped: it writes what is left of the first, and would come to nothing else.
    MaybeTwice,
    /// Nothing sound: there are several calls, each of which may have taken its frame.
    Never,
}

/// When something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Never.
    Nothing,
    /// Once the connection waits for its peer, together with all that was sent before.
    Later,
    /// At once, with one write; where [`Config::coalesce_writes`] is set, `Later`.
    AtOnce,
    /// At once, whatever is set.
    AlwaysAtOnce,
    /// At once, with one write for each fragment.
    Streamed { flushed: bool },
    /// With each of its calls.
    OneByOne,
}

/// What the peer sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sends {
    Nothing,
    Message,
    /// Messages as long as the connection's chunks, whose bounds mean nothing.
    Bytes,
    Ping,
    Pong,
    Close,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Operation {
    /// What most of them are: one call of every kind, that takes a message whole or not at all.
    const fn any(
        name: &'static str,
        call: fn(&mut dyn Messaging, &mut Hands) -> Result<(), Error>,
    ) -> Self {
        Self::new(name, Calls::Any(call))
    }

    /// The same of kinds with a stream of their own.
    const fn with_stream(
        name: &'static str,
        call: fn(&mut dyn Connection, &mut Hands) -> Result<(), Error>,
    ) -> Self {
        Self::new(name, Calls::WithStream(call))
    }

    /// The same of a connection that is a stream of bytes.
    const fn bytes(
        name: &'static str,
        call: fn(&mut dyn ByteStream, &mut Hands) -> Result<(), Error>,
    ) -> Self {
        Self {
            again: Again::Same,
            ..Self::new(name, Calls::Bytes(call))
        }
    }

    const fn new(name: &'static str, calls: Calls) -> Self {
        Self {
            name,
            calls,
            again: Again::MaybeTwice,
            leaves: Leaves::AtOnce,
            sends: Sends::Message,
            in_pieces: false,
            rsv: false,
            raw: false,
            skips: false,
            waits: true,
            lens: &[],
            by_half: None,
        }
    }

    /// The whole table.
    pub fn all() -> impl Iterator<Item = &'static Self> + Clone {
        RECEIVING.iter().chain([SHUTDOWN]).chain(SENDING)
    }

    /// Those of a kind that give what the peer says, and send nothing of their own.
    pub fn reading(kind: Kind) -> impl Iterator<Item = &'static Self> {
        let reading = RECEIVING.iter();
        reading.filter(move |one| one.is_of(kind) && one.sends == Sends::Nothing)
    }

    /// Those of a kind that send anything.
    pub fn sending(kind: Kind) -> impl Iterator<Item = &'static Self> {
        let sending = SENDING.iter();
        sending.filter(move |one| one.is_of(kind) && one.sends != Sends::Nothing)
    }

    /// Those of a kind that send a message, or more of them.
    pub fn sending_messages(kind: Kind) -> impl Iterator<Item = &'static Self> {
        Self::sending(kind).filter(|one| matches!(one.sends, Sends::Message | Sends::Bytes))
    }

    /// The one of this name.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        let named = Self::all().find(|operation| operation.name == name);
        named.unwrap_or_else(|| panic!("no operation is named {name}"))
    }

    /// Whether a kind has its calls.
    #[must_use]
    pub fn is_of(&self, kind: Kind) -> bool {
        match self.calls {
            Calls::Any(_) | Calls::WithStream(_) => true,
            Calls::Whole(_) | Calls::Bytes(_) => kind.has_stream() && kind.is_whole(),
        }
    }

    /// Makes its calls.
    ///
    /// # Errors
    /// As they have.
    ///
    /// # Panics
    /// Where the connection has no such calls.
    pub fn call(&self, connection: &mut dyn Messaging, hands: &mut Hands) -> Result<(), Error> {
        let has_it = "it is of this kind";
        match self.calls {
            Calls::Any(call) => call(connection, hands),
            Calls::WithStream(call) | Calls::Whole(call) => {
                call(connection.with_stream().expect(has_it), hands)
            }
            Calls::Bytes(call) => call(connection.bytes().expect(has_it), hands),
        }
    }

    /// Whether it takes the connection for a stream of bytes.
    #[must_use]
    pub fn is_of_bytes(&self) -> bool {
        matches!(self.calls, Calls::Bytes(_))
    }

    /// Whether it gives the whole of a message, as it was before compression.
    #[must_use]
    pub fn decompresses(&self) -> bool {
        !self.raw && !self.skips
    }

    /// Lets a peer see it.
    pub fn show(&self, payload: &[u8], view: &mut View) {
        let first = match self.sends {
            Sends::Nothing => return,
            Sends::Message => {
                let is_text = std::str::from_utf8(payload).is_ok();
                let first = if is_text { TEXT } else { BINARY };
                return view.messages.push((first, payload.to_vec()));
            }
            Sends::Bytes => {
                let messages = payload.chunks(SMALL.chunk_size);
                let messages = messages.map(|bytes| (BINARY, bytes.to_vec()));
                return view.messages.extend(messages);
            }
            Sends::Ping => PING,
            Sends::Pong => PONG,
            Sends::Close => {
                let payload = if self.is_of_bytes() {
                    &b"\x03\xE8"[..]
                } else {
                    b"\x03\xE9good night"
                };
                return view.control.push((FIN | CLOSE, payload.to_vec()));
            }
        };
        view.control.push((FIN | first, payload.to_vec()));
    }
}

/// Sizes that a few hundred bytes go over, and a bit for an extension.
pub const SMALL: Config = Config::new()
    .chunk_size(32)
    .read_buffer(48)
    .write_buffer(100)
    .rsv(Rsv::RSV3);
