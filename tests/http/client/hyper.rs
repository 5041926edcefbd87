//! What a server with hyper does with its requests: it echoes.

use framewire::Config;
use framewire::handshake::Acceptor;
use framewire::hyper::{OnUpgrade, refusal, upgrade_with};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;

pub(crate) type Page = Response<Full<Bytes>>;

/// Where the ends of connections go.
pub(crate) type Ends = mpsc::UnboundedSender<framewire::Error>;

/// Upgrades, and tells the end of the connection.
pub(crate) fn respond(mut request: Request<Incoming>, acceptor: &Acceptor, ends: Ends) -> Page {
    match upgrade_with(&mut request, acceptor, Config::default()) {
        Ok((response, on_upgrade)) => {
            tokio::spawn(async move {
                let Err(end) = echo(on_upgrade).await;
                drop(ends.send(end));
            });
            response
        }
        Err(error) => refusal(&error),
    }
}

async fn echo(on_upgrade: OnUpgrade) -> Result<std::convert::Infallible, framewire::Error> {
    let mut websocket = on_upgrade.await?;
    loop {
        let (message, writer) = websocket.next_message_and_writer().await?;
        let (opcode, payload) = (message.opcode(), message.payload());
        writer.feed_message(opcode, payload).await?;
    }
}
