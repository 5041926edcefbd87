//! A connection without a stream, and what moves its bytes: by hand, or as an event loop does. It has all the calls
//! that neither wait nor share a stream.

use std::io::{self, Read as _, Write as _};
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use framewire::blocking::Shutdown;
use framewire::connection::{self, BufferPool, FeedWriter, Outbound, PreparedMessage};
use framewire::frame::{Header, Rsv};
use framewire::protocol::{Agreement, Message, Role};
use framewire::{CloseCode, Closed, Config, Error, MessageKind, Opcode, Outgoing, TryFeedError};

use super::pieces::{Reading, Writing};
use super::{
    Back, ByteStream, Change, Connection, Frame, InOneCall, MessageReader, MessageWriter,
    Messaging, OnClose, OnPing, OnPong,
};
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
    /// What a reader gave, on its way into a message.
    chunk: Vec<u8>,
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
        leftover: &[u8],
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
        let mut connection = connection::Connection::new(role, leftover, &config, &pool)?;
        agreed.inspect(|agreed| connection.set_extension(*agreed));
        Ok(Self {
            connection,
            stream,
            is_flushed: true,
            role,
            config,
            is_looped,
            chunk: vec![],
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

    /// Reads until a message is there, and says whether one is.
    fn until_message(&mut self) -> Result<bool, Error> {
        let found = self.until_end(|connection| Ok(connection.has_message()?.then_some(())))?;
        Ok(found.is_some())
    }

    /// As [`until`](Self::until), with `None` at the end that the peer's Close frame is.
    fn until_end<R>(
        &mut self,
        call: impl FnMut(&mut connection::Connection) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        match self.until(call) {
            Err(error) if error.closed().is_some() => Ok(None),
            result => result.map(Some),
        }
    }

    /// Reads until a call needs no more. What waits is written before each read. A peer that takes none of it is
    /// not read from: by an event loop never, and by hand once the write buffer is full.
    fn until<R>(
        &mut self,
        mut call: impl FnMut(&mut connection::Connection) -> Result<Option<R>, Error>,
    ) -> Result<R, Error> {
        loop {
            match call(&mut self.connection) {
                Ok(Some(result)) => return Ok(result),
                Ok(None) => {}
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
    fn take<R>(
        &mut self,
        take: impl FnOnce(&mut Outbound) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.make_room()?;
        take(self.connection.outbound())
    }

    fn make_room(&mut self) -> Result<(), Error> {
        if self.buffered() >= self.config.write_buffer {
            self.write_out()?;
        }
        Ok(())
    }

    /// As [`take`](Self::take), and writes as much of it as the stream takes.
    fn send<R>(
        &mut self,
        take: impl FnOnce(&mut Outbound) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let taken = self.take(take)?;
        self.write_some()?;
        Ok(taken)
    }

    /// Reads payload of the message that was begun.
    pub(super) fn read_piece(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.until(|connection| connection.read_stream(buf))
    }

    /// Takes a piece of the message that is open.
    pub(super) fn write_piece(&mut self, piece: &[u8]) -> Result<usize, Error> {
        self.send(|outbound| feed_writer(outbound).feed(piece))?;
        Ok(piece.len())
    }

    /// Ends the message that is open.
    pub(super) fn finish(&mut self) -> Result<u64, Error> {
        self.send(|outbound| feed_writer(outbound).finish())
    }

    /// Ends the message that is open with what a reader gives, which is asked once there is room for that. An error
    /// of the reader is handed on as it is: the connection has nothing to do with it.
    pub(super) fn finish_from(&mut self, reader: &mut (dyn io::Read + Send)) -> Result<u64, Error> {
        let mut chunk = mem::take(&mut self.chunk);
        chunk.resize(self.config.chunk_size, 0);
        let fed = self.feed_all(reader, &mut chunk);
        self.chunk = chunk;
        fed?;
        self.finish()
    }

    fn feed_all(&mut self, reader: &mut dyn io::Read, chunk: &mut [u8]) -> Result<(), Error> {
        loop {
            self.make_room()?;
            match reader.read(chunk) {
                Ok(0) => return Ok(()),
                Ok(len) => self.write_piece(&chunk[..len])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error.into()),
            };
        }
    }

    fn streamed(&mut self) -> Option<MessageReader<'_>> {
        let (opcode, rsv) = self.connection.streamed()?;
        let reader = Reading::ByHand(self);
        Some(MessageReader {
            reader,
            opcode,
            rsv,
        })
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
    fn echo_message(
        &mut self,
        back: Back,
        change: Option<Change>,
        seen: &mut Vec<u8>,
    ) -> Result<Option<Opcode>, Error> {
        if !self.until_message()? {
            return Ok(None);
        }
        let (mut message, outbound) = self.connection.next_message()?.expect("it is there");
        change.inspect(|change| change(message.payload_mut()));
        outbound.feed(&message)?;
        seen.extend_from_slice(message.payload());
        let opcode = message.opcode();
        if back == Back::Written {
            self.write_some()?;
        }
        Ok(Some(opcode))
    }
}

impl Messaging for ByHand {
    fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        if !self.until_message()? {
            return Ok(None);
        }
        let next = self.connection.next_message()?;
        Ok(next.map(|(message, _)| message))
    }

    fn append_message<'b>(&mut self, buf: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, Error> {
        if !self.until_message()? {
            return Ok(None);
        }
        self.connection.append_message(buf)
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

    fn write_any(&mut self, message: Outgoing<'_>) -> Result<(), Error> {
        self.send(|outbound| outbound.feed(message))
    }

    fn feed_any(&mut self, message: Outgoing<'_>) -> Result<(), Error> {
        self.take(|outbound| outbound.feed(message))
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

    fn closed(&mut self) -> Option<Closed> {
        self.connection.outbound().closed().cloned()
    }

    fn with_stream(&mut self) -> Option<&mut dyn Connection> {
        Some(self)
    }
}

impl Connection for ByHand {
    fn message_reader(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        let begun = self.until_end(connection::Connection::next_stream)?;
        Ok(begun.map(|(opcode, rsv)| MessageReader {
            reader: Reading::ByHand(self),
            opcode,
            rsv,
        }))
    }

    fn resume_message_reader(&mut self) -> Option<MessageReader<'_>> {
        self.streamed()
    }

    fn read_header(&mut self) -> Result<Option<Header>, Error> {
        self.until_end(connection::Connection::next_header)
    }

    fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<Frame<'b>>, Error> {
        let header = self.until_end(|connection| connection.read_frame(buf))?;
        Ok(header.map(|header| Frame {
            header,
            payload: &mut buf[..header.payload_len() as usize],
        }))
    }

    fn try_feed_any<'p>(
        &mut self,
        message: Outgoing<'p>,
    ) -> Result<(), TryFeedError<Outgoing<'p>>> {
        self.connection.outbound().try_feed(message)
    }

    fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.send(|outbound| outbound.feed_frame(fin, rsv, opcode, payload))
    }

    fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.send(|outbound| outbound.feed_prepared(message))
    }

    /// The fragments have the length of the configuration.
    fn stream_any(
        &mut self,
        kind: MessageKind,
        _chunk_size: usize,
        reader: &mut (dyn io::Read + Send),
    ) -> Result<u64, Error> {
        self.any_message_writer(kind)?.finish_from(reader)
    }

    fn any_message_writer(&mut self, kind: MessageKind) -> Result<MessageWriter<'_>, Error> {
        drop(self.connection.outbound().feed_writer(kind)?);
        Ok(MessageWriter(Writing::ByHand(self)))
    }

    fn resume_message_writer(&mut self) -> Option<MessageWriter<'_>> {
        drop(self.connection.outbound().resume_feed_writer()?);
        Some(MessageWriter(Writing::ByHand(self)))
    }

    fn set_compression(&mut self, enabled: bool) {
        self.connection.outbound().set_compression(enabled);
    }

    fn into_leftover(self: Box<Self>) -> Vec<u8> {
        self.connection.into_leftover()
    }

    // The tests call these where `Kind::has_stream` says that there is a stream to wait for or to share.

    fn shutdown(self: Box<Self>, _deadline: Duration) -> Result<Shutdown, Error> {
        unimplemented!("a closing handshake waits for the peer");
    }

    fn into_byte_stream(self: Box<Self>) -> Box<dyn ByteStream> {
        unimplemented!("bytes are read from a stream and written to it");
    }

    fn split_or_reunite(self: Box<Self>) -> Box<dyn Connection> {
        unimplemented!("halves share a stream");
    }
}

/// The message that is open.
fn feed_writer(outbound: &mut Outbound) -> FeedWriter<'_> {
    outbound.resume_feed_writer().expect("a message is open")
}
