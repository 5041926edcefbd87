//! What is counted: the operations of the table, alone and together.

use std::fmt;

use support::connection::{Endpoint, Kind, Messaging};
use support::operations::{Hands, Leaves, Operation, RECEIVING, Sends};

/// One use of a connection: what is received, and what is sent.
#[derive(Clone, Copy)]
pub struct Use {
    receives: Option<&'static Operation>,
    sends: Option<&'static Operation>,
    /// How many messages are sent at once, where they can be fed.
    pub count: usize,
    flushes: bool,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = [self.receives, self.sends].into_iter().flatten();
        let names: Vec<_> = both.map(|operation| operation.name).collect();
        write!(f, "{} ({} at once)", names.join(" and "), self.count)
    }
}

impl Use {
    /// When something is written.
    pub fn leaves(&self) -> Leaves {
        match self.sends.or(self.receives) {
            Some(_) if self.flushes => Leaves::AtOnce,
            Some(operation) => operation.leaves,
            None => Leaves::Nothing,
        }
    }

    /// Says which case it is, for one that fails.
    pub fn case(&self, end: Endpoint, len: usize) -> String {
        format!("{self} by {end:?}, {len} bytes")
    }

    /// Whether it sends without ever waiting.
    pub fn tries(&self) -> bool {
        self.sends.is_some_and(|sends| !sends.waits)
    }

    /// Whether it takes the connection for a stream of bytes.
    pub fn is_of_bytes(&self) -> bool {
        self.sends.is_some_and(Operation::is_of_bytes)
    }

    pub fn make(&self, connection: &mut dyn Messaging, hands: &mut Hands) {
        if let Some(operation) = self.receives {
            operation.call(connection, hands).unwrap();
        }
        let Some(operation) = self.sends else {
            return;
        };
        if self.flushes {
            for _ in 0..self.count {
                operation.call(connection, hands).unwrap();
            }
            connection.flush().unwrap();
            return;
        }
        for _ in 1..self.count {
            connection.feed("before").unwrap();
        }
        operation.call(connection, hands).unwrap();
    }
}

const fn one(receives: Option<&'static Operation>, sends: Option<&'static Operation>) -> Use {
    Use {
        receives,
        sends,
        count: 1,
        flushes: false,
    }
}

/// Those that read a message, and those that send it back in one call.
pub fn receiving(kind: Kind) -> impl Iterator<Item = Use> {
    let all = RECEIVING.iter().filter(move |one| one.is_of(kind));
    all.map(|receives| one(Some(receives), None))
}

/// Those of two calls: one that reads a message, and one that sends such a message.
pub fn answering(kind: Kind) -> impl Iterator<Item = Use> {
    let receives = Operation::named("next_message");
    let messages = Operation::sending_messages(kind);
    messages.map(|sends| one(Some(receives), Some(sends)))
}

/// Those that send a message, behind others that were fed where that can be.
pub fn sending(kind: Kind, count: usize) -> impl Iterator<Item = Use> {
    Operation::sending_messages(kind).map(move |sends| Use {
        count,
        flushes: sends.leaves == Leaves::Later,
        ..one(None, Some(sends))
    })
}

/// So many fed messages.
pub fn fed(count: usize) -> Use {
    Use {
        count,
        flushes: true,
        ..one(None, Some(Operation::named("feed")))
    }
}

/// Those that send a Ping or a Pong.
pub fn control(kind: Kind) -> impl Iterator<Item = Use> {
    let control = |one: &&Operation| matches!(one.sends, Sends::Ping | Sends::Pong);
    let control = Operation::sending(kind).filter(control);
    control.map(|sends| one(None, Some(sends)))
}
