//! What a server with hyper does with its requests: it echoes.

use framewire::handshake::Acceptor;
use framewire::hyper::{OnUpgrade, refusal, upgrade_with};
use framewire::{Closed, Config, Error};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;

pub(crate) type Page = Response<Full<Bytes>>;

/// Where the ends of connections go.
pub(crate) type Ends = mpsc::UnboundedSender<Result<Closed, Error>>;
pub(crate) type Ended = mpsc::UnboundedReceiver<Result<Closed, Error>>;

/// Upgrades, and tells the end of the connection.
pub(crate) fn respond(mut request: Request<Incoming>, acceptor: &Acceptor, ends: Ends) -> Page {
    match upgrade_with(&mut request, acceptor, Config::default()) {
        Ok((response, on_upgrade)) => {
            tokio::spawn(async move {
                drop(ends.send(echo(on_upgrade).await));
            });
            response
        }
        Err(error) => refusal(&error),
    }
}

async fn echo(on_upgrade: OnUpgrade) -> Result<Closed, Error> {
    let mut websocket = on_upgrade.await?;
    while let Some((message, writer)) = websocket.next_message_and_writer().await? {
        writer.feed(message).await?;
    }
    Ok(websocket.closed().expect("it says how it ended"))
}
