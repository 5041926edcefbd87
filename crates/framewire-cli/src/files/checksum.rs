//! Checksums of files: SHA-256.

use std::fmt::Write as _;
use std::io::{self, Read};

use ring::digest::{Context, SHA256};

/// The checksum of what was added so far.
#[derive(Clone)]
pub(crate) struct Checksum {
    context: Context,
}

impl Checksum {
    /// Creates the checksum of nothing.
    pub(crate) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
        }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// Adds `bytes` bytes of a reader, and calls `added` with the length of each piece. Fails if there are fewer.
    pub(crate) fn add_from(
        &mut self,
        reader: impl Read,
        bytes: u64,
        mut added: impl FnMut(usize),
    ) -> io::Result<()> {
        let mut reader = reader.take(bytes);
        let mut piece = vec![0; PIECE];
        while reader.limit() > 0 {
            let len = match reader.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.add(&piece[..len]);
            added(len);
        }
        Ok(())
    }

    /// Returns it as hexadecimal digits.
    pub(crate) fn digits(&self) -> String {
        let digest = self.context.clone().finish();
        let mut digits = String::with_capacity(2 * digest.as_ref().len());
        for byte in digest.as_ref() {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

/// How many bytes are read at a time.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn it_can_be_asked_for_on_the_way() {
        let mut checksum = Checksum::new();
        checksum.add(b"ab");
        assert_ne!(checksum.digits(), ABC);
        checksum.add(b"c");
        assert_eq!(checksum.digits(), ABC);
    }

    #[test]
    fn a_reader_that_has_too_little_is_an_error() {
        let mut checksum = Checksum::new();
        let mut counted = 0;
        checksum
            .add_from(&b"abcd"[..], 3, |len| counted += len)
            .unwrap();
        assert_eq!((checksum.digits().as_str(), counted), (ABC, 3));
        let error = Checksum::new().add_from(&b"ab"[..], 3, |_| {});
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
