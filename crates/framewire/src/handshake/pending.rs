//! A request that a server has read and not yet answered.

use super::fields::{append, check_not_reserved, header, subprotocol};
use super::{Established, HandshakeError, offered_subprotocols, subprotocol as names};
use crate::Socket;
use crate::protocol::Role;
use crate::upgrade::layer::Wire;
use crate::upgrade::layer::blocking::{BlockingWire, finish};
use crate::upgrade::{self, layer};
use http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderName, HeaderValue, Request, Response};

/// Returns whether a request names `websocket` in `Upgrade`, so that an [`Acceptor`](super::Acceptor) can answer it.
pub fn is_websocket<B>(request: &Request<B>) -> bool {
    layer::lists(request.headers(), UPGRADE)
        .any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// A request that was read and awaits its answer.
///
/// It holds the answer by the [`Acceptor`](super::Acceptor)'s policy: a 101 that can be changed, or a refusal that
/// cannot. Dropping it closes the connection without an answer.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct PendingHandshake<S> {
    upgrade: upgrade::PendingUpgrade<S>,
    answer: Result<Response<()>, HandshakeError>,
}

impl<S> PendingHandshake<S> {
    pub(super) fn new(
        upgrade: upgrade::PendingUpgrade<S>,
        answer: Result<Response<()>, HandshakeError>,
    ) -> Self {
        Self { upgrade, answer }
    }

    /// Agrees on a subprotocol that the program chooses, or on none.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`](super::HandshakeErrorKind::InvalidArgument), and nothing is changed,
    /// where the client does not offer it (RFC 6455 4.2.2).
    pub fn set_subprotocol(&mut self, name: Option<&str>) -> Result<(), HandshakeError> {
        let value = match name {
            Some(name) if self.offered_subprotocols().any(|offer| offer == name) => {
                Some(names::value(name)?)
            }
            Some(name) => {
                return Err(HandshakeError::invalid(format!(
                    "subprotocol {name:?} was not offered"
                )));
            }
            None => None,
        };
        if let Ok(response) = &mut self.answer {
            response.headers_mut().remove(SEC_WEBSOCKET_PROTOCOL);
            response
                .headers_mut()
                .extend(value.map(|value| (SEC_WEBSOCKET_PROTOCOL, value)));
        }
        Ok(())
    }

    /// Adds a header to the 101.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`](super::HandshakeErrorKind::InvalidArgument) for a header that
    /// [`Acceptor::header`](super::Acceptor::header) refuses.
    pub fn add_header(
        &mut self,
        name: impl TryInto<HeaderName, Error: Into<http::Error>>,
        value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
    ) -> Result<(), HandshakeError> {
        let header = header(name, value)?;
        match &mut self.answer {
            Ok(response) => append(response.headers_mut(), header),
            Err(_) => check_not_reserved(&header.0),
        }
    }

    /// Returns the request. The extensions that it offers are its `sec-websocket-extensions` headers.
    pub fn request(&self) -> &Request<()> {
        self.upgrade.request()
    }

    /// Returns whether the request names `websocket` in `Upgrade`.
    ///
    /// It may still be refused: [`refusal`](Self::refusal) says whether and why. Where this is `false`, the request
    /// does not concern this library.
    pub fn is_websocket(&self) -> bool {
        is_websocket(self.request())
    }

    /// Returns why [`accept`](Self::accept) would refuse the request, if it would.
    pub fn refusal(&self) -> Option<&HandshakeError> {
        self.answer.as_ref().err()
    }

    /// Returns the subprotocols offered, in the client's order of preference.
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        offered_subprotocols(self.request().headers())
    }

    /// Returns the subprotocol that [`accept`](Self::accept) would agree on.
    pub fn subprotocol(&self) -> Option<&str> {
        subprotocol(self.answer.as_ref().ok()?.headers())
    }

    /// Returns the stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        self.upgrade.get_ref()
    }

    /// Answers as [`accept`](Self::accept) does, without I/O: returns the bytes of the 101 or of the policy's refusal,
    /// which the caller writes, and what they lead to.
    pub fn into_answer(self) -> (Vec<u8>, Result<Established<S>, HandshakeError>) {
        match self.answer {
            Ok(response) => match self.upgrade.into_switch(response) {
                Ok((head, upgraded)) => (head, Ok(Established::new(upgraded, Role::Server))),
                Err(error) => (Vec::new(), Err(error.into())),
            },
            Err(error) => {
                let refusal = error.response();
                let bytes = refusal.and_then(|refusal| self.upgrade.encode_refusal(refusal).ok());
                (bytes.unwrap_or_default(), Err(error))
            }
        }
    }

    /// Returns the bytes of a response of the program, as [`refuse`](Self::refuse) sends them. The caller writes them
    /// and then closes the stream.
    ///
    /// # Errors
    /// [`InvalidArgument`](super::HandshakeErrorKind::InvalidArgument) where the status is 1xx, or a header is not one
    /// that can be sent.
    pub fn encode_refusal<B: AsRef<[u8]>>(
        &self,
        response: &Response<B>,
    ) -> Result<Vec<u8>, HandshakeError> {
        Ok(self.upgrade.encode_refusal(response)?)
    }
}

impl<S: Socket> PendingHandshake<S> {
    /// Answers 101, or the policy's refusal.
    ///
    /// Blocks while writing, at most [`Limits::time`](upgrade::Limits::time).
    ///
    /// # Errors
    /// The [`refusal`](Self::refusal), after it was sent and, where the peer sent more than the head, up to half a
    /// second of further input was discarded. Else [`Write`](upgrade::UpgradeErrorKind::Write) or
    /// [`TimedOut`](upgrade::UpgradeErrorKind::TimedOut).
    pub fn accept(self) -> Result<Established<S>, HandshakeError> {
        finish(self.accept_over::<BlockingWire<S>>())
    }

    /// Answers with a response of the program, whatever the policy says: a 401, a redirect, or a page for a browser.
    ///
    /// Ends the stream in this direction and returns it, to be dropped. Blocks and fails as
    /// [`upgrade::PendingUpgrade::refuse`] does.
    pub fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, HandshakeError> {
        finish(self.refuse_over::<BlockingWire<S>, B>(response))
    }
}

/// The same calls over any wire.
impl<S> PendingHandshake<S> {
    pub(crate) async fn accept_over<W: Wire<Stream = S>>(
        self,
    ) -> Result<Established<S>, HandshakeError> {
        match self.answer {
            Ok(response) => {
                let upgraded = layer::switch_over::<W>(self.upgrade, response).await?;
                Ok(Established::new(upgraded, Role::Server))
            }
            Err(error) => {
                let sent =
                    error.then_inner(|inner| layer::refuse_with_over::<W>(self.upgrade, inner));
                Err(sent.await)
            }
        }
    }

    pub(crate) async fn refuse_over<W: Wire<Stream = S>, B: AsRef<[u8]>>(
        self,
        response: &Response<B>,
    ) -> Result<S, HandshakeError> {
        Ok(layer::refuse_over::<W, B>(self.upgrade, response).await?)
    }
}
