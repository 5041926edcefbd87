//! A TLS connection whose two directions can be used by two threads.

use super::error::unusable;
use super::handshake::{handshake, over_bound, take_sealed};
use crate::error::would_block;
use crate::lock::{lock, try_lock};
use crate::upgrade::deadline::Deadline;
use crate::upgrade::{Error, ErrorKind};
use crate::{Duplicate, Socket, Timeouts};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// TLS over a stream, at either end.
///
/// A [duplicate](Duplicate::duplicate) is a second handle to the same session, so that
/// [`WebSocket::split`](crate::WebSocket::split) and all that builds on it work: one thread reads
/// while another writes, and neither waits for the other's socket call. Of several that read, or
/// several that write, one at a time does.
///
/// # Time-outs
///
/// A read or write that fails with `WouldBlock` or `TimedOut` has lost nothing, in the middle of a
/// record too: the same call goes on. A write that was `Ok` has taken those bytes; records that the
/// socket did not take are kept, at most 64 KiB of payload, and go first with the next write or
/// [`flush`](Write::flush). So whoever writes to a socket with a time-out has to flush. A time-out
/// that is set here bounds the whole call, however many pieces the peer cuts a record into, but for
/// waiting until another thread's call is over; one that was set on the stream beneath bounds each of
/// its reads and writes.
///
/// A read may have an alert or another answer to send. Where another thread is writing, that one
/// sends it; else the read does, for 10 ms at most on top of its own time-out, and what the socket
/// has not taken by then goes first with the next write or flush. The write time-out of the
/// stream beneath is changed for that, and then what was set here.
///
/// # The end
///
/// [`Duplicate::shutdown`] with [`Shutdown::Write`] sends `close_notify` first: it blocks as a flush
/// does. With [`Shutdown::Both`] it ends the connection at once, under whoever reads or writes, and
/// the peer sees a cut; so does a handle that is just dropped. A stream that ended without
/// `close_notify` fails to read with [`io::ErrorKind::UnexpectedEof`], after all that came before;
/// many peers end so. For WebSocket it makes no difference: the Close frame says whether the
/// connection was closed or cut (RFC 6455 7.1.1).
///
/// # What it costs
///
/// Memory: 16 KiB of ciphertext once it was read from, what rustls keeps for a record of at most
/// 16 KiB each way, and what waits to be sent. A write is one or more records and, where the socket
/// takes them, one call of the socket; vectored writes are sealed together. rustls allocates for each
/// record.
pub struct TlsStream<S = TcpStream> {
    /// This handle's own.
    socket: S,
    shared: Arc<Shared>,
}

/// What all handles have in common. The session is locked last, and for work in memory alone.
struct Shared {
    /// Locked for as long as a thread reads from the socket.
    incoming: Mutex<Incoming>,
    /// Locked for as long as a thread writes to the socket. A thread that reads only ever tries to.
    outgoing: Mutex<Outgoing>,
    session: Mutex<Connection>,
    /// Locked while they are set on the socket, so that both always agree.
    timeouts: Mutex<Timeouts>,
}

impl<S: Socket> TlsStream<S> {
    /// Does a client's handshake over a stream that is connected to `host`, a name or an address
    /// without brackets, which the certificate has to be for.
    ///
    /// Blocks for `time` at most. Sets the stream's time-outs and puts back what they were at the end;
    /// with [`Duration::MAX`] it leaves them alone. A non-blocking stream cannot be used.
    ///
    /// Fails with [`ErrorKind::Tls`], where [`Error::cause`] is the
    /// [`rustls::Error`] or the [`io::Error`], with [`ErrorKind::TimedOut`], and with
    /// [`ErrorKind::InvalidArgument`] where `host` is neither a name nor an address.
    pub fn connect(
        socket: S,
        host: &str,
        config: Arc<ClientConfig>,
        time: Duration,
    ) -> Result<Self, Error> {
        let (deadline, before) = (Deadline::after(time), Timeouts::of(&socket));
        let stream = Self::connect_by(socket, host, config, deadline)?;
        deadline.restore(before, &stream)?;
        Ok(stream)
    }

    /// Does a server's handshake. Blocks, and fails, as [`connect`](Self::connect) does.
    pub fn accept(socket: S, config: Arc<ServerConfig>, time: Duration) -> Result<Self, Error> {
        let (deadline, before) = (Deadline::after(time), Timeouts::of(&socket));
        let session = ServerConnection::new(config).map_err(unusable)?;
        let stream = Self::established(socket, session.into(), "client", deadline)?;
        deadline.restore(before, &stream)?;
        Ok(stream)
    }

    /// As [`connect`](Self::connect); the time-outs that the deadline needs are left set.
    pub(in crate::upgrade) fn connect_by(
        socket: S,
        host: &str,
        config: Arc<ClientConfig>,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let session = ClientConnection::new(config, server_name(host)?).map_err(unusable)?;
        Self::established(socket, session.into(), host, deadline)
    }

    fn established(
        mut socket: S,
        mut session: Connection,
        peer: &str,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        handshake(&mut socket, &mut session, peer, deadline)?;
        let shared = Shared {
            incoming: Mutex::default(),
            outgoing: Mutex::default(),
            session: Mutex::new(session),
            timeouts: Mutex::new(Timeouts::of(&socket)),
        };
        Ok(Self {
            socket,
            shared: Arc::new(shared),
        })
    }
}

/// A host, as TLS has it.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|error| {
        let message = format!("{host:?} is no name that a certificate could be for");
        Error::new(ErrorKind::InvalidArgument, message).with_cause(error)
    })
}

impl<S> TlsStream<S> {
    /// The stream beneath. Reading from it or writing to it breaks the connection, and so do
    /// time-outs that are set on it and not here.
    pub fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Looks at the session: the certificates of the peer, the version, the protocol of ALPN.
    ///
    /// All handles wait meanwhile.
    pub fn inspect<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&lock(&self.shared.session))
    }
}

impl<S: Socket> Read for TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let shared = &*self.shared;
        let mut incoming = lock(&shared.incoming);
        let mut allowance = Allowance::new(lock(&shared.timeouts).read);
        let mut narrowed = false;
        let result = loop {
            let opened = shared.open(&mut incoming, buf);
            // An answer or an alert: a close, say. A new key waits for the next record sent.
            shared.send_queued(&mut self.socket, &mut Allowance::of_an_answer());
            if !opened.as_ref().is_err_and(is_starved) {
                break opened;
            }
            match allowance.next() {
                Ok(None) => {}
                Ok(left) => {
                    narrowed = true;
                    if let Err(error) = self.socket.set_read_timeout(left) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
            if let Err(error) = incoming.fill(&mut self.socket) {
                break Err(error);
            }
        };
        if narrowed {
            let timeouts = lock(&shared.timeouts);
            self.socket.set_read_timeout(timeouts.read)?;
        }
        result
    }
}

impl<S: Socket> Write for TlsStream<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        let shared = &*self.shared;
        let mut outgoing = lock(&shared.outgoing);
        let mut allowance = shared.write_allowance();
        let result = shared.write(&mut self.socket, &mut outgoing, bufs, &mut allowance);
        drop(outgoing);
        shared.send_queued(&mut self.socket, &mut allowance);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared
            .flush(&mut self.socket, lock(&self.shared.outgoing))?;
        self.socket.flush()
    }
}

impl<S: Socket> Socket for TlsStream<S> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut timeouts = lock(&self.shared.timeouts);
        self.socket.set_read_timeout(timeout)?;
        timeouts.read = timeout;
        Ok(())
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut timeouts = lock(&self.shared.timeouts);
        self.socket.set_write_timeout(timeout)?;
        timeouts.write = timeout;
        Ok(())
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(lock(&self.shared.timeouts).read)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(lock(&self.shared.timeouts).write)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }
}

impl<S: Duplicate> Duplicate for TlsStream<S> {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.duplicate()?,
            shared: Arc::clone(&self.shared),
        })
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Write {
            let mut outgoing = lock(&self.shared.outgoing);
            outgoing.close(&mut lock(&self.shared.session));
            self.shared.flush(&mut self.socket.duplicate()?, outgoing)?;
        }
        self.socket.shutdown(how)
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Opens what was read, as far as it goes into `buf`. Starved where there is nothing to open.
    fn open(&self, incoming: &mut Incoming, buf: &mut [u8]) -> io::Result<usize> {
        let mut session = lock(&self.session);
        let mut opened = 0;
        loop {
            let result = session.reader().read(&mut buf[opened..]);
            let error = match result {
                // The buffer is full, or the peer has closed.
                Ok(0) => return Ok(opened),
                Ok(count) => {
                    opened += count;
                    continue;
                }
                Err(error) if is_starved(&error) => match incoming.feed(&mut session) {
                    Ok(true) => continue,
                    Ok(false) => error,
                    Err(error) => {
                        // Records before the one that broke were opened with it.
                        if let Ok(count) = session.reader().read(&mut buf[opened..]) {
                            opened += count;
                        }
                        error
                    }
                },
                Err(error) => error,
            };
            // What fails fails again with the next call.
            return if opened > 0 { Ok(opened) } else { Err(error) };
        }
    }

    /// Sends what waits, then seals and sends what there is room for, and says how much that was.
    fn write<S: Socket>(
        &self,
        socket: &mut S,
        outgoing: &mut Outgoing,
        bufs: &[IoSlice<'_>],
        allowance: &mut Allowance,
    ) -> io::Result<usize> {
        self.send(socket, outgoing, allowance)?;
        let taken = outgoing.seal(&mut lock(&self.session), bufs)?;
        match self.send(socket, outgoing, allowance) {
            // Taken is taken: the records go first with the next call.
            Err(error) if would_block(&error) => Ok(taken),
            result => result.map(|()| taken),
        }
    }

    /// Sends all that waits.
    fn flush<S: Socket>(
        &self,
        socket: &mut S,
        mut outgoing: MutexGuard<'_, Outgoing>,
    ) -> io::Result<()> {
        let mut allowance = self.write_allowance();
        take_sealed(&mut lock(&self.session), &mut outgoing.sealed);
        let result = self.send(socket, &mut outgoing, &mut allowance);
        drop(outgoing);
        self.send_queued(socket, &mut allowance);
        result
    }

    /// Sends what the session wants to say for itself, unless another thread is writing and will.
    ///
    /// To call without either lock, after what made the session say it. One of the two then sees
    /// it: this thread, or the one that was writing. What fails here fails again with the next write.
    fn send_queued<S: Socket>(&self, socket: &mut S, allowance: &mut Allowance) {
        while lock(&self.session).wants_write() {
            let Some(mut outgoing) = try_lock(&self.outgoing) else {
                return;
            };
            take_sealed(&mut lock(&self.session), &mut outgoing.sealed);
            if self.send(socket, &mut outgoing, allowance).is_err() {
                return;
            }
        }
    }

    /// Sends what was sealed. The time-out of the socket is what it was when this returns.
    fn send<S: Socket>(
        &self,
        socket: &mut S,
        outgoing: &mut Outgoing,
        allowance: &mut Allowance,
    ) -> io::Result<()> {
        let mut narrowed = false;
        let result = outgoing.send(socket, |socket| {
            if let Some(left) = allowance.next()? {
                narrowed = true;
                socket.set_write_timeout(Some(left))?;
            }
            Ok(())
        });
        if narrowed {
            let timeouts = lock(&self.timeouts);
            socket.set_write_timeout(timeouts.write)?;
        }
        result
    }

    fn write_allowance(&self) -> Allowance {
        Allowance::new(lock(&self.timeouts).write)
    }
}

/// Bytes from the socket that were not opened yet.
#[derive(Default)]
struct Incoming {
    buffer: Vec<u8>,
    unopened: Range<usize>,
    end: End,
    failed: Option<rustls::Error>,
}

/// The end of the stream beneath.
#[derive(Default, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    Seen,
    /// The session knows.
    Told,
}

impl Incoming {
    /// Reads once from the socket. To call when all was opened.
    fn fill<S: Read>(&mut self, socket: &mut S) -> io::Result<()> {
        self.buffer.resize(READ_SIZE, 0);
        let count = socket.read(&mut self.buffer)?;
        self.unopened = 0..count;
        if count == 0 && self.end == End::NotYet {
            self.end = End::Seen;
        }
        Ok(())
    }

    /// Feeds the session a piece of what was read; false where there is nothing to feed.
    fn feed(&mut self, session: &mut Connection) -> io::Result<bool> {
        if let Some(error) = &self.failed {
            return Err(broken_record(error.clone()));
        }
        if self.unopened.is_empty() && self.end != End::Seen {
            return Ok(false);
        }
        if self.unopened.is_empty() {
            self.end = End::Told;
        }
        let mut unopened = &self.buffer[self.unopened.clone()];
        let fed = session.read_tls(&mut unopened);
        self.unopened.start = self.unopened.end - unopened.len();
        let result = match fed {
            Ok(_) => session.process_new_packets(),
            Err(error) => Err(over_bound(&error)),
        };
        result.map(|_| true).map_err(|error| {
            self.failed = Some(error.clone());
            broken_record(error)
        })
    }
}

/// Records on their way to the socket, in the order in which they were sealed.
#[derive(Default)]
struct Outgoing {
    sealed: Vec<u8>,
    written: usize,
    closed: bool,
}

impl Outgoing {
    /// Seals what there is room for, and says how much that was. To call when nothing waits.
    fn seal(&mut self, session: &mut Connection, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Its answers first, so that its own bound leaves room for the payload.
        take_sealed(session, &mut self.sealed);
        let taken = session.writer().write_vectored(bufs)?;
        take_sealed(session, &mut self.sealed);
        Ok(taken)
    }

    /// Seals a `close_notify`, once. A session that has failed has sent an alert instead.
    fn close(&mut self, session: &mut Connection) {
        if !self.closed {
            session.send_close_notify();
            self.closed = true;
        }
    }

    /// Writes what waits; `before_each` is called before each write of the socket.
    fn send<S: Write>(
        &mut self,
        socket: &mut S,
        mut before_each: impl FnMut(&mut S) -> io::Result<()>,
    ) -> io::Result<()> {
        while self.written < self.sealed.len() {
            before_each(socket)?;
            match socket.write(&self.sealed[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.sealed.clear();
        // A connection at rest keeps room for small messages alone.
        self.sealed.shrink_to(KEPT);
        Ok(())
    }
}

/// What a call that uses the socket several times has left of its time-out.
struct Allowance {
    timeout: Option<(Duration, Instant)>,
    used: bool,
}

impl Allowance {
    fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout: timeout.map(|timeout| (timeout, Instant::now())),
            used: false,
        }
    }

    /// For what a reader sends, whatever the time-out of writes.
    fn of_an_answer() -> Self {
        Self {
            used: true,
            ..Self::new(Some(ANSWER_TIME))
        }
    }

    /// Before a call of the socket: `None` where its own time-out is right, as it is for the first.
    fn next(&mut self) -> io::Result<Option<Duration>> {
        let first = !std::mem::replace(&mut self.used, true);
        let Some((timeout, started)) = self.timeout.filter(|_| !first) else {
            return Ok(None);
        };
        match timeout.checked_sub(started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

fn broken_record(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// How rustls says that it needs more bytes.
fn is_starved(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// How much is read from the socket at once: about one full record.
const READ_SIZE: usize = 16 << 10;
/// How long a reader may wait to send an answer.
const ANSWER_TIME: Duration = Duration::from_millis(10);
/// How much room for sealed records stays when all were sent.
const KEPT: usize = 4 << 10;
