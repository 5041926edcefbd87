//! What the messages say.

use std::fmt::Write as _;

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
}

/// Numbers that look random, the same for each seed.
#[derive(Debug)]
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
    use super::{Content, Dice};

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
    fn runs_say_the_same() {
        let (one, other) = (Content::new(125, true), Content::new(125, true));
        let (mut dice, mut others) = (Dice::new(3), Dice::new(3));
        for _ in 0..10 {
            assert_eq!(one.message(&mut dice), other.message(&mut others));
        }
    }
}
