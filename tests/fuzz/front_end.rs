//! A front end under any schedule: what has arrived, what the stream takes, polls that nothing has asked for, and
//! calls that are dropped while they wait. What it gives, how it ends and what it answers is what the oracle of
//! `tests/support` says; no wake-up is lost; what its writing half has sent arrives whole.
//!
//! The input: a byte each for the front end, for flags, for the limit on messages, for the read buffer, for what the
//! stream takes first, and for how many steps there are; the steps; and then frames: a byte that begins each, a byte
//! for its length, and its payload, or bytes as they are where the length is 240 or more.

mod halves;
mod whole;

use framewire::protocol::{Limits, Role};
use support::compression::Compression;
use support::frames;
use support::front_end::{Script, check_one};
use support::oracle::Terms;
use support::peer::{ScriptedPeer, Taking};

use crate::Input;

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let front_end = input.byte() % 4;
    let flags = input.byte();
    let role = if flags & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let limits = match input.byte() {
        0 => Limits::UNLIMITED,
        most => Limits::UNLIMITED.message(u64::from(most) * 4),
    };
    let read_buffer = usize::from(input.byte()) + 1;
    let room = input.byte();
    let schedule = input.bytes_of_length();
    let script = Script {
        terms: Terms {
            role,
            limits,
            rsv: 0,
        },
        pieces: vec![wire(role, input)],
        pauses: false,
        read_buffer,
        compression: Compression::None,
        plain: None,
    };
    let schedule = Schedule {
        steps: schedule,
        taking: match room {
            255 => Taking::All,
            room => Taking::Room(room.into()),
        },
    };
    match front_end {
        0 => check_one(&whole::Blocking(schedule), &script),
        1 | 2 => check_one(&whole::Tokio(schedule), &script),
        _ => halves::check(schedule, &script),
    }
}

/// What happens between two calls or polls.
#[derive(Debug, Clone, Copy)]
struct Schedule<'a> {
    steps: &'a [u8],
    /// What the stream takes at first.
    taking: Taking,
}

/// A step of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// So many more bytes arrive.
    Arrive(usize),
    /// The stream takes so many bytes more.
    Room(usize),
    /// A task is polled that nobody has woken.
    Poll,
    /// A call is dropped, and another made.
    Drop,
    /// Tasks that were woken are polled.
    Run,
    /// The writing half does something.
    Write(u8),
}

impl Step {
    fn of(byte: u8) -> Self {
        match byte {
            0..80 => Self::Arrive(usize::from(byte) + 1),
            80..112 => Self::Room(usize::from(byte - 80) * 3),
            112..144 => Self::Poll,
            144..168 => Self::Drop,
            168..200 => Self::Run,
            _ => Self::Write(byte - 200),
        }
    }
}

/// What arrives, of which some has not.
struct Arriving<'a> {
    stream: ScriptedPeer,
    rest: &'a [u8],
}

impl Arriving<'_> {
    fn arrive(&mut self, most: usize) {
        let (now, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        self.stream.say(now);
    }

    /// Has everything arrive and everything taken.
    fn all(&mut self) {
        self.stream.set_taking(Taking::All);
        self.arrive(usize::MAX);
    }
}

/// Frames to that end, and bytes that are none.
pub(crate) fn wire(role: Role, mut input: Input<'_>) -> Vec<u8> {
    let mut wire = vec![];
    while !input.is_empty() {
        let first = input.byte();
        match input.byte() {
            raw @ 240.. => wire.extend(input.bytes(usize::from(raw - 239))),
            len => wire.extend(frames::to(role, first, input.bytes(len.into())).bytes()),
        }
    }
    wire
}
