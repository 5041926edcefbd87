//! Choices that look random, and are the same again with the same seed.

/// A generator of numbers (`SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// Creates the generator of one client: each number in `path` leads to another sequence.
    pub(super) fn new(seed: u64, path: &[usize]) -> Self {
        let mut random = Self(seed);
        for &step in path {
            random = Self(random.next() ^ step as u64);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Returns true once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Returns bytes that do not compress.
    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Returns text that compresses, of `len` bytes.
    pub(super) fn text(&mut self, len: usize) -> Vec<u8> {
        let mut words = WORDS.iter().cycle().skip(self.below(WORDS.len()));
        let mut text = Vec::with_capacity(len + 16);
        while text.len() < len {
            text.extend_from_slice(words.next().unwrap_or(&"").as_bytes());
        }
        text.truncate(len);
        // Cut in the middle of the only letter of two bytes.
        if text.last() == Some(&0xC3) {
            text.pop();
            text.push(b'u');
        }
        text
    }
}

const WORDS: [&str; 7] = [
    "a frame ",
    "of a ",
    "message, ",
    "für ",
    "every ",
    "size; ",
    "again ",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_path_leads_to_the_same_choices_and_another_to_others() {
        let choices = |path: &[usize]| Random::new(7, path).bytes(100);
        assert_eq!(choices(&[1, 2]), choices(&[1, 2]));
        assert_ne!(choices(&[1, 2]), choices(&[2, 1]));
    }

    #[test]
    fn text_is_utf_8_wherever_it_ends() {
        for len in 0..200 {
            let text = Random::new(1, &[len]).text(len);
            assert_eq!(text.len(), len);
            assert!(str::from_utf8(&text).is_ok(), "{len}");
        }
    }
}
