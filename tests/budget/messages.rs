//! The messages that a budget holds for, compressed or not.

use framewire::Opcode;
use framewire::protocol::Role;
use support::compression::Compression;
use support::connection::endpoints;
use support::deflate::{negotiated, sender, sent};
use support::frames::{BINARY, CONTINUATION, FIN, PING, RSV1, frame};
use support::peer::ScriptedPeer;
use support::{json, oracle, peer};

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
            Compression::None | Compression::Unused => (BINARY, payload.clone()),
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

#[test]
fn an_end_that_compresses_does_and_keeps_its_context_with_takeover_alone() {
    for end in endpoints() {
        let peer = ScriptedPeer::default();
        let mut connection = end.with(&peer);
        let message = json(10_000);
        let lens = [(); 2].map(|()| {
            peer.forget_written();
            connection.write((Opcode::Text, &message)).unwrap();
            peer.written().len()
        });
        let is_compressed = lens[0] < message.len() / 2;
        let is_kept = lens[1] < lens[0] / 2;
        let expected = match end.compression {
            Compression::None => (false, false),
            Compression::NoTakeover => (true, false),
            Compression::Takeover | Compression::Unused => (true, true),
        };
        assert_eq!((is_compressed, is_kept), expected, "{lens:?}");
    }
}
