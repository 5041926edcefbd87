//! The kinds of connections. Their methods have the same names, and differ in what has to be done
//! with what a call gives: nothing, or to wait for it.

use std::io::Read;
use std::time::Duration;

use framewire::blocking::{self, Frame, PreparedMessage, Shutdown};
use framewire::frame::{Header, Rsv};
use framewire::protocol::Message;
use framewire::{CloseCode, Closed, Error, Opcode, TryFeedError, tokio};

use super::{
    ByteStream, Connection, InOneCall, MessageReader, MessageWriter, OnClose, OnPing, OnPong,
    Stream,
};
use crate::again;
use crate::wait::{Waiting, wait};

pub struct Blocking<S> {
    pub socket: blocking::WebSocket<S>,
}

pub struct BlockingHalves<S> {
    pub reading: blocking::ReadHalf<S>,
    pub writing: blocking::WriteHalf<S>,
}

pub struct Tokio<S> {
    pub socket: tokio::WebSocket<S>,
}

pub struct TokioHalves<S> {
    pub reading: tokio::ReadHalf<S>,
    pub writing: tokio::WriteHalf<S>,
}

impl<S: Stream> InOneCall for Blocking<S> {
    fn echo_message(&mut self) -> Result<(Opcode, Vec<u8>), Error> {
        let (message, writer) = self.socket.next_message_and_writer()?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| writer.feed_message(opcode, payload))?;
        Ok((opcode, payload.to_vec()))
    }

    fn shutdown_whole(&mut self, deadline: Duration) -> Option<Result<Shutdown, Error>> {
        Some(self.socket.shutdown(deadline))
    }
}

impl<S: Stream> Blocking<S> {
    fn closed(&mut self) -> Option<Closed> {
        self.socket.writer().closed().cloned()
    }

    fn whole(self) -> blocking::WebSocket<S> {
        self.socket
    }
}

impl<S: Stream> InOneCall for BlockingHalves<S> {
    fn echo_message(&mut self) -> Result<(Opcode, Vec<u8>), Error> {
        let message = self.reading.next_message()?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| self.writing.feed_message(opcode, payload))?;
        Ok((opcode, payload.to_vec()))
    }
}

impl<S: Stream> BlockingHalves<S> {
    fn closed(&self) -> Option<Closed> {
        self.writing.closed()
    }

    fn whole(self) -> blocking::WebSocket<S> {
        let whole = self.reading.reunite(self.writing);
        whole.ok().expect("they are of one connection")
    }
}

impl<S: Stream> InOneCall for Tokio<S> {
    fn echo_message(&mut self) -> Result<(Opcode, Vec<u8>), Error> {
        let (message, writer) = wait(self.socket.next_message_and_writer())?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| wait(writer.feed_message(opcode, payload)))?;
        Ok((opcode, payload.to_vec()))
    }

    fn shutdown_whole(&mut self, deadline: Duration) -> Option<Result<Shutdown, Error>> {
        Some(wait(self.socket.shutdown(deadline)))
    }
}

impl<S: Stream> Tokio<S> {
    fn closed(&mut self) -> Option<Closed> {
        self.socket.writer().closed().cloned()
    }

    fn whole(self) -> tokio::WebSocket<S> {
        self.socket
    }
}

impl<S: Stream> InOneCall for TokioHalves<S> {
    fn echo_message(&mut self) -> Result<(Opcode, Vec<u8>), Error> {
        let message = wait(self.reading.next_message())?;
        let (opcode, payload) = (message.opcode(), message.payload());
        again(|| wait(self.writing.feed_message(opcode, payload)))?;
        Ok((opcode, payload.to_vec()))
    }
}

impl<S: Stream> TokioHalves<S> {
    fn closed(&self) -> Option<Closed> {
        self.writing.closed()
    }

    fn whole(self) -> tokio::WebSocket<S> {
        let whole = self.reading.reunite(self.writing);
        whole.ok().expect("they are of one connection")
    }
}

/// What is done with the calls of the blocking front end.
mod now {
    pub use std::convert::{
        identity as done, identity as opened, identity as resumed, identity as through,
        identity as from, identity as inner,
    };
}

/// What is done with those of tokio's.
mod later {
    pub use std::convert::{identity as opened, identity as resumed};

    pub use crate::wait::{Asking as from, Waiting as through, wait as done};

    pub fn inner<T>(waiting: through<T>) -> T {
        waiting.0
    }

    /// Where opening a message waits for that of another task.
    pub mod shared {
        use std::io;

        pub(in super::super) use super::{done, done as opened, from, inner, through};

        pub(in super::super) fn resumed<T>(found: impl Future<Output = T>) -> T {
            let found = done(async { Ok::<_, io::Error>(found.await) });
            found.expect("no other task sends a message")
        }
    }
}

macro_rules! implement_connection {
    ($connection:ty: $($calls:ident)::+, $reading:ident, $writing:ident, $writer:ty) => {
        impl<S: Stream> Connection for $connection {
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
                    reader: Box::new($($calls)::+::through(reader)),
                })
            }

            fn resume_message_reader(&mut self) -> Option<MessageReader<'_>> {
                let reader = self.$reading.resume_message_reader()?;
                Some(MessageReader {
                    opcode: reader.opcode(),
                    rsv: reader.rsv(),
                    reader: Box::new($($calls)::+::through(reader)),
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
            ) -> Result<Box<dyn MessageWriter + '_>, Error> {
                let writer = $($calls)::+::opened(self.$writing.message_writer(opcode))?;
                Ok(Box::new($($calls)::+::through(writer)))
            }

            fn message_writer_ext(
                &mut self,
                opcode: Opcode,
                rsv: Rsv,
            ) -> Result<Box<dyn MessageWriter + '_>, Error> {
                let writer = $($calls)::+::opened(self.$writing.message_writer_ext(opcode, rsv))?;
                Ok(Box::new($($calls)::+::through(writer)))
            }

            fn resume_message_writer(&mut self) -> Option<Box<dyn MessageWriter + '_>> {
                let writer = $($calls)::+::resumed(self.$writing.resume_message_writer())?;
                Some(Box::new($($calls)::+::through(writer)))
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

        impl<S: Stream> MessageWriter for $writer {
            fn finish(self: Box<Self>) -> Result<u64, Error> {
                $($calls)::+::done($($calls)::+::inner(*self).finish())
            }

            fn finish_from(self: Box<Self>, reader: &mut dyn Read) -> Result<u64, Error> {
                let reader = $($calls)::+::from(reader);
                $($calls)::+::done($($calls)::+::inner(*self).finish_from(reader))
            }
        }
    };
}

implement_connection!(
    Blocking<S>: now, socket, socket,
    blocking::MessageWriter<&mut blocking::Writer<S>>
);
implement_connection!(
    BlockingHalves<S>: now, reading, writing,
    blocking::MessageWriter<blocking::SharedWriter<'_, S>>
);
implement_connection!(
    Tokio<S>: later, socket, socket,
    Waiting<tokio::MessageWriter<&mut tokio::Writer<S>>>
);
implement_connection!(
    TokioHalves<S>: later::shared, reading, writing,
    Waiting<tokio::MessageWriter<tokio::SharedWriter<'_, S>>>
);
