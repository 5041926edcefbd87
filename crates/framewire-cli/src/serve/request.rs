//! A connection before it is open, for engines that do their own I/O: bytes of a request in, the answer out.

use std::io;

use std::sync::Arc;

use framewire::protocol::Agreement;
use framewire::upgrade::{self, Limits, RequestDecoder, encode_response};
use http::{Method, Request, Response};

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
        /// How many of the bytes belong to the head.
        used: usize,
        answer: Vec<u8>,
        extension: Option<Arc<dyn Agreement>>,
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
        let (used, request) = match self.decoder.decode(input) {
            Ok((_, None)) => return Outcome::Unfinished,
            Ok((used, Some(request))) => (used, request),
            Err(error) => {
                let why = format!("no request: {error}");
                return Outcome::Refused(Refusal::new(why, false, error.response()));
            }
        };
        let response = match answer(&request, server, reserve) {
            Ok(response) => response,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let extension = response.extensions().get().cloned();
        match encode_response(&response.map(|()| "")) {
            Ok(answer) => Outcome::Accepted {
                used,
                answer,
                extension,
            },
            Err(error) => Outcome::Refused(Refusal::silent(&error)),
        }
    }

    /// Returns how to refuse a connection whose time is over.
    pub(crate) fn expire(&self) -> Refusal {
        let why = NoRequest::Late.why(false);
        // A peer that sent nothing gets no answer.
        let response = self.decoder.is_started().then(page::timed_out);
        Refusal::new(why, false, response.as_ref())
    }
}

/// Returns the 101, or how to refuse the connection.
fn answer(
    request: &Request<()>,
    server: &Server,
    reserve: impl FnOnce() -> bool,
) -> Result<Response<()>, Refusal> {
    let is_head = request.method() == Method::HEAD;
    let response = server.acceptor.respond(request);
    if let Some(answer) = server.answer(request, response.is_err(), reserve) {
        let why = format!("{}: {}", answer.to, answer.response.status());
        return Err(Refusal::new(why, is_head, Some(&answer.response)));
    }
    response.map_err(|error| {
        let why = format!("handshake: {error}");
        Refusal::new(why, is_head, error.response())
    })
}

impl Refusal {
    fn new<B: AsRef<[u8]>>(why: String, is_head: bool, response: Option<&Response<B>>) -> Self {
        let mut answer = Vec::new();
        if let Some(response) = response {
            match encode_response(response) {
                Ok(bytes) => answer = bytes,
                Err(error) => return Self::silent(&error),
            }
            if is_head {
                // RFC 9110 9.3.2: the answer to a HEAD is that to a GET without the body.
                answer.truncate(answer.len() - response.body().as_ref().len());
            }
        }
        Self { why, answer }
    }

    /// The refusal of a connection on which no request came.
    pub(crate) fn without_request(reason: &NoRequest, securing: bool) -> Self {
        Self {
            why: reason.why(securing),
            answer: Vec::new(),
        }
    }

    /// The refusal of a connection that cannot be answered.
    fn silent(error: &upgrade::Error) -> Self {
        Self {
            why: format!("handshake: {error}"),
            answer: Vec::new(),
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
