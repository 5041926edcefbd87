//! What the tests of halves in several tasks share.

use framewire::protocol::Role;
use framewire::tokio::{ReadHalf, WebSocket, WriteHalf};
use framewire::{Closed, Error};
use support::operations::{Again, Hands, Operation, SENDING, SMALL, Sends, sample};
use support::peer::ScriptedPeer;

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

pub(crate) fn split(
    role: Role,
    stream: &ScriptedPeer,
) -> (ReadHalf<ScriptedPeer>, WriteHalf<ScriptedPeer>) {
    let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL);
    websocket.unwrap().split()
}

/// A call of a half, for a task of its own.
pub(crate) struct Call {
    pub(crate) operation: &'static Operation,
    pub(crate) hands: Hands,
}

impl Call {
    pub(crate) fn new(name: &str, len: usize) -> Self {
        let (operation, hands) = (Operation::named(name), Hands::new(&sample(len), 3));
        Self { operation, hands }
    }

    /// Those that take a message or a frame whole, or not at all, but for the last that can be sent.
    pub(crate) fn whole_or_nothing() -> impl Iterator<Item = Self> {
        let all = SENDING.iter().filter(|one| one.by_half.is_some());
        let all = all.filter(|one| one.again == Again::MaybeTwice && one.sends != Sends::Close);
        all.flat_map(|one| {
            let lens = one.lens.iter().filter(|&&len| len <= 170);
            lens.map(|&len| Self::new(one.name, len))
        })
    }

    pub(crate) async fn on(&self, half: &mut WriteHalf<ScriptedPeer>) -> Result<(), Error> {
        let by_half = self.operation.by_half.expect("a half has it");
        by_half(half, &self.hands).await
    }
}

/// Reads until there is nothing more, and for ever where that does not come.
pub(crate) async fn read(mut half: ReadHalf<ScriptedPeer>) -> Result<Closed, Error> {
    while half.next_message().await?.is_some() {}
    Ok(half.closed().expect("it says how it ended"))
}
