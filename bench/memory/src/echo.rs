//! What an echo is: a server's connection whose peer never stops sending.

use std::fmt::Debug;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use framewire::Opcode;
use framewire::protocol::{Encoder, SendError, Sender};
use framewire_bench::masked;
use serde::Serialize;

use crate::stream::Ready;

/// An implementation with one of its loops.
#[derive(Serialize)]
pub(crate) struct Kind<S> {
    pub(crate) name: &'static str,
    #[serde(rename = "crate")]
    pub(crate) package: &'static str,
    #[serde(rename = "loop")]
    pub(crate) style: Style,
    pub(crate) role: Role,
    /// Opens a connection over a stream that gives such reads.
    #[serde(skip)]
    pub(crate) open: fn(S, Reads) -> Echo,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Style {
    /// Each message is on its way before the next one is read.
    Simple,
    /// What arrives together is answered together.
    Batched,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Ours,
    Peer,
    Floor,
}

/// An open connection. A call echoes that many messages, a multiple of the frames of a read.
pub(crate) type Echo = Box<dyn FnMut(usize)>;

/// What each read gives.
#[derive(Clone, Copy)]
pub(crate) struct Reads {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
    pub(crate) text: bool,
}

impl Reads {
    /// Returns the stream that gives them.
    pub(crate) fn stream(self) -> Result<Ready, SendError> {
        let frame = masked((self.opcode(), self.payload()))?;
        Ok(Ready::new(frame.repeat(self.frames)))
    }

    /// Returns the frame that answers each: a server's.
    pub(crate) fn answer(self) -> Result<Vec<u8>, SendError> {
        let mut frame = Vec::new();
        Sender::new(Encoder::server()).message((self.opcode(), self.payload()), &mut frame)?;
        Ok(frame)
    }

    /// Returns the payload of each frame: letters, or bytes of any value.
    fn payload(self) -> Vec<u8> {
        let pattern = if self.text {
            b'a'..=b'z'
        } else {
            0..=u8::MAX - 5
        };
        pattern.cycle().take(self.bytes).collect()
    }

    fn opcode(self) -> Opcode {
        if self.text {
            Opcode::Text
        } else {
            Opcode::Binary
        }
    }

    /// Returns how many bytes that is.
    pub(crate) fn len(self) -> usize {
        self.frames * (self.bytes + 14)
    }

    /// Rounds a number of messages up to whole reads.
    pub(crate) fn whole(self, messages: usize) -> usize {
        messages.next_multiple_of(self.frames)
    }
}

/// Runs a future whose stream never waits. One that gives way to other tasks is polled again.
pub(crate) fn now<T, E: Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
            return result.expect(NO_FAILURE);
        }
    }
}

/// Why no echo fails.
pub(crate) const NO_FAILURE: &str = "the frames are legal and the stream never fails";
