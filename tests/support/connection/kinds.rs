//! The kinds of connections. Their methods have the same names, and differ in what has to be done
//! with what a call gives: nothing, or to wait for it.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::time::Duration;

use ::tokio::io::AsyncWrite as _;
use framewire::blocking::{self, PreparedMessage, Shutdown};
use framewire::frame::{Header, Rsv};
use framewire::protocol::Message;
use framewire::{CloseCode, Closed, Error, MessageKind, Opcode, Outgoing, TryFeedError, tokio};

use super::pieces::{Reading, Writing};
use super::{
    Back, ByteStream, Change, Connection, Frame, InOneCall, MessageReader, MessageWriter,
    Messaging, OnClose, OnPing, OnPong,
};
use crate::again;
use crate::peer::ScriptedPeer;
use crate::wait::{Threads, Waiting, wait_on};

/// The threads on which a call is made that is no future.
#[derive(Debug, Clone, Copy)]
pub struct OnlyThis;

/// A whole connection is had as a stream of bytes, which has all that it has.
pub struct Blocking {
    pub threads: OnlyThis,
    pub bytes: blocking::ByteStream<ScriptedPeer>,
}

pub struct BlockingHalves {
    pub threads: OnlyThis,
    pub reading: blocking::ReadHalf<ScriptedPeer>,
    pub writing: blocking::WriteHalf<ScriptedPeer>,
}

pub struct Tokio {
    pub threads: Threads,
    pub bytes: Waiting<tokio::ByteStream<ScriptedPeer>>,
}

pub struct TokioHalves {
    pub threads: Threads,
    pub reading: tokio::ReadHalf<ScriptedPeer>,
    pub writing: tokio::WriteHalf<ScriptedPeer>,
}

/// What is done with what calls of the blocking front end give.
mod now {
    pub fn done<T>(_: super::OnlyThis, given: T) -> T {
        given
    }

    pub fn halves<T>(split: Result<T, super::Error>) -> T {
        split.expect("it can be duplicated")
    }

    pub use done as resumed;
    pub use done as through;
    pub use std::convert::identity as from;
}

/// What is done with those of tokio's.
mod later {
    pub use std::convert::identity as halves;

    pub use crate::wait::{Asking as from, Waiting as through, wait_on as done};

    pub fn resumed<T: Send>(
        threads: crate::wait::Threads,
        found: impl Future<Output = T> + Send,
    ) -> T {
        let found = done(threads, async { Ok::<_, std::io::Error>(found.await) });
        found.expect("no other task sends a message")
    }
}

macro_rules! implement_echo {
    ($calls:ident, $self:ident, $back:ident, $change:ident, $seen:ident: $message:ident to $writer:expr) => {{
        $change.inspect(|change| change($message.payload_mut()));
        again(|| match $back {
            Back::Fed => $calls::done($self.threads, $writer.feed(&$message)),
            Back::Written => $calls::done($self.threads, $writer.write(&$message)),
        })?;
        $seen.extend_from_slice($message.payload());
        Ok(Some($message.opcode()))
    }};
}

macro_rules! implement_both_ways {
    ($calls:ident: $whole:ident [$($bytes:tt)+], $halves:ident) => {
        impl InOneCall for $whole {
            fn echo_message(
                &mut self,
                back: Back,
                change: Option<Change>,
                seen: &mut Vec<u8>,
            ) -> Result<Option<Opcode>, Error> {
                let socket = self.$($bytes)+.get_mut();
                let both = $calls::done(self.threads, socket.next_message_and_writer())?;
                let Some((mut message, writer)) = both else {
                    return Ok(None);
                };
                implement_echo!($calls, self, back, change, seen: message to writer)
            }

            fn shutdown_whole(&mut self, deadline: Duration) -> Option<Result<Shutdown, Error>> {
                let shutdown = self.$($bytes)+.get_mut().shutdown(deadline);
                Some($calls::done(self.threads, shutdown))
            }

            fn bytes(&mut self) -> Option<&mut dyn ByteStream> {
                Some(&mut self.bytes)
            }
        }

        impl InOneCall for $halves {
            fn echo_message(
                &mut self,
                back: Back,
                change: Option<Change>,
                seen: &mut Vec<u8>,
            ) -> Result<Option<Opcode>, Error> {
                let next = $calls::done(self.threads, self.reading.next_message())?;
                let Some(mut message) = next else {
                    return Ok(None);
                };
                implement_echo!($calls, self, back, change, seen: message to self.writing)
            }
        }

        impl $whole {
            fn other_way(self) -> $halves {
                let threads = self.threads;
                let socket = self.$($bytes)+.into_inner();
                let (reading, writing) = $calls::halves(socket.split());
                $halves { threads, reading, writing }
            }

            fn whole(self) -> Self {
                self
            }

            fn leftover(self) -> Vec<u8> {
                self.$($bytes)+.into_inner().into_inner().1
            }
        }

        impl $halves {
            fn other_way(self) -> $whole {
                self.whole()
            }

            fn whole(self) -> $whole {
                let threads = self.threads;
                let socket = self.reading.reunite(self.writing).ok();
                let socket = socket.expect("they are of one connection");
                let bytes = $calls::through(threads, socket.into_byte_stream());
                $whole { threads, bytes }
            }
        }
    };
}

implement_both_ways!(now: Blocking [bytes], BlockingHalves);
implement_both_ways!(later: Tokio [bytes.1], TokioHalves);

impl ByteStream for blocking::ByteStream<ScriptedPeer> {
    // The blocking front end has no such call.
    fn shut_down(&mut self) -> io::Result<()> {
        let socket = self.get_mut();
        if socket.closed().is_none() {
            socket.close(CloseCode::NORMAL, "")?;
        }
        Ok(socket.flush()?)
    }

    fn into_messages(self: Box<Self>) -> Box<dyn Connection> {
        let (threads, bytes) = (OnlyThis, *self);
        Box::new(Blocking { threads, bytes })
    }
}

impl ByteStream for Waiting<tokio::ByteStream<ScriptedPeer>> {
    fn shut_down(&mut self) -> io::Result<()> {
        let Self(threads, bytes) = self;
        let shutdown = poll_fn(|cx| Pin::new(&mut *bytes).poll_shutdown(cx));
        wait_on(*threads, shutdown)
    }

    fn into_messages(self: Box<Self>) -> Box<dyn Connection> {
        let (threads, bytes) = (self.0, *self);
        Box::new(Tokio { threads, bytes })
    }
}

macro_rules! implement_connection {
    ($kind:ident: $($calls:ident)::+, [$($reading:tt)+], [$($writing:tt)+]) => {
        impl Messaging for $kind {
            fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
                $($calls)::+::done(self.threads, self.$($reading)+.next_message())
            }

            fn append_message<'b>(
                &mut self,
                buf: &'b mut Vec<u8>,
            ) -> Result<Option<Message<'b>>, Error> {
                $($calls)::+::done(self.threads, self.$($reading)+.append_message(buf))
            }

            fn on_ping(&mut self, handler: OnPing) {
                self.$($reading)+.on_ping(handler);
            }

            fn on_pong(&mut self, handler: OnPong) {
                self.$($reading)+.on_pong(handler);
            }

            fn on_close(&mut self, handler: OnClose) {
                self.$($reading)+.on_close(handler);
            }

            fn write_any(&mut self, message: Outgoing<'_>) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.write(message))
            }

            fn feed_any(&mut self, message: Outgoing<'_>) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.feed(message))
            }

            fn flush(&mut self) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.flush())
            }

            fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.ping(payload))
            }

            fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.pong(payload))
            }

            fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.close(code, reason))
            }

            fn has_pending_output(&mut self) -> bool {
                self.$($writing)+.has_pending_output()
            }

            fn buffered(&mut self) -> usize {
                self.$($writing)+.buffered()
            }

            fn closed(&mut self) -> Option<Closed> {
                self.$($writing)+.closed()
            }

            fn with_stream(&mut self) -> Option<&mut dyn Connection> {
                Some(self)
            }
        }

        impl Connection for $kind {
            fn message_reader(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
                let reader = $($calls)::+::done(self.threads, self.$($reading)+.message_reader())?;
                Ok(reader.map(|reader| MessageReader {
                    opcode: reader.opcode(),
                    rsv: reader.rsv(),
                    reader: Reading::$kind($($calls)::+::through(self.threads, reader)),
                }))
            }

            fn resume_message_reader(&mut self) -> Option<MessageReader<'_>> {
                let reader = self.$($reading)+.resume_message_reader()?;
                Some(MessageReader {
                    opcode: reader.opcode(),
                    rsv: reader.rsv(),
                    reader: Reading::$kind($($calls)::+::through(self.threads, reader)),
                })
            }

            fn read_header(&mut self) -> Result<Option<Header>, Error> {
                $($calls)::+::done(self.threads, self.$($reading)+.read_header())
            }

            fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<Frame<'b>>, Error> {
                let frame = $($calls)::+::done(self.threads, self.$($reading)+.read_frame(buf))?;
                Ok(frame.map(|frame| Frame {
                    header: *frame.header(),
                    payload: frame.into_payload(),
                }))
            }

            fn try_feed_any<'p>(
                &mut self,
                message: Outgoing<'p>,
            ) -> Result<(), TryFeedError<Outgoing<'p>>> {
                self.$($writing)+.try_feed(message)
            }

            fn write_frame(
                &mut self,
                fin: bool,
                rsv: Rsv,
                opcode: Opcode,
                payload: &[u8],
            ) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.write_frame(fin, rsv, opcode, payload))
            }

            fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
                $($calls)::+::done(self.threads, self.$($writing)+.write_prepared(message))
            }

            fn stream_any(
                &mut self,
                kind: MessageKind,
                chunk_size: usize,
                reader: &mut (dyn Read + Send),
            ) -> Result<u64, Error> {
                let reader = $($calls)::+::from(reader);
                $($calls)::+::done(self.threads, self.$($writing)+.stream_message(kind, chunk_size, reader))
            }

            fn any_message_writer(&mut self, kind: MessageKind) -> Result<MessageWriter<'_>, Error> {
                let writer = $($calls)::+::done(self.threads, self.$($writing)+.message_writer(kind))?;
                Ok(MessageWriter(Writing::$kind($($calls)::+::through(self.threads, writer))))
            }

            fn resume_message_writer(&mut self) -> Option<MessageWriter<'_>> {
                let writer = $($calls)::+::resumed(self.threads, self.$($writing)+.resume_message_writer())?;
                Some(MessageWriter(Writing::$kind($($calls)::+::through(self.threads, writer))))
            }

            fn set_compression(&mut self, enabled: bool) {
                self.$($writing)+.set_compression(enabled);
            }

            fn shutdown(self: Box<Self>, deadline: Duration) -> Result<Shutdown, Error> {
                self.whole().shutdown_whole(deadline).expect("it is whole")
            }

            fn into_leftover(self: Box<Self>) -> Vec<u8> {
                self.whole().leftover()
            }

            fn into_byte_stream(self: Box<Self>) -> Box<dyn ByteStream> {
                Box::new(self.whole().bytes)
            }

            fn split_or_reunite(self: Box<Self>) -> Box<dyn Connection> {
                Box::new(self.other_way())
            }
        }
    };
}

implement_connection!(Blocking: now, [bytes.get_mut()], [bytes.get_mut()]);
implement_connection!(BlockingHalves: now, [reading], [writing]);
implement_connection!(Tokio: later, [bytes.1.get_mut()], [bytes.1.get_mut()]);
implement_connection!(TokioHalves: later, [reading], [writing]);
