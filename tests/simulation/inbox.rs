//! What one end receives, by any of the ways to read, one message after the other.

use std::rc::Rc;

use framewire::Opcode;

use crate::world::{Side, World};

pub struct Inbox {
    world: Rc<World>,
    side: Side,
    ways: Vec<Reading>,
    /// How the message that is under way is read, which a call that was dropped or would block left behind.
    pub way: Option<Reading>,
    /// Of a message that is read in pieces.
    pub opcode: Option<Opcode>,
    pub partial: Vec<u8>,
    /// The caller's buffer.
    pub buffer: Vec<u8>,
}

/// A way to read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// `next_message`.
    Whole,
    /// `append_message`.
    Appended,
    /// `message_reader`.
    Pieces,
    /// `read_header` and `read_frame`.
    Frames,
}

impl Inbox {
    pub fn new(world: &Rc<World>, side: Side, ways: &[Reading]) -> Self {
        Self {
            world: Rc::clone(world),
            side,
            ways: ways.to_vec(),
            way: None,
            opcode: None,
            partial: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// How the next message is read, or the one that is under way.
    pub fn way(&mut self) -> Reading {
        let kind = match self.way {
            // These two are one kind of call, and can take turns.
            Some(Reading::Whole | Reading::Appended) => &[Reading::Whole, Reading::Appended][..],
            Some(way) => &[way],
            None => &self.ways,
        };
        let way = self.world.random(|random| random.pick(kind));
        self.way = Some(way);
        way
    }

    /// Holds a message against what the other end sent.
    pub fn received(&mut self, opcode: Opcode, payload: &[u8]) {
        self.world.tell(self.side, || {
            let name = String::from_utf8_lossy(&payload[..payload.len().min(crate::ledger::NAME)]);
            format!("receives {} bytes of {opcode:?}, {name}", payload.len())
        });
        self.way = None;
        let what = if opcode == Opcode::Text {
            "text"
        } else {
            "binary"
        };
        self.world.record(self.side, what, payload.len());
        self.world.ledgers[1 - self.side]
            .borrow_mut()
            .arrived(opcode, payload);
    }

    /// Holds a message that was read in pieces against it.
    pub fn received_pieces(&mut self) {
        let payload = std::mem::take(&mut self.partial);
        let opcode = self.opcode.take().expect("it was begun");
        self.received(opcode, &payload);
    }

    /// Records that the peer has closed in the middle of a message that is read in pieces.
    pub fn lost_rest(&mut self) {
        self.way = None;
        self.opcode = None;
        self.partial.clear();
    }

    pub fn world(&self) -> &Rc<World> {
        &self.world
    }
}
