//! A connection before it is open, for engines that read and write themselves: bytes of a request
//! in, the answer out.

use std::io;

use std::sync::Arc;

use framewire::protocol::Agreement;
use framewire::upgrade::{self, Limits, RequestDecoder, encode_response};
use http::{Method, Request, Response};

use super::{GOODBYE, Server, TIME, page};

/// What has come of a request.
#[derive(Debug)]
pub(crate) struct Reception {
    decoder: RequestDecoder,
}

/// What bytes of a request lead to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The head is not whole.
    Unfinished,
    Accepted {
        /// How many of the bytes were of the head.
        used: usize,
        answer: Vec<u8>,
        extension: Option<Arc<dyn Agreement>>,
    },
    Refused(Refusal),
}

/// Why no request has come, in the same words whichever engine tells.
#[derive(Debug)]
pub(crate) enum Lack {
    /// The peer has ended the stream.
    Ended,
    /// The time is over.
    Late,
    /// The stream failed, or TLS.
    Failed(String),
    /// Its place was needed for another.
    Displaced,
    /// The server is ending.
    Ending,
}

impl Lack {
    pub(crate) fn of(error: &io::Error) -> Self {
        // How TLS says that it was cut.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Ended;
        }
        Self::Failed(error.to_string())
    }

    /// For the log, with whether TLS was still to be agreed on.
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

/// The connection ends with this.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the log.
    pub(crate) why: String,
    /// For the peer; may be empty.
    pub(crate) answer: Vec<u8>,
}

impl Reception {
    pub(crate) fn new() -> Self {
        Self {
            decoder: RequestDecoder::new(&Limits::default()),
        }
    }

    /// Takes what has come, and answers the request once it is whole. A connection that gets in has
    /// a place to `reserve`.
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

    /// What to do when the time is over.
    pub(crate) fn expire(&self) -> Refusal {
        let why = Lack::Late.why(false);
        // A peer that sent nothing asked for nothing.
        let response = self.decoder.is_started().then(page::timed_out);
        Refusal::new(why, false, response.as_ref())
    }
}

/// The 101, or what the connection ends with instead.
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

    /// For a request that did not come.
    pub(crate) fn without_request(lack: &Lack, securing: bool) -> Self {
        Self {
            why: lack.why(securing),
            answer: Vec::new(),
        }
    }

    /// For an answer that cannot be sent.
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
