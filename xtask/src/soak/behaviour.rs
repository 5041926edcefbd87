//! What a client can do, and the choice among it.

use std::fmt;
use std::ops::BitOrAssign;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::deadline::{DEADLINE, within};
use super::random::Random;
use super::target::Target;
use super::{handshakes, hostile, polite, violations};

/// What a client does with one connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Behaviour {
    Talk,
    Pipeline,
    Fragments,
    ReadSlowly,
    Rest,
    LeaveWithoutClose,
    CloseHalf,
    FloodWithPings,
    ReadNothing,
    Reset,
    CutFrame,
    ViolateProtocol,
    ViolateCompression,
    CutHandshake,
    NeverFinishHandshake,
    AskForPage,
    TalkNonsense,
}

impl Behaviour {
    const ALL: [Self; 17] = [
        Self::Talk,
        Self::Pipeline,
        Self::Fragments,
        Self::ReadSlowly,
        Self::Rest,
        Self::LeaveWithoutClose,
        Self::CloseHalf,
        Self::FloodWithPings,
        Self::ReadNothing,
        Self::Reset,
        Self::CutFrame,
        Self::ViolateProtocol,
        Self::ViolateCompression,
        Self::CutHandshake,
        Self::NeverFinishHandshake,
        Self::AskForPage,
        Self::TalkNonsense,
    ];

    /// Chooses one that is over within `left`.
    pub(super) fn choose(random: &mut Random, left: Duration) -> Self {
        loop {
            let chosen = random.one_of(&Self::ALL);
            if chosen.time() <= left {
                return chosen;
            }
        }
    }

    /// Returns how long it takes on an idle machine, if the server has to wait for something.
    fn time(self) -> Duration {
        match self {
            Self::ReadNothing => Duration::from_millis(6500),
            Self::NeverFinishHandshake => Duration::from_secs(11),
            _ => Duration::ZERO,
        }
    }

    /// Does it, and returns how many messages were echoed.
    pub(super) async fn run(self, target: &Target, random: &mut Random) -> Result<u64> {
        let messages = within(DEADLINE, self.start(target, random)).await;
        messages.with_context(|| self.to_string())
    }

    async fn start(self, target: &Target, random: &mut Random) -> Result<u64> {
        match self {
            Self::Talk => polite::talk(target, random).await,
            Self::Pipeline => polite::pipeline(target, random).await,
            Self::Fragments => polite::fragments(target, random).await,
            Self::ReadSlowly => polite::read_slowly(target, random).await,
            Self::Rest => polite::rest(target, random).await,
            Self::LeaveWithoutClose => polite::leave_without_close(target, random).await,
            Self::CloseHalf => hostile::close_half(target, random).await,
            Self::FloodWithPings => hostile::flood_with_pings(target, random).await,
            Self::ReadNothing => hostile::read_nothing(target, random).await,
            Self::Reset => hostile::reset(target, random).await,
            Self::CutFrame => hostile::cut_frame(target, random).await,
            Self::ViolateProtocol => violations::of_protocol(target, random).await,
            Self::ViolateCompression => violations::of_compression(target, random).await,
            Self::CutHandshake => handshakes::cut(target, random).await,
            Self::NeverFinishHandshake => handshakes::never_finish(target, random).await,
            Self::AskForPage => handshakes::ask_for_page(target).await,
            Self::TalkNonsense => handshakes::talk_nonsense(target, random).await,
        }
    }
}

/// Which kinds of client there were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kinds(u32);

impl From<Behaviour> for Kinds {
    fn from(behaviour: Behaviour) -> Self {
        Self(1 << behaviour as u32)
    }
}

impl Kinds {
    /// Returns whether there was a client of each kind.
    pub(super) fn is_all(self) -> bool {
        self.0.count_ones() as usize == Behaviour::ALL.len()
    }
}

impl BitOrAssign for Kinds {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, all) = (self.0.count_ones(), Behaviour::ALL.len());
        write!(f, "{count} of {all} kinds")
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
