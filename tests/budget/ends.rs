//! The ends of connections that a budget holds for: every kind, both roles, compressed or not.

use std::fmt;

use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::connection::{Connection, Kind};
use support::deflate::{RSV1, negotiated, sender, sent};
use support::frames::{BINARY, CONTINUATION, FIN, PING, frame};
use support::peer::ScriptedPeer;
use support::{oracle, peer};

/// One end of a connection.
#[derive(Clone, Copy)]
pub struct End {
    pub kind: Kind,
    pub role: Role,
    pub compression: Compression,
}

/// What was agreed on about compression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    /// With contexts of a pool.
    NoTakeover,
    Takeover,
}

impl Compression {
    pub const ALL: [Self; 3] = [Self::None, Self::NoTakeover, Self::Takeover];

    /// Each end that has this.
    pub fn ends(self) -> impl Iterator<Item = End> {
        let roles = [Role::Server, Role::Client].into_iter();
        roles.flat_map(move |role| {
            Kind::ALL.map(|kind| End {
                kind,
                role,
                compression: self,
            })
        })
    }
}

impl End {
    pub fn open(self, peer: &ScriptedPeer, config: Config) -> Box<dyn Connection> {
        let agreed = match self.compression {
            Compression::None => None,
            compression => Some(negotiated(compression == Compression::Takeover)),
        };
        let connection = self
            .kind
            .open_with(peer, self.role, config, agreed.as_ref());
        connection.expect("no size is 0")
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compression = match self.compression {
            Compression::None => "not compressed",
            Compression::NoTakeover => "compressed without takeover",
            Compression::Takeover => "compressed with takeover",
        };
        write!(f, "{:?} as {:?}, {compression}", self.kind, self.role)
    }
}

/// A message that is sent or received.
pub struct Message {
    pub payload: Vec<u8>,
    /// What there is of it on the wire, unmasked.
    sent: Vec<u8>,
    /// The first byte of its first frame, but for FIN.
    first: u8,
}

impl Message {
    pub fn new(compression: Compression, payload: Vec<u8>) -> Self {
        let (first, sent) = match compression {
            Compression::None => (BINARY, payload.clone()),
            // What stands alone can come again and again, whether the context is kept or not.
            Compression::NoTakeover | Compression::Takeover => {
                let frame = sent(&mut sender(&negotiated(false)), &payload);
                (RSV1 | BINARY, oracle::data(&frame))
            }
        };
        Self {
            payload,
            sent,
            first,
        }
    }

    /// As the peer of one of this role sends it.
    pub fn whole(&self, role: Role) -> Vec<u8> {
        frame(peer(role), FIN | self.first, &self.sent)
    }

    /// In two fragments, with a Ping in between.
    pub fn in_fragments(&self, role: Role) -> Vec<u8> {
        let (first, second) = self.sent.split_at(self.sent.len() / 3);
        let fragments = [
            frame(peer(role), self.first, first),
            frame(peer(role), FIN | PING, b"?"),
            frame(peer(role), FIN | CONTINUATION, second),
        ];
        fragments.concat()
    }
}

/// JSON that is alike and not the same.
pub fn json(len: usize) -> Vec<u8> {
    let objects = (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"ok\":true}},").into_bytes());
    objects.take(len).collect()
}

#[test]
fn an_end_that_compresses_does_and_keeps_its_context_with_takeover_alone() {
    for compression in Compression::ALL {
        for end in compression.ends() {
            let peer = ScriptedPeer::default();
            let mut connection = end.open(&peer, Config::default());
            let message = json(10_000);
            let lens = [(); 2].map(|()| {
                peer.forget_written();
                connection.write_message(Opcode::Text, &message).unwrap();
                peer.written().len()
            });
            let is_compressed = lens[0] < message.len() / 2;
            let is_kept = lens[1] < lens[0] / 2;
            let expected = match compression {
                Compression::None => (false, false),
                Compression::NoTakeover => (true, false),
                Compression::Takeover => (true, true),
            };
            assert_eq!((is_compressed, is_kept), expected, "{end}: {lens:?}");
        }
    }
}
