//! The kinds of connections. Their methods have the same names, and differ in what has to be done
//! with what a call gives: nothing, or to wait for it.

use std::io::Read;
use std::time::Duration;

use framewire::blocking::{self, Frame, PreparedMessage, Shutdown};
use framewire::frame::{Header, Rsv};
use framewire::protocol::Message;
use framewire::{CloseCode, Closed, Error, Opcode, TryFeedError, tokio};

use super::pieces::{Reading, Writing};
use super::{
    Back, ByteStream, Connection, InOneCall, MessageReader, MessageWriter, OnClose, OnPing, OnPong,
    Stream,
};
use crate::again;
use crate::wait::wait;

type Any = Box<dyn Stream>;

pub struct Blocking {
    pub socket: blocking::WebSocket<Any>,
}

pub struct BlockingHalves {
    pub reading: blocking::ReadHalf<Any>,
    pub writing: blocking::WriteHalf<Any>,
}

pub struct Tokio {
    pub socket: tokio::WebSocket<Any>,
}

pub struct TokioHalves {
    pub reading: tokio::ReadHalf<Any>,
    pub writing: tokio::WriteHalf<Any>,
}

impl InOneCall for Blocking {
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (message, writer) = self.socket.next_message_and_writer()?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| match back {
            Back::Fed => writer.feed_message(opcode, payload),
            Back::Written => writer.write_message(opcode, payload),
        })?;
        seen.extend_from_slice(payload);
        Ok(opcode)
    }

    fn shutdown_whole(&mut self, deadline: Duration) -> Option<Result<Shutdown, Error>> {
        Some(self.socket.shutdown(deadline))
    }
}

impl Blocking {
    fn closed(&mut self) -> Option<Closed> {
        self.socket.writer().closed().cloned()
    }

    fn whole(self) -> blocking::WebSocket<Any> {
        self.socket
    }
}

impl InOneCall for BlockingHalves {
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error> {
        let message = self.reading.next_message()?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| match back {
            Back::Fed => self.writing.feed_message(opcode, payload),
            Back::Written => self.writing.write_message(opcode, payload),
        })?;
        seen.extend_from_slice(payload);
        Ok(opcode)
    }
}

impl BlockingHalves {
    fn closed(&self) -> Option<Closed> {
        self.writing.closed()
    }

    fn whole(self) -> blocking::WebSocket<Any> {
        let whole = self.reading.reunite(self.writing);
        whole.ok().expect("they are of one connection")
    }
}

impl InOneCall for Tokio {
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (message, writer) = wait(self.socket.next_message_and_writer())?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| match back {
            Back::Fed => wait(writer.feed_message(opcode, payload)),
            Back::Written => wait(writer.write_message(opcode, payload)),
        })?;
        seen.extend_from_slice(payload);
        Ok(opcode)
    }

    fn shutdown_whole(&mut self, deadline: Duration) -> Option<Result<Shutdown, Error>> {
        Some(wait(self.socket.shutdown(deadline)))
    }
}

impl Tokio {
    fn closed(&mut self) -> Option<Closed> {
        self.socket.writer().closed().cloned()
    }

    fn whole(self) -> tokio::WebSocket<Any> {
        self.socket
    }
}

impl InOneCall for TokioHalves {
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error> {
        let message = wait(self.reading.next_message())?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| match back {
            Back::Fed => wait(self.writing.feed_message(opcode, payload)),
            Back::Written => wait(self.writing.write_message(opcode, payload)),
        })?;
        seen.extend_from_slice(payload);
        Ok(opcode)
    }
}

impl TokioHalves {
    fn closed(&self) -> Option<Closed> {
        self.writing.closed()
    }

    fn whole(self) -> tokio::WebSocket<Any> {
        let whole = self.reading.reunite(self.writing);
        whole.ok().expect("they are of one connection")
    }
}

/// What is done with the calls of the blocking front end.
mod now {
    pub use std::convert::{
        identity as done, identity as opened, identity as resumed, identity as through,
        identity as from,
    };
}

/// What is done with those of tokio's.
mod later {
    pub use std::convert::{identity as opened, identity as resumed};

    pub use crate::wait::{Asking as from, Waiting as through, wait as done};

    /// Where opening a message waits for that of another task.
    pub mod shared {
        use std::io;

        pub(in super::super) use super::{done, done as opened, from, through};

        pub(in super::super) fn resumed<T>(found: impl Future<Output = T>) -> T {
            let found = done(async { Ok::<_, io::Error>(found.await) });
            found.expect("no other task sends a message")
        }
    }
}

macro_rules! implement_connection {
    ($kind:ident: $($calls:ident)::+, $reading:ident, $writing:ident) => {
        impl Connection for $kind {
            fn next_message(&mut self) -> Result<Message<'_>, Error> {
                $($calls)::+::done(self.$reading.next_message())
            }

            fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
                $($calls)::+::done(self.$reading.read_message(buf))
            }

            fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
                $($calls)::+::done(self.$reading.read_message_ext(buf))
            }

            fn message_reader(&mut self) -> Result<MessageReader<'_>, Error> {
                let reader = $($calls)::+::done(self.$reading.message_reader())?;
                Ok(MessageReader {
                    opcode: reader.opcode(),
                    rsv: reader.rsv(),
                    reader: Reading::$kind($($calls)::+::through(reader)),
                })
            }

            fn resume_message_reader(&mut self) -> Option<MessageReader<'_>> {
                let reader = self.$reading.resume_message_reader()?;
                Some(MessageReader {
                    opcode: reader.opcode(),
                    rsv: reader.rsv(),
                    reader: Reading::$kind($($calls)::+::through(reader)),
                })
            }

            fn read_header(&mut self) -> Result<Header, Error> {
                $($calls)::+::done(self.$reading.read_header())
            }

            fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
                $($calls)::+::done(self.$reading.read_frame(buf))
            }

            fn on_ping(&mut self, handler: OnPing) {
                self.$reading.on_ping(handler);
            }

            fn on_pong(&mut self, handler: OnPong) {
                self.$reading.on_pong(handler);
            }

            fn on_close(&mut self, handler: OnClose) {
                self.$reading.on_close(handler);
            }

            fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.write_message(opcode, payload))
            }

            fn write_message_ext(
                &mut self,
                opcode: Opcode,
                rsv: Rsv,
                payload: &[u8],
            ) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.write_message_ext(opcode, rsv, payload))
            }

            fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.feed_message(opcode, payload))
            }

            fn feed_message_ext(
                &mut self,
                opcode: Opcode,
                rsv: Rsv,
                payload: &[u8],
            ) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.feed_message_ext(opcode, rsv, payload))
            }

            fn try_feed_message<'p>(
                &mut self,
                opcode: Opcode,
                payload: &'p [u8],
            ) -> Result<(), TryFeedError<&'p [u8]>> {
                self.$writing.try_feed_message(opcode, payload)
            }

            fn flush(&mut self) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.flush())
            }

            fn write_frame(
                &mut self,
                fin: bool,
                rsv: Rsv,
                opcode: Opcode,
                payload: &[u8],
            ) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.write_frame(fin, rsv, opcode, payload))
            }

            fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.write_prepared(message))
            }

            fn stream_message(
                &mut self,
                opcode: Opcode,
                chunk_size: usize,
                reader: &mut dyn Read,
            ) -> Result<u64, Error> {
                let reader = $($calls)::+::from(reader);
                $($calls)::+::done(self.$writing.stream_message(opcode, chunk_size, reader))
            }

            fn stream_message_ext(
                &mut self,
                opcode: Opcode,
                rsv: Rsv,
                chunk_size: usize,
                reader: &mut dyn Read,
            ) -> Result<u64, Error> {
                let reader = $($calls)::+::from(reader);
                let sent = self.$writing.stream_message_ext(opcode, rsv, chunk_size, reader);
                $($calls)::+::done(sent)
            }

            fn message_writer(
                &mut self,
                opcode: Opcode,
            ) -> Result<MessageWriter<'_>, Error> {
                let writer = $($calls)::+::opened(self.$writing.message_writer(opcode))?;
                Ok(MessageWriter(Writing::$kind($($calls)::+::through(writer))))
            }

            fn message_writer_ext(
                &mut self,
                opcode: Opcode,
                rsv: Rsv,
            ) -> Result<MessageWriter<'_>, Error> {
                let writer = $($calls)::+::opened(self.$writing.message_writer_ext(opcode, rsv))?;
                Ok(MessageWriter(Writing::$kind($($calls)::+::through(writer))))
            }

            fn resume_message_writer(&mut self) -> Option<MessageWriter<'_>> {
                let writer = $($calls)::+::resumed(self.$writing.resume_message_writer())?;
                Some(MessageWriter(Writing::$kind($($calls)::+::through(writer))))
            }

            fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.ping(payload))
            }

            fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.pong(payload))
            }

            fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                $($calls)::+::done(self.$writing.close(code, reason))
            }

            fn has_pending_output(&mut self) -> bool {
                self.$writing.has_pending_output()
            }

            fn buffered(&mut self) -> usize {
                self.$writing.buffered()
            }

            fn sent_close(&mut self) -> Option<Closed> {
                self.closed()
            }

            fn shutdown(self: Box<Self>, deadline: Duration) -> Result<Shutdown, Error> {
                $($calls)::+::done(self.whole().shutdown(deadline))
            }

            fn into_byte_stream(self: Box<Self>) -> Box<dyn ByteStream> {
                Box::new($($calls)::+::through(self.whole().into_byte_stream()))
            }
        }
    };
}

implement_connection!(Blocking: now, socket, socket);
implement_connection!(BlockingHalves: now, reading, writing);
implement_connection!(Tokio: later, socket, socket);
implement_connection!(TokioHalves: later::shared, reading, writing);
