//! What an end sent, and what of it has arrived: every message that was taken, whole, once and in order.

use std::rc::Rc;

use framewire::Opcode;

/// A message that was or is being sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub opcode: Opcode,
    pub payload: Rc<[u8]>,
    pub fate: Fate,
}

/// What the sending call said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was dropped, goes on, or failed with the stream: the message arrives whole or not at all.
    Open,
    /// It has succeeded: the message arrives, unless the connection is lost.
    Taken,
    /// It has failed: the message must not arrive.
    Refused,
}

/// All that one end sent, by each task that sends.
#[derive(Debug, Default)]
pub struct Ledger {
    writers: Vec<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    sent: Vec<Sent>,
    /// How many of these came before the last one that has arrived, with this one.
    arrived: usize,
    /// How many have arrived: those of them that were neither refused nor lost.
    count: usize,
}

/// Which message of an end.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    writer: usize,
    number: usize,
}

/// How many bytes at the front of a message tell which one it is. A shorter one is sent only where one task sends.
pub const NAME: usize = 6;

impl Ledger {
    /// Adds a message of a task, made from its name.
    pub fn add(
        &mut self,
        writer: usize,
        opcode: Opcode,
        payload: impl FnOnce(&[u8; NAME]) -> Vec<u8>,
    ) -> Entry {
        if self.writers.len() <= writer {
            self.writers.resize_with(writer + 1, Writer::default);
        }
        let sent = &mut self.writers[writer].sent;
        let number = sent.len();
        let name = format!("{writer:x}-{number:04x}");
        let name = name.as_bytes().try_into().expect("six digits");
        sent.push(Sent {
            opcode,
            payload: payload(name).into(),
            fate: Fate::Open,
        });
        Entry { writer, number }
    }

    pub fn get(&self, entry: Entry) -> &Sent {
        &self.writers[entry.writer].sent[entry.number]
    }

    pub fn set(&mut self, entry: Entry, fate: Fate) {
        self.writers[entry.writer].sent[entry.number].fate = fate;
    }

    /// Holds a message that has arrived against what was sent.
    pub fn arrived(&mut self, opcode: Opcode, payload: &[u8]) {
        let (writer, number) = self.named(opcode, payload);
        let Writer {
            sent,
            arrived,
            count,
        } = &mut self.writers[writer];
        let message = sent.get(number).expect("it was sent");
        assert!(
            message.opcode == opcode && *message.payload == *payload,
            "message {number} of {writer} arrived with {} bytes, of {}",
            payload.len(),
            message.payload.len()
        );
        assert!(
            message.fate != Fate::Refused,
            "message {number} of {writer} was refused, and came"
        );
        assert!(
            number >= *arrived,
            "message {number} of {writer} came after {arrived}"
        );
        let lost = sent[*arrived..number]
            .iter()
            .position(|sent| sent.fate == Fate::Taken);
        assert_eq!(
            lost, None,
            "of {writer}, behind {arrived}, before {number}, is lost"
        );
        *arrived = number + 1;
        *count += 1;
    }

    /// Which message this is. One that is too short for a name is the next of those that the only writer sent.
    fn named(&self, opcode: Opcode, payload: &[u8]) -> (usize, usize) {
        let Some(name) = payload.first_chunk::<NAME>() else {
            let [writer] = &self.writers[..] else {
                panic!("{payload:?} was not sent");
            };
            let rest = writer.sent.iter().skip(writer.arrived);
            let is_it = |sent: &Sent| {
                sent.opcode == opcode && *sent.payload == *payload && sent.fate != Fate::Refused
            };
            let found = rest.take_while(|sent| !is_it(sent)).count();
            return (0, writer.arrived + found);
        };
        let number = |digits: &[u8]| {
            let digits = str::from_utf8(digits).ok()?;
            usize::from_str_radix(digits, 16).ok()
        };
        let named = number(&name[..1]).zip(number(&name[2..]));
        let known = named.filter(|&(writer, number)| {
            let of = self.writers.get(writer);
            of.is_some_and(|writer| number < writer.sent.len())
        });
        known.unwrap_or_else(|| panic!("{name:?} was not sent"))
    }

    /// Checks that all that was taken has arrived.
    pub fn check_all_arrived(&self) {
        for (writer, Writer { sent, arrived, .. }) in self.writers.iter().enumerate() {
            let lost = sent[*arrived..]
                .iter()
                .position(|sent| sent.fate == Fate::Taken);
            assert_eq!(lost, None, "of {writer}, behind {arrived}, is lost");
        }
    }

    pub fn count_arrived(&self) -> usize {
        self.writers.iter().map(|writer| writer.count).sum()
    }
}
