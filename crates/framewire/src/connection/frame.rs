//! A raw frame.

use crate::frame::Header;

/// One frame as it was sent, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    header: Header,
    payload: &'a mut [u8],
}

impl<'a> Frame<'a> {
    /// One that was read into a buffer.
    pub(crate) fn read(header: Header, buf: &'a mut [u8]) -> Self {
        // It fits: it was read into it.
        let len = usize::try_from(header.payload_len()).unwrap_or(usize::MAX);
        let payload = &mut buf[..len];
        Self { header, payload }
    }

    /// The header as it was sent.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, unmasked.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload
    }

    /// The payload, with the life of the buffer that it is in.
    #[must_use]
    pub fn into_payload(self) -> &'a mut [u8] {
        self.payload
    }
}
