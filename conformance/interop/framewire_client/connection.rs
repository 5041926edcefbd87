//! Connections of the client by either front end, for checks that do not know which it is.

use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use framewire::blocking::{Reader, Shutdown, Writer};
use framewire::deflate::Negotiated;
use framewire::handshake::{self, Connector};
use framewire::protocol::{Agreement, Message, Role, ToOutgoing};
use framewire::rustls::ProtocolVersion;
use framewire::{
    CloseCode, Closed, Config, Error, Limits, Opcode, Socket as _, WebSocket,
    tokio as asynchronous, upgrade,
};
use http::Response;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::metered::{Metered, Traffic};
use crate::front_end::{self, FrontEnd};
use crate::server::MAX_MESSAGE;

/// What the checks have a connection do.
pub(crate) trait Connection {
    fn next_message(&mut self) -> Result<Option<Message<'_>>, Error>;
    fn write(&mut self, message: &dyn ToOutgoing) -> Result<(), Error>;
    fn feed(&mut self, message: &dyn ToOutgoing) -> Result<(), Error>;
    fn flush(&mut self) -> Result<(), Error>;
    fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        payload: &[u8],
    ) -> Result<u64, Error>;

    /// Begins a message and leaves it open.
    fn begin_message(&mut self, opcode: Opcode) -> Result<(), Error>;
    /// Goes on with the message that is open.
    fn push(&mut self, piece: &[u8]) -> Result<(), Error>;
    /// Sends what was pushed.
    fn push_out(&mut self) -> Result<(), Error>;
    /// Ends the message that is open.
    fn end_message(&mut self) -> Result<(), Error>;

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn on_pong(&mut self, handler: OnPong);
    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error>;
    fn shutdown(&mut self) -> Result<Shutdown, Error>;
    fn set_compression(&mut self, enabled: bool);
    fn closed(&self) -> Option<Closed>;
    /// The bytes of all frames so far.
    fn traffic(&self) -> Traffic;
}

pub(crate) type Client = Box<dyn Connection>;
type OnPong = Box<dyn FnMut(&[u8]) + Send>;

/// A connection, and what was agreed on.
pub(crate) struct Connected {
    pub(crate) websocket: Client,
    /// The server's answer.
    pub(crate) response: Response<()>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) deflate: Option<Negotiated>,
    /// The version of TLS that is spoken.
    pub(crate) tls: Option<ProtocolVersion>,
}

/// A front end, ready to connect.
pub(crate) enum Caller {
    Blocking,
    Tokio(Rc<Runtime>),
}

impl Caller {
    pub(crate) fn new(front_end: FrontEnd) -> Result<Self> {
        Ok(match front_end {
            FrontEnd::Blocking => Self::Blocking,
            FrontEnd::Tokio => Self::Tokio(Rc::new(front_end::runtime()?)),
        })
    }

    pub(crate) fn connect(&self, url: &str, connector: &Connector) -> Result<Connected> {
        match self {
            Self::Blocking => connect_blocking(url, connector),
            Self::Tokio(runtime) => connect_tokio(runtime, url, connector),
        }
    }
}

fn connect_blocking(url: &str, connector: &Connector) -> Result<Connected> {
    let established = connector.connect(url)?;
    let tls = match established.get_ref() {
        upgrade::Stream::Tls(stream) => stream.inspect(|session| session.protocol_version()),
        _ => None,
    };
    Connected::of(established, tls, |stream, leftover, extension| {
        let mut websocket = WebSocket::with_leftover(stream, leftover, Role::Client, config())?;
        if let Some(agreed) = extension {
            websocket.set_extension(agreed);
        }
        websocket.stream().set_read_timeout(Some(SILENCE))?;
        websocket.stream().set_write_timeout(Some(SILENCE))?;
        Ok(Box::new(websocket))
    })
}

fn connect_tokio(runtime: &Rc<Runtime>, url: &str, connector: &Connector) -> Result<Connected> {
    let established = runtime.block_on(asynchronous::handshake::connect(url, connector))?;
    let tls = match established.get_ref() {
        asynchronous::Stream::Tls(stream) => stream.get_ref().1.protocol_version(),
        _ => None,
    };
    Connected::of(established, tls, |stream, leftover, extension| {
        let mut websocket =
            asynchronous::WebSocket::with_leftover(stream, leftover, Role::Client, config())?;
        if let Some(agreed) = extension {
            websocket.set_extension(agreed);
        }
        let runtime = Rc::clone(runtime);
        Ok(Box::new(Driven { websocket, runtime }))
    })
}

impl Connected {
    /// What a handshake has left, with its stream metered.
    fn of<S>(
        established: handshake::Established<S>,
        tls: Option<ProtocolVersion>,
        open: impl FnOnce(Metered<S>, &[u8], Option<&dyn Agreement>) -> Result<Client>,
    ) -> Result<Self> {
        let response = established.response().clone();
        let subprotocol = established.subprotocol().map(str::to_owned);
        let deflate = established.deflate().cloned();
        let parts = established.into_parts();
        let stream = Metered::new(parts.stream, parts.leftover.len());
        Ok(Self {
            websocket: open(stream, &parts.leftover, parts.extension.as_deref())?,
            response,
            subprotocol,
            deflate,
            tls,
        })
    }
}

fn config() -> Config {
    Config::default().limits(Limits::default().message(MAX_MESSAGE as u64))
}

impl Connection for WebSocket<Metered<upgrade::Stream>> {
    fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        Reader::next_message(self)
    }

    fn write(&mut self, message: &dyn ToOutgoing) -> Result<(), Error> {
        self.writer().write(message)
    }

    fn feed(&mut self, message: &dyn ToOutgoing) -> Result<(), Error> {
        self.writer().feed(message)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.writer().flush()
    }

    fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        payload: &[u8],
    ) -> Result<u64, Error> {
        self.writer().stream_message(opcode, chunk_size, payload)
    }

    fn begin_message(&mut self, opcode: Opcode) -> Result<(), Error> {
        self.message_writer(opcode).map(drop)
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        let writer = self.writer().resume_message_writer();
        Ok(writer.ok_or_else(not_open)?.write_all(piece)?)
    }

    fn push_out(&mut self) -> Result<(), Error> {
        let writer = self.writer().resume_message_writer();
        Ok(writer.ok_or_else(not_open)?.flush()?)
    }

    fn end_message(&mut self) -> Result<(), Error> {
        let writer = self.writer().resume_message_writer();
        writer.ok_or_else(not_open)?.finish().map(drop)
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.writer().ping(payload)
    }

    fn on_pong(&mut self, handler: OnPong) {
        Reader::on_pong(self, handler);
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.writer().close(code, reason)
    }

    fn shutdown(&mut self) -> Result<Shutdown, Error> {
        self.shutdown(SILENCE)
    }

    fn set_compression(&mut self, enabled: bool) {
        self.writer().set_compression(enabled);
    }

    fn closed(&self) -> Option<Closed> {
        Writer::closed(self)
    }

    fn traffic(&self) -> Traffic {
        self.stream().traffic
    }
}

/// A connection of tokio's, each call of which is driven to its end.
struct Driven {
    websocket: asynchronous::WebSocket<Metered<asynchronous::Stream>>,
    runtime: Rc<Runtime>,
}

impl Connection for Driven {
    fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        drive(&self.runtime, self.websocket.next_message())
    }

    fn write(&mut self, message: &dyn ToOutgoing) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.write(message))
    }

    fn feed(&mut self, message: &dyn ToOutgoing) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.feed(message))
    }

    fn flush(&mut self) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.flush())
    }

    fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        payload: &[u8],
    ) -> Result<u64, Error> {
        let streamed = self.websocket.stream_message(opcode, chunk_size, payload);
        drive(&self.runtime, streamed)
    }

    fn begin_message(&mut self, opcode: Opcode) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.message_writer(opcode)).map(drop)
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        drive(&self.runtime, async {
            let writer = self.websocket.resume_message_writer().await;
            Ok(writer.ok_or_else(not_open)?.write_all(piece).await?)
        })
    }

    fn push_out(&mut self) -> Result<(), Error> {
        drive(&self.runtime, async {
            let writer = self.websocket.resume_message_writer().await;
            Ok(writer.ok_or_else(not_open)?.flush().await?)
        })
    }

    fn end_message(&mut self) -> Result<(), Error> {
        drive(&self.runtime, async {
            let writer = self.websocket.resume_message_writer().await;
            writer.ok_or_else(not_open)?.finish().await.map(drop)
        })
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.ping(payload))
    }

    fn on_pong(&mut self, handler: OnPong) {
        self.websocket.on_pong(handler);
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        drive(&self.runtime, self.websocket.close(code, reason))
    }

    fn shutdown(&mut self) -> Result<Shutdown, Error> {
        self.runtime.block_on(self.websocket.shutdown(SILENCE))
    }

    fn set_compression(&mut self, enabled: bool) {
        self.websocket.set_compression(enabled);
    }

    fn closed(&self) -> Option<Closed> {
        self.websocket.closed()
    }

    fn traffic(&self) -> Traffic {
        self.websocket.stream().traffic
    }
}

/// Waits for a call as long as a blocking one would.
fn drive<T>(runtime: &Runtime, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime.block_on(async {
        let in_time = timeout(SILENCE, call).await;
        in_time.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}

fn not_open() -> Error {
    io::Error::other("no message is open").into()
}

/// How long the server may take to go on.
const SILENCE: Duration = Duration::from_secs(20);
