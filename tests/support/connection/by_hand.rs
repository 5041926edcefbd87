//! A connection without a stream, and what moves its bytes: by hand, or as an event loop does.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use framewire::connection::{self, BufferPool, Outbound};
use framewire::frame::Rsv;
use framewire::protocol::{Agreement, Message, Role};
use framewire::{CloseCode, Closed, Config, Error, Opcode};

use super::{Back, InOneCall, Messaging, OnClose, OnPing, OnPong};
use crate::peer::ScriptedPeer;

/// `connection::Connection` over a stream that does not block.
pub struct ByHand {
    connection: connection::Connection,
    stream: ScriptedPeer,
    is_flushed: bool,
    role: Role,
    config: Config,
    /// Whether it is given up where it is at rest, and begun anew, as an event loop does.
    is_looped: bool,
    /// What gives each its handlers.
    handlers: Vec<Handle>,
}

type Handle = Box<dyn Fn(&mut connection::Connection)>;

thread_local! {
    /// The buffers of all connections of the event loop.
    static POOL: BufferPool = BufferPool::keeping(2);
}

impl ByHand {
    pub fn new(
        stream: ScriptedPeer,
        role: Role,
        config: Config,
        agreed: Option<&dyn Agreement>,
        is_looped: bool,
    ) -> Result<Self, Error> {
        let pool = if is_looped {
            POOL.with(BufferPool::clone)
        } else {
            BufferPool::per_thread()
        };
        let mut connection = connection::Connection::new(role, &[], &config, &pool)?;
        agreed.inspect(|agreed| connection.set_extension(*agreed));
        Ok(Self {
            connection,
            stream,
            is_flushed: true,
            role,
            config,
            is_looped,
            handlers: vec![],
        })
    }

    /// Keeps a connection without handlers, as what that allocates may be counted.
    fn rest(&mut self) -> Result<(), Error> {
        self.connection.rest();
        if self.is_looped && self.connection.is_at_rest() && !self.handlers.is_empty() {
            let pool = POOL.with(BufferPool::clone);
            self.connection = connection::Connection::new(self.role, &[], &self.config, &pool)?;
            let handlers = self.handlers.iter();
            handlers.for_each(|handle| handle(&mut self.connection));
        }
        Ok(())
    }

    fn handle(&mut self, handle: impl Fn(&mut connection::Connection) + 'static) {
        handle(&mut self.connection);
        self.handlers.push(Box::new(handle));
    }

    /// Reads until a message is there. What waits is written before each read. A peer that takes none of it is
    /// not read from: by an event loop never, and by hand once the write buffer is full.
    fn until_message(&mut self) -> Result<(), Error> {
        loop {
            match self.connection.has_message() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(end) => {
                    // The answer to it. What the stream fails with is for those who flush.
                    let _ = self.write_out();
                    return Err(end);
                }
            }
            match self.write_out() {
                Err(error) if error.is_would_block() && self.reads_on() => {}
                written => written?,
            }
            self.read()?;
        }
    }

    fn reads_on(&mut self) -> bool {
        !self.is_looped && self.buffered() < self.config.write_buffer
    }

    fn read(&mut self) -> Result<(), Error> {
        match self.stream.read(self.connection.room()) {
            Ok(len) => self.connection.filled(len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let error = Error::from(error);
                if error.is_would_block() {
                    self.rest()?;
                } else {
                    self.connection.filled(0);
                    // With the end that this comes to, nothing is taken any more.
                    let _ = self.connection.has_message();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), Error> {
        let outbound = self.connection.outbound();
        while let Some(bytes) = outbound.output()? {
            let written = self.stream.write(bytes);
            outbound.written(written)?;
            self.is_flushed = false;
        }
        while !self.is_flushed {
            match self.stream.flush() {
                Ok(()) => self.is_flushed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The stream is done for, whatever it was that failed.
                Err(error) => outbound.written(Err(error))?,
            }
        }
        Ok(())
    }

    /// Takes what is to be sent once there is room for it.
    fn take(&mut self, take: impl FnOnce(&mut Outbound) -> Result<(), Error>) -> Result<(), Error> {
        let outbound = self.connection.outbound();
        if outbound.buffered() >= self.config.write_buffer {
            self.write_out()?;
        }
        take(self.connection.outbound())
    }

    /// As [`take`](Self::take), and writes as much of it as the stream takes.
    fn send(&mut self, take: impl FnOnce(&mut Outbound) -> Result<(), Error>) -> Result<(), Error> {
        self.take(take)?;
        self.write_some()
    }

    /// Writes as much as the stream takes.
    fn write_some(&mut self) -> Result<(), Error> {
        match self.write_out() {
            Err(error) if error.is_would_block() => Ok(()),
            written => written,
        }
    }
}

impl InOneCall for ByHand {
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error> {
        self.until_message()?;
        let (message, outbound) = self.connection.next_message()?.expect("it is there");
        let (opcode, payload) = (message.opcode(), message.payload());
        outbound.feed_message(opcode, payload)?;
        seen.extend_from_slice(payload);
        if back == Back::Written {
            self.write_some()?;
        }
        Ok(opcode)
    }
}

impl Messaging for ByHand {
    fn next_message(&mut self) -> Result<Message<'_>, Error> {
        self.until_message()?;
        let (message, _) = self.connection.next_message()?.expect("it is there");
        Ok(message)
    }

    fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (opcode, _) = self.read_message_ext(buf)?;
        Ok(opcode)
    }

    fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let message = self.next_message()?;
        buf.extend_from_slice(message.payload());
        Ok((message.opcode(), message.rsv()))
    }

    fn on_ping(&mut self, handler: OnPing) {
        let handler = Arc::new(Mutex::new(handler));
        self.handle(move |connection| {
            let handler = Arc::clone(&handler);
            connection.on_ping(move |payload| handler.lock().unwrap()(payload));
        });
    }

    fn on_pong(&mut self, handler: OnPong) {
        let handler = Arc::new(Mutex::new(handler));
        self.handle(move |connection| {
            let handler = Arc::clone(&handler);
            connection.on_pong(move |payload| handler.lock().unwrap()(payload));
        });
    }

    fn on_close(&mut self, handler: OnClose) {
        let handler = Arc::new(Mutex::new(handler));
        self.handle(move |connection| {
            let handler = Arc::clone(&handler);
            connection.on_close(move |code, reason| handler.lock().unwrap()(code, reason));
        });
    }

    fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.send(|outbound| outbound.feed_message(opcode, payload))
    }

    fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.take(|outbound| outbound.feed_message(opcode, payload))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write_out()
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.send(|outbound| outbound.ping(payload))
    }

    fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.send(|outbound| outbound.pong(payload))
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.send(|outbound| outbound.close(code, reason))
    }

    fn has_pending_output(&mut self) -> bool {
        !self.is_flushed || self.connection.outbound().has_pending_output()
    }

    fn buffered(&mut self) -> usize {
        self.connection.outbound().buffered()
    }

    fn sent_close(&mut self) -> Option<Closed> {
        self.connection.outbound().closed().cloned()
    }
}
