//! What an attack is, and how a connection of each kind meets it.

use std::io::Read as _;

use framewire::deflate::Negotiated;
use framewire::frame::os_key;
use framewire::protocol::{Limits, MessageBuffer, Role, Session};
use framewire::{Config, Error};
use support::compression::Compression;
use support::connection::{Endpoint, Kind, Messaging, all_endpoints_with};
use support::peer::{ScriptedPeer, Taking};
use support::wait::wait;

/// What a peer does, in a size that can be doubled.
pub struct Attack {
    pub name: &'static str,
    /// What is agreed on: each of these.
    pub compressions: &'static [Compression],
    /// The bytes of the peer of this role, in this size.
    pub says: fn(Role, usize) -> Vec<u8>,
    pub manner: Manner,
    /// The size that is doubled.
    pub size: usize,
    /// Whether it ends the connection. Otherwise all of it is read.
    pub ends: bool,
    /// The most bytes that a connection may hold at a time, with this size.
    pub holds: fn(usize) -> usize,
}

/// How the peer says it, and what the other end does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It reads whatever it is sent.
    Plain,
    /// Each read gives one byte.
    ByteByByte,
    /// It reads nothing of what it is sent.
    Deaf,
    /// It reads nothing, and its messages are echoed.
    DeafToEchoes,
    /// It reads a byte at a time, and its messages are echoed.
    SlowToEchoes,
    /// It says the same on so many connections, one after the other.
    Connections,
}

impl Manner {
    fn echoes(self) -> bool {
        matches!(self, Self::DeafToEchoes | Self::SlowToEchoes)
    }
}

/// One attack on one kind of end, or on a decoder, in any size.
pub struct Case {
    pub attack: &'static str,
    pub on: String,
    pub size: usize,
    pub prepare: Box<dyn Fn(usize) -> Prepared + Sync>,
}

/// An attack that has only to be run.
pub struct Prepared {
    pub peer: ScriptedPeer,
    pub run: Box<dyn FnOnce()>,
}

/// How the other end is had.
#[derive(Debug, Clone, Copy)]
pub enum On {
    /// A `Session`, which has no stream.
    Session(Role, Compression),
    Connection(Endpoint),
}

impl On {
    /// Every connection of which the allocations can be counted.
    pub fn counted(attack: &Attack) -> impl Iterator<Item = Self> {
        let ends = attack.compressions.iter();
        let ends = ends.flat_map(|compression| all_endpoints_with(*compression));
        let ends = ends.filter(|end| end.kind.is_counted());
        ends.map(Self::Connection)
    }

    /// Those, and sessions, which echo nothing.
    pub fn all(attack: &Attack) -> impl Iterator<Item = Self> {
        let compressions = attack.compressions.iter();
        let compressions = compressions.filter(|_| !attack.manner.echoes());
        let sessions = compressions.flat_map(|compression| {
            [Role::Server, Role::Client].map(|role| Self::Session(role, *compression))
        });
        sessions.chain(Self::counted(attack))
    }

    /// Whether its instructions are counted: those of servers. The kinds that are left out are made of the others.
    pub fn is_weighed(self) -> bool {
        let kinds = [
            Kind::Blocking,
            Kind::Tokio,
            Kind::TokioHalves,
            Kind::EventLoop,
        ];
        match self {
            Self::Session(role, _) => role == Role::Server,
            Self::Connection(end) => end.role == Role::Server && kinds.contains(&end.kind),
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Session(role, _) => role,
            Self::Connection(end) => end.role,
        }
    }

    fn name(self) -> String {
        let (kind, role, compression) = match self {
            Self::Session(role, compression) => ("Session".to_owned(), role, compression),
            Self::Connection(end) => (format!("{:?}", end.kind), end.role, end.compression),
        };
        match compression {
            Compression::None => format!("{kind}, {role:?}"),
            compression => format!("{kind}, {role:?}, {compression:?}"),
        }
    }
}

impl Attack {
    pub fn case(&'static self, on: On) -> Case {
        Case {
            attack: self.name,
            on: on.name(),
            size: self.size,
            prepare: Box::new(move |size| self.prepare(on, size)),
        }
    }

    /// Puts all there that belongs to the peer, and a connection.
    fn prepare(&self, on: On, size: usize) -> Prepared {
        // The runtime that calls of tokio's are awaited on is no part of a connection.
        wait(async { Ok::<_, Error>(()) }).expect("nothing to wait for");
        let said = (self.says)(on.role(), size);
        let peer = ScriptedPeer::saying([&said[..]]);
        peer.reserve(2 * said.len() + 100_000);
        let peer = match self.manner {
            Manner::Plain | Manner::Connections => peer,
            Manner::ByteByByte => peer.in_pieces_of(1),
            Manner::Deaf | Manner::DeafToEchoes => peer.taking(Taking::Nothing),
            Manner::SlowToEchoes => peer.taking(Taking::AtMost(1)),
        };
        let (stream, manner) = (peer.clone(), self.manner);
        let is_many = manner == Manner::Connections;
        let connections = if is_many { size } else { 1 };
        peer.say_again(connections - 1);
        let run: Box<dyn FnOnce()> = match on {
            On::Session(role, compression) => Box::new(move || {
                let agreed = compression.negotiated();
                let piece = if is_many { said.len() } else { usize::MAX };
                for _ in 0..connections {
                    session(role, agreed.as_ref(), &stream, piece);
                }
            }),
            On::Connection(end) if is_many => Box::new(move || {
                for _ in 0..connections {
                    let one = ScriptedPeer::saying([&said[..]]);
                    let opened = end.messaging(&one, Config::default());
                    receive(&mut *opened.expect("no size is 0"), manner);
                }
            }),
            On::Connection(end) => {
                let opened = end.messaging(&stream, Config::default());
                let mut connection = opened.expect("no size is 0");
                Box::new(move || receive(&mut *connection, manner))
            }
        };
        Prepared { peer, run }
    }
}

/// Receives all that there is, or until the connection ends.
fn receive(connection: &mut dyn Messaging, manner: Manner) {
    if !manner.echoes() {
        while let Ok(Some(_)) = connection.next_message() {}
        return;
    }
    let mut message = Vec::new();
    while let Ok(Some(_)) = connection.append_message(&mut message) {
        // An application that drops what cannot be sent now.
        let _ = connection.write(&message);
        message.clear();
    }
}

/// The loop around a session, which reads at most so many bytes at a time, and of pieces one.
fn session(role: Role, agreed: Option<&Negotiated>, peer: &ScriptedPeer, piece: usize) {
    let mut session = match role {
        Role::Server => Session::server(Limits::default()),
        Role::Client => Session::client(Limits::default(), os_key),
    };
    agreed.inspect(|agreed| session.set_extension(*agreed));
    let mut stream = peer.clone();
    let mut input = vec![0; piece.min(16 << 10)];
    let mut message = MessageBuffer::new();
    let mut output = Vec::new();
    while let Ok(len @ 1..) = stream.read(&mut input) {
        let mut rest = &mut input[..len];
        while !rest.is_empty() {
            let Ok((used, _)) = session.receive(rest, &mut message) else {
                return;
            };
            rest = &mut rest[used..];
            session.write_reply(&mut output).expect("a key");
            output.clear();
        }
        if len == piece {
            return;
        }
    }
}
