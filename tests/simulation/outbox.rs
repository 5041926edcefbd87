//! What one task has to send: messages of any length, kind and way, one after the other.

use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use framewire::{Error, ErrorKind, MessageKind, Opcode, Outgoing};
use tokio::io::{AsyncRead, ReadBuf};

use crate::ledger::{Entry, Fate, NAME};
use crate::plan::EndPlan;
use crate::world::{Side, World};

pub struct Outbox {
    world: Rc<World>,
    side: Side,
    writer: usize,
    left: usize,
    longest: usize,
    most_in_chunk: usize,
    ways: Vec<Way>,
    /// Whether a message may be shorter than its name.
    has_short: bool,
    /// What is being sent, which a call that was dropped or would block left behind.
    current: Option<Parcel>,
}

/// A way to send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Write,
    Feed,
    /// `try_feed`, and `feed` where that gives it back.
    TryFeed,
    Prepared,
    /// `stream_message`.
    Stream,
    /// `message_writer`.
    Pieces,
    /// `write_frame`.
    Frames,
    /// No message: `ping`.
    Ping,
}

/// A message on its way out.
pub struct Parcel {
    pub way: Way,
    pub opcode: Opcode,
    pub payload: Rc<[u8]>,
    compresses: bool,
    /// How much of it was given to the connection.
    pub done: usize,
    /// Whether the message was begun.
    pub is_begun: bool,
    /// Of a fragment.
    pub chunk_size: usize,
    entry: Entry,
}

impl Parcel {
    pub fn outgoing(&self) -> Outgoing<'_> {
        let outgoing = Outgoing::new(self.opcode, &self.payload);
        if self.compresses {
            outgoing
        } else {
            outgoing.uncompressed()
        }
    }

    pub fn kind(&self) -> MessageKind {
        self.outgoing().kind()
    }

    /// Which bytes of it are sent next, and whether they are the last.
    pub fn next_piece(&self, most: usize) -> (Vec<u8>, bool) {
        let rest = &self.payload[self.done..];
        let len = rest.len().min(most);
        (rest[..len].to_vec(), len == rest.len())
    }
}

impl Outbox {
    pub fn new(world: &Rc<World>, side: Side, writer: usize, plan: &EndPlan, ways: &[Way]) -> Self {
        Self {
            world: Rc::clone(world),
            side,
            writer,
            left: plan.messages,
            longest: plan.longest,
            most_in_chunk: plan.config.chunk_size,
            ways: ways.to_vec(),
            has_short: plan.writers() == 1 && plan.cancels == 0,
            current: None,
        }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0 && self.current.is_none()
    }

    /// Gives up what was not sent.
    pub fn clear(&mut self) {
        self.left = 0;
        self.current = None;
    }

    /// Takes out what is to be sent next.
    pub fn take(&mut self) -> Option<Parcel> {
        self.current.take().or_else(|| self.draw())
    }

    /// Goes on with this one later.
    pub fn put_back(&mut self, parcel: Parcel) {
        self.current = Some(parcel);
    }

    fn draw(&mut self) -> Option<Parcel> {
        self.left = self.left.checked_sub(1)?;
        let Self { world, longest, .. } = self;
        let parcel = world.random(|random| {
            let way = random.pick(&self.ways);
            let least = if self.has_short { 0 } else { NAME };
            let len = match random.below(4) {
                0 => random.below(10),
                1 => random.pick(&[125, 126, 127]),
                _ => random.below(*longest + 1),
            };
            let len = len.max(if way == Way::Stream { NAME } else { least });
            let opcode = random.pick(&[Opcode::Text, Opcode::Binary]);
            let filling = random.below(3);
            let number = random.next();
            let mut ledger = world.ledgers[self.side].borrow_mut();
            let entry = ledger.add(self.writer, opcode, |name| {
                let fill = |n: usize| match (filling, opcode) {
                    (0, _) => b'a',
                    (1, _) | (_, Opcode::Text) => {
                        b' ' + (number.rotate_left(n as u32 % 64) % 90) as u8
                    }
                    _ => (number.wrapping_mul(n as u64) >> 31) as u8,
                };
                let mut payload: Vec<u8> =
                    name.iter().copied().chain((NAME..len).map(fill)).collect();
                payload.truncate(len);
                // A character of more than one byte, so that it may be cut.
                if opcode == Opcode::Text && len >= NAME + 4 {
                    payload[len - 4..].copy_from_slice("\u{1F980}".as_bytes());
                }
                payload
            });
            Parcel {
                way,
                opcode,
                payload: Rc::clone(&ledger.get(entry).payload),
                compresses: !random.once_in(5),
                done: 0,
                is_begun: false,
                chunk_size: random.up_to(self.most_in_chunk),
                entry,
            }
        });
        if parcel.way == Way::Ping {
            // It is no message: nothing of it arrives.
            self.world.ledgers[self.side]
                .borrow_mut()
                .set(parcel.entry, Fate::Refused);
        }
        self.world.tell(self.side, || {
            let (way, len) = (parcel.way, parcel.payload.len());
            format!(
                "sends {len} bytes of {:?} by {way:?}, {:?}",
                parcel.opcode, parcel.entry
            )
        });
        Some(parcel)
    }

    /// Records what came of it.
    pub fn settle(&self, parcel: &Parcel, result: &Result<(), Error>) {
        self.world
            .tell(self.side, || format!("{:?}: {result:?}", parcel.entry));
        if parcel.way == Way::Ping {
            return;
        }
        let fate = match result {
            Ok(()) => Fate::Taken,
            Err(error) => match error.kind() {
                ErrorKind::Closed(_) | ErrorKind::Send(_) if !parcel.is_begun => Fate::Refused,
                _ => Fate::Open,
            },
        };
        self.world.ledgers[self.side]
            .borrow_mut()
            .set(parcel.entry, fate);
    }

    pub fn world(&self) -> &Rc<World> {
        &self.world
    }
}

/// The source of a message that is streamed, which gives its bytes in any pieces and is not always ready.
pub struct Source<'a> {
    pub world: &'a World,
    pub parcel: &'a mut Parcel,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = self.world.up_to(buf.len());
        let (piece, _) = self.parcel.next_piece(most);
        buf[..piece.len()].copy_from_slice(&piece);
        self.parcel.done += piece.len();
        Ok(piece.len())
    }
}

impl AsyncRead for Source<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.world.once_in(4) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = self.read(buf.initialize_unfilled())?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}
