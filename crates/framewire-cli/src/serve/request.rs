//! A connection before it is open: bytes of a request in, the answer out.

use std::time::Instant;

use framewire::deflate::Negotiated;
use framewire::upgrade::{self, Limits, RequestDecoder, encode_response};
use http::{Method, Request, Response};

use crate::chain;
use crate::serve::places::{Place, Places};
use crate::serve::{Server, page};

/// What has come of a request, and by when all of it has to.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) place: Place,
    decoder: RequestDecoder,
    /// Whether TLS, where the server has it, is still to be agreed on: by a deadline of its own.
    securing: bool,
    pub(super) deadline: Instant,
}

/// What bytes of a request lead to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The head is not whole.
    Unfinished,
    Accepted {
        /// How many of the bytes were of the head.
        used: usize,
        answer: Vec<u8>,
        deflate: Option<Negotiated>,
    },
    Refused(Refusal),
}

/// The connection ends with this.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For the log.
    pub(super) why: String,
    /// For the peer; may be empty.
    pub(super) answer: Vec<u8>,
}

impl Handshake {
    pub(super) fn new(place: Place, securing: bool) -> Self {
        let limits = Limits::default();
        Self {
            place,
            decoder: RequestDecoder::new(&limits),
            securing,
            deadline: Instant::now() + limits.time,
        }
    }

    /// Takes note of how far TLS is: the time for the request begins after it.
    pub(super) fn note_securing(&mut self, securing: bool) {
        if self.securing && !securing {
            self.securing = false;
            self.deadline = Instant::now() + Limits::default().time;
        }
    }

    /// Takes what has come, and answers the request once it is whole.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        server: &Server,
        places: &mut Places<usize>,
    ) -> Outcome {
        let (used, request) = match self.decoder.decode(input) {
            Ok((_, None)) => return Outcome::Unfinished,
            Ok((used, Some(request))) => (used, request),
            Err(error) => {
                let why = format!("no request: {}", chain(&error));
                return Outcome::Refused(Refusal::new(why, false, error.response()));
            }
        };
        let response = match self.answer(&request, server, places) {
            Ok(response) => response,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let deflate = response.extensions().get().cloned();
        match encode_response(&response.map(|()| "")) {
            Ok(answer) => Outcome::Accepted {
                used,
                answer,
                deflate,
            },
            Err(error) => Outcome::Refused(Refusal::silent(&error)),
        }
    }

    /// The 101, or what the connection ends with instead.
    fn answer(
        &mut self,
        request: &Request<()>,
        server: &Server,
        places: &mut Places<usize>,
    ) -> Result<Response<()>, Refusal> {
        let is_head = request.method() == Method::HEAD;
        let response = server.acceptor.respond(request);
        let reserve = || places.open(&mut self.place);
        if let Some(answer) = server.answer(request, response.is_err(), reserve) {
            let why = format!("{}: {}", answer.to, answer.response.status());
            return Err(Refusal::new(why, is_head, Some(&answer.response)));
        }
        response.map_err(|error| {
            let why = format!("handshake: {}", chain(&error));
            Refusal::new(why, is_head, error.response())
        })
    }

    /// What to do when the time is over.
    pub(super) fn expire(&self) -> Refusal {
        let time = Limits::default().time;
        if self.securing {
            let why = format!("tls handshake was not done within the limit of {time:?}");
            return Refusal::new(why, false, None::<&Response<&str>>);
        }
        let why = format!("no request: read was not done within the limit of {time:?}");
        // A peer that sent nothing asked for nothing.
        let response = self.decoder.is_started().then(page::timed_out);
        Refusal::new(why, false, response.as_ref())
    }
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

    /// For an answer that cannot be sent.
    fn silent(error: &upgrade::Error) -> Self {
        Self {
            why: format!("handshake: {}", chain(error)),
            answer: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_request_is_answered_when_its_time_is_over_and_none_is_not() {
        let mut handshake = Handshake::new(Place::Open, false);
        assert!(handshake.expire().answer.is_empty());
        handshake.decoder.decode(b"GET / HT").unwrap();
        let refusal = handshake.expire();
        assert!(refusal.answer.starts_with(b"HTTP/1.1 408 "));
        assert!(refusal.why.contains("limit of 10s"), "{}", refusal.why);
    }

    #[test]
    fn the_time_for_the_request_begins_after_tls() {
        let mut handshake = Handshake::new(Place::Open, true);
        let first = handshake.deadline;
        handshake.note_securing(true);
        assert_eq!(handshake.deadline, first);
        assert!(handshake.expire().why.starts_with("tls handshake"));
        handshake.note_securing(false);
        assert!(handshake.deadline > first);
        let second = handshake.deadline;
        handshake.note_securing(false);
        assert_eq!(handshake.deadline, second);
    }
}
