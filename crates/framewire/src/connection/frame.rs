//! Raw frames.

use crate::frame::Header;

/// One frame as the peer sent it, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    header: Header,
    payload: &'a mut [u8],
}

impl<'a> Frame<'a> {
    /// Returns the frame that was read into `buf`.
    pub(crate) fn read(header: Header, buf: &'a mut [u8]) -> Self {
        // The payload was read into `buf`, so its length fits.
        let len = usize::try_from(header.payload_len()).unwrap_or(usize::MAX);
        let payload = &mut buf[..len];
        Self { header, payload }
    }

    /// Returns the header as the peer sent it.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the payload, unmasked.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload
    }

    /// Returns the payload, with the lifetime of the buffer that holds it.
    #[must_use]
    pub fn into_payload(self) -> &'a mut [u8] {
        self.payload
    }
}
