//! What the messages say.

use std::fmt::{self, Write as _};

use framewire::Outgoing;

/// Made-up JSON records, of which each message is a piece.
///
/// They are longer than the window of compression, so that no message is a copy of one before it.
#[derive(Debug)]
pub(crate) struct Content {
    records: String,
    size: usize,
    binary: bool,
}

impl Content {
    pub(crate) fn new(size: usize, binary: bool) -> Self {
        let length = size.saturating_add(VARIETY);
        let mut records = String::with_capacity(length + 256);
        let mut dice = Dice::new(1);
        while records.len() < length {
            push_record(&mut records, &mut dice);
        }
        Self {
            records,
            size,
            binary,
        }
    }

    /// Returns a message.
    pub(crate) fn message(&self, dice: &mut Dice) -> Outgoing<'_> {
        let start = dice.below(VARIETY as u64) as usize;
        // All characters are ASCII, and the records are long enough.
        let text = self.records.get(start..start + self.size).unwrap_or("");
        if self.binary {
            Outgoing::binary(text.as_bytes())
        } else {
            Outgoing::text(text)
        }
    }

    /// Returns how an answer differs from the next message of these dice, if it does.
    pub(crate) fn difference(&self, dice: &mut Dice, answer: &[u8]) -> Option<Difference> {
        let message = self.message(dice);
        let expected = message.payload();
        if answer == expected {
            return None;
        }
        if answer.len() != expected.len() {
            let (bytes, expected) = (answer.len(), expected.len());
            return Some(Difference::Length { bytes, expected });
        }
        let mut pairs = answer.iter().zip(expected);
        pairs
            .position(|(one, other)| one != other)
            .map(Difference::Byte)
    }
}

/// How an answer differs from its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    Length {
        bytes: usize,
        expected: usize,
    },
    /// From which byte on.
    Byte(usize),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes, expected } => write!(f, "{bytes} bytes instead of {expected}"),
            Self::Byte(place) => write!(f, "other bytes than were sent, from byte {place} on"),
        }
    }
}

/// Numbers that look random, the same for each seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number under `limit`, which is not 0 and far from 2^64.
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn push_record(records: &mut String, dice: &mut Dice) {
    let mut pick = |words: &[&'static str]| words[dice.below(words.len() as u64) as usize];
    let (event, city, state) = (pick(&EVENTS), pick(&CITIES), pick(&STATES));
    let (id, user, cents) = (
        dice.below(1 << 32),
        dice.below(100_000),
        dice.below(1_000_000),
    );
    // Writing to a string does not fail.
    let _ = writeln!(
        records,
        r#"{{"id":"{id:08x}","event":"{event}","user":{user},"amount":{}.{:02},"city":"{city}","state":"{state}"}}"#,
        cents / 100,
        cents % 100,
    );
}

/// How many different messages there are. The largest window of compression is 32 KiB (RFC 7692 7.1.2.1).
const VARIETY: usize = 256 << 10;

const EVENTS: [&str; 6] = ["order", "payment", "refund", "login", "message", "position"];
const CITIES: [&str; 8] = [
    "Lisbon", "Nairobi", "Osaka", "Lima", "Toronto", "Oslo", "Pune", "Accra",
];
const STATES: [&str; 4] = ["open", "pending", "done", "failed"];

#[cfg(test)]
mod tests {
    use super::{Content, Dice, Difference};

    #[test]
    fn messages_have_their_size_and_differ() {
        for size in [1, 125, 300_000] {
            let content = Content::new(size, false);
            let mut dice = Dice::new(7);
            let messages: Vec<_> = (0..10).map(|_| content.message(&mut dice)).collect();
            assert!(
                messages
                    .iter()
                    .all(|message| message.payload().len() == size)
            );
            assert!(messages.iter().all(framewire::Outgoing::is_utf8));
            assert!(messages.iter().any(|message| *message != messages[0]));
        }
    }

    #[test]
    fn an_answer_is_compared_with_its_own_message_to_the_last_byte() {
        let content = Content::new(5, true);
        let (mut dice, mut again) = (Dice::new(3), Dice::new(3));
        for _ in 0..10 {
            let mut answer = content.message(&mut dice).payload().to_vec();
            let difference = |answer: &[u8]| content.difference(&mut again.clone(), answer);
            assert_eq!(difference(&answer), None);
            answer[4] ^= 1;
            assert_eq!(difference(&answer), Some(Difference::Byte(4)));
            let (bytes, expected) = (4, 5);
            let length = Difference::Length { bytes, expected };
            assert_eq!(difference(&answer[..4]), Some(length));
            content.message(&mut again);
        }
    }

    #[test]
    fn runs_say_the_same() {
        let (one, other) = (Content::new(125, true), Content::new(125, true));
        let (mut dice, mut others) = (Dice::new(3), Dice::new(3));
        for _ in 0..10 {
            assert_eq!(one.message(&mut dice), other.message(&mut others));
        }
    }
}
