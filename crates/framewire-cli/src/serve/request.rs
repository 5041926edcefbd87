//! A connection before it is open: why no request came, and for the engine that does its own I/O, bytes of a request
//! in and the answer out.

use std::io;

use framewire::handshake::{Established, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::{Limits, RequestDecoder, UpgradeErrorKind, encode_response};

use super::page;
use super::server::{GOODBYE, Server, TIME};

/// The part of a request that has arrived.
#[derive(Debug)]
pub(crate) struct Reception {
    decoder: RequestDecoder,
}

/// What the bytes of a request lead to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The head is not whole.
    Unfinished,
    Accepted {
        answer: Vec<u8>,
        established: Box<Established<()>>,
    },
    Refused(Refusal),
}

/// Why no request came. All engines log it in the same words.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The peer has ended the stream.
    Ended,
    /// The time is over.
    Late,
    /// The stream or TLS failed.
    Failed(String),
    /// Its slot was needed for another connection.
    Displaced,
    /// The server is ending.
    Ending,
}

impl NoRequest {
    pub(crate) fn of(error: &io::Error) -> Self {
        // rustls reports a stream that was cut this way.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Ended;
        }
        Self::Failed(error.to_string())
    }

    /// Returns why a handshake had no request to answer; `None` if what came was none.
    pub(crate) fn of_handshake(error: &HandshakeError) -> Option<Self> {
        use UpgradeErrorKind::{Closed, Read, TimedOut, Tls};
        let HandshakeErrorKind::Upgrade(kind) = error.kind() else {
            return None;
        };
        Some(match (kind, error.cause()) {
            (Closed, _) | (Tls, None) => Self::Ended,
            (Read | Tls, Some(source)) => match source.downcast_ref() {
                Some(error) => Self::of(error),
                None => Self::Failed(source.to_string()),
            },
            (TimedOut, _) => Self::Late,
            _ => return None,
        })
    }

    /// Describes it for the log. `securing` says whether TLS was still under way.
    pub(crate) fn why(&self, securing: bool) -> String {
        let why = match (self, securing) {
            (Self::Ended, false) => "stream ended before the request",
            (Self::Ended, true) => "stream ended in the tls handshake",
            (Self::Late, false) => &format!("read was not done within the limit of {TIME:?}"),
            (Self::Late, true) => {
                &format!("tls handshake was not done within the limit of {TIME:?}")
            }
            (Self::Failed(why), false) => &format!("read failed: {why}"),
            (Self::Failed(why), true) => &format!("tls handshake failed: {why}"),
            (Self::Displaced, _) => "later connections took its place",
            (Self::Ending, _) => GOODBYE,
        };
        format!("no request: {why}")
    }
}

/// How a connection ends that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The reason, for the log.
    pub(crate) why: String,
    /// The bytes to send to the peer; may be empty.
    pub(crate) answer: Vec<u8>,
}

impl Reception {
    pub(crate) fn new() -> Self {
        Self {
            decoder: RequestDecoder::new(&Limits::default()),
        }
    }

    /// Takes bytes that have arrived, and answers the request once it is whole. `reserve` takes a slot for an
    /// accepted connection, and returns whether one was free.
    pub(crate) fn receive(
        &mut self,
        input: &[u8],
        server: &Server,
        reserve: impl FnOnce() -> bool,
    ) -> Outcome {
        let pending = match server.acceptor.decode(&mut self.decoder, input) {
            Ok(None) => return Outcome::Unfinished,
            Ok(Some(pending)) => pending,
            Err(error) => {
                let why = format!("no request: {error}");
                return Outcome::Refused(Refusal {
                    why,
                    answer: error.encode_response(),
                });
            }
        };
        let is_refused = pending.refusal().is_some();
        if let Some(answer) = server.answer(pending.request(), is_refused, reserve) {
            let why = format!("{}: {}", answer.to, answer.response.status());
            let refusal = match pending.encode_refusal(&answer.response) {
                Ok(answer) => Refusal { why, answer },
                Err(error) => Refusal::of_handshake(&error, Vec::new()),
            };
            return Outcome::Refused(refusal);
        }
        match pending.into_answer() {
            (answer, Ok(established)) => Outcome::Accepted {
                answer,
                established: Box::new(established),
            },
            (answer, Err(error)) => Outcome::Refused(Refusal::of_handshake(&error, answer)),
        }
    }

    /// Returns how to refuse a connection whose time is over.
    pub(crate) fn expire(&self) -> Refusal {
        let why = NoRequest::Late.why(false);
        // A peer that sent nothing gets no answer.
        let answer = if self.decoder.is_started() {
            encode_response(&page::timed_out()).unwrap_or_default()
        } else {
            Vec::new()
        };
        Refusal { why, answer }
    }
}

impl Refusal {
    /// The refusal of a connection on which no request came.
    pub(crate) fn without_request(reason: &NoRequest, securing: bool) -> Self {
        Self {
            why: reason.why(securing),
            answer: Vec::new(),
        }
    }

    fn of_handshake(error: &HandshakeError, answer: Vec<u8>) -> Self {
        Self {
            why: format!("handshake: {error}"),
            answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_request_is_answered_when_its_time_is_over_and_none_is_not() {
        let mut reception = Reception::new();
        assert!(reception.expire().answer.is_empty());
        reception.decoder.decode(b"GET / HT").unwrap();
        let refusal = reception.expire();
        assert!(refusal.answer.starts_with(b"HTTP/1.1 408 "));
        assert!(refusal.why.contains("limit of 10s"), "{}", refusal.why);
    }
}
