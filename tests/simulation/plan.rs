//! What a seed stands for: the two ends, the network between them, and what goes wrong.

use std::io::ErrorKind;

use framewire::Config;
use framewire::deflate::{Deflate, DeflateConfig};

use crate::random::Random;
use crate::world::Side;

/// All that is drawn before anything happens.
#[derive(Debug, Clone)]
pub struct Plan {
    pub weather: Weather,
    pub trouble: Trouble,
    pub ends: [EndPlan; 2],
    pub compression: Option<DeflateConfig>,
    /// Whether the connection begins with an opening handshake, or after it.
    pub has_handshake: bool,
}

/// How the network treats what is sent.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// The most bytes that one call moves.
    pub most: usize,
    /// How many bytes are under way in one direction before no more are taken.
    pub capacity: usize,
    /// The longest time from one end to the other, in milliseconds.
    pub delay: usize,
    /// Once in how many calls nothing is ready for a while.
    pub stalls: usize,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Both ends lose the connection once so many bytes were moved.
    Reset(usize),
    /// Nothing arrives any more once so many bytes were moved, and nobody says so.
    Silence(usize),
    /// A call of an end fails with this, and the connection is lost with it.
    Fails(Side, usize, ErrorKind),
    /// A call of an end is interrupted, which no end notices.
    Interrupted(Side, usize),
}

/// One end.
#[derive(Debug, Clone)]
pub struct EndPlan {
    pub kind: Kind,
    pub config: Config,
    /// How many messages each task sends.
    pub messages: usize,
    /// The longest message.
    pub longest: usize,
    pub closing: Closing,
    /// Once in how many calls one is dropped before it is done; 0 is never.
    pub cancels: usize,
    /// Only over tokio, whose clock can be a simulated one.
    pub has_heartbeat: bool,
}

/// A way to have a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `tokio::WebSocket`.
    Tokio,
    /// Its halves: one task that reads and so many that send.
    TokioHalves(usize),
    /// `tokio::WebSocket` as a `Stream` and a `Sink`.
    TokioSink,
    /// `blocking::WebSocket` over a stream that does not block.
    Blocking,
    /// Its halves, each used by a task of its own.
    BlockingHalves,
    /// `connection::Connection`, whose bytes are moved by an event loop.
    EventLoop,
}

/// What an end does once it has sent everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Sends a Close frame, and reads to the end.
    Close,
    /// Has the connection shut down, which drops what comes.
    Shutdown,
    /// Reads until the peer closes.
    Wait,
    /// Drops the connection.
    Leave,
}

impl Plan {
    pub fn draw(random: &mut Random) -> Self {
        let longest = random.pick(&[40, 300, 3_000, 70_000]);
        let weather = Weather {
            most: random.up_to(longest * 4).max(longest / 40),
            capacity: random.up_to(longest * 3).max(longest / 20),
            delay: random.pick(&[0, 1, 10, 150]),
            stalls: random.pick(&[3, 10, 50, 1_000]),
        };
        let mut ends = [(); 2].map(|()| EndPlan::draw(random, longest));
        if ends.iter().all(|end| end.closing == Closing::Wait) {
            ends[random.below(2)].closing = Closing::Close;
        }
        let has_compression = random.once_in(2);
        // A handshake has a time limit, which a byte at a time would exceed.
        let is_fast = weather.most >= 64 && weather.capacity >= 64;
        Self {
            weather,
            trouble: Trouble::draw(random, longest),
            compression: has_compression.then(|| compression(random)),
            has_handshake: is_fast && ends.iter().all(EndPlan::is_of_tokio) && random.once_in(2),
            ends,
        }
    }

    /// Whether both ends come to a clean end of the connection.
    pub fn ends_cleanly(&self) -> bool {
        let is_calm = matches!(self.trouble, Trouble::None | Trouble::Interrupted(..));
        is_calm && self.ends.iter().all(|end| end.closing != Closing::Leave)
    }

    pub fn deflate(&self) -> Option<Deflate> {
        let deflate = |config: &DeflateConfig| Deflate::new(*config);
        self.compression
            .as_ref()
            .map(|config| deflate(config).expect("a legal configuration"))
    }
}

impl Trouble {
    fn draw(random: &mut Random, longest: usize) -> Self {
        let moved = random.up_to(longest * 20);
        let calls = random.pick(&[60, 1_000]);
        let (side, call) = (random.below(2), random.below(calls));
        match random.below(10) {
            0 => Self::Reset(moved),
            1 => Self::Silence(moved),
            2 => {
                use ErrorKind::{BrokenPipe, ConnectionReset, Other, PermissionDenied};
                let kinds = [BrokenPipe, ConnectionReset, Other, PermissionDenied];
                Self::Fails(side, call, random.pick(&kinds))
            }
            3 => Self::Interrupted(side, call),
            _ => Self::None,
        }
    }
}

impl EndPlan {
    fn draw(random: &mut Random, longest: usize) -> Self {
        let writers = random.up_to(3);
        let kind = random.pick(&[
            Kind::Tokio,
            Kind::TokioHalves(writers),
            Kind::TokioSink,
            Kind::Blocking,
            Kind::BlockingHalves,
            Kind::EventLoop,
        ]);
        let is_of_tokio = matches!(kind, Kind::Tokio | Kind::TokioHalves(_));
        let closing = match random.below(12) {
            0 => Closing::Leave,
            1..=2 if !matches!(kind, Kind::TokioSink | Kind::EventLoop) => Closing::Shutdown,
            3..=7 => Closing::Close,
            _ => Closing::Wait,
        };
        let size = |random: &mut Random| random.up_to(longest * 2).max(longest / 50);
        Self {
            kind,
            config: Config::default()
                .read_buffer(size(random))
                .write_buffer(size(random))
                .chunk_size(size(random))
                .coalesce_writes(random.once_in(3)),
            messages: random.below(20),
            longest,
            closing,
            cancels: if is_of_tokio {
                random.pick(&[0, 2, 10])
            } else {
                0
            },
            has_heartbeat: is_of_tokio && random.once_in(2),
        }
    }

    fn is_of_tokio(&self) -> bool {
        matches!(
            self.kind,
            Kind::Tokio | Kind::TokioHalves(_) | Kind::TokioSink
        )
    }

    /// How many tasks send.
    pub fn writers(&self) -> usize {
        match self.kind {
            Kind::TokioHalves(writers) => writers,
            _ => 1,
        }
    }
}

fn compression(random: &mut Random) -> DeflateConfig {
    DeflateConfig::default()
        .level(random.below(10) as u8)
        .threshold(random.pick(&[0, 20, 1_000]))
        .server_no_context_takeover(random.once_in(3))
        .client_no_context_takeover(random.once_in(3))
        .server_max_window_bits(9 + random.below(7) as u8)
        .client_max_window_bits(9 + random.below(7) as u8)
}
