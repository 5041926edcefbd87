//! The server that is measured.

use std::fmt;

use framewire::handshake::{Connector, Established};
use framewire::tokio::{Stream, WebSocket, handshake};
use framewire::{Config, Error, Limits};
use http::Uri;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

use super::options::Options;
use crate::failure::Failure;
use crate::reach::to_ascii;

/// The server that is measured.
#[derive(Debug)]
pub(crate) struct Target {
    connector: Connector,
    ascii: String,
    /// What is asked for, as the request has it.
    uri: Uri,
    config: Config,
}

/// What the handshake came to, with the first connection.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    /// Where redirects have led to, if there were any.
    pub(crate) redirected_to: Option<String>,
    /// Whether the connection is encrypted.
    pub(crate) is_tls: bool,
    /// The parameters of compression.
    pub(crate) compression: Option<String>,
    pub(crate) subprotocol: Option<String>,
}

impl Target {
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        let connector = options.reach.connector().map_err(Failure::NoConnection)?;
        let ascii = to_ascii(&options.url).map_err(Failure::NoConnection)?;
        let wrong = |error: &dyn fmt::Display| Failure::NoConnection(error.to_string());
        let request = connector.request(&ascii).map_err(|error| wrong(&error))?;
        // Room for a wrong answer, too.
        let limit = (options.size as u64).saturating_add(1 << 20);
        let config = Config::default().limits(Limits::default().message(limit));
        Ok(Self {
            connector,
            ascii,
            uri: request.uri().clone(),
            config,
        })
    }

    /// Connects.
    pub(crate) async fn open(&self) -> Result<(WebSocket<Stream>, Agreed), Error> {
        let established = handshake::connect(&self.ascii, &self.connector).await?;
        let reached = established.request().uri();
        let agreed = Agreed {
            redirected_to: (*reached != self.uri).then(|| reached.to_string()),
            is_tls: established.request().uri().scheme_str() == Some("wss"),
            compression: extensions(&established),
            subprotocol: established.subprotocol().map(str::to_owned),
        };
        let websocket = WebSocket::from_established(established, self.config)?;
        Ok((websocket, agreed))
    }
}

/// Returns the parameters of the compression that was agreed on.
fn extensions<S>(established: &Established<S>) -> Option<String> {
    established.extension()?;
    let headers = established.response().headers();
    let value = headers.get(SEC_WEBSOCKET_EXTENSIONS)?;
    Some(value.to_str().ok()?.to_owned())
}
