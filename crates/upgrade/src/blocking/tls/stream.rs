//! A TLS connection whose two directions can be used by two threads.

use super::allowance::Allowance;
use super::handshake::handshake;
use super::lock::{Mutex, MutexGuard, lock, try_lock};
use super::records::{Incoming, Outgoing, take_sealed};
use crate::blocking::wire::BlockingWire;
use crate::error::UpgradeError;
use crate::exchange::{Deadline, Wire as _};
use crate::tls::{check_alpn, server_name, unusable};
use crate::{Duplicate, Socket, Timeouts};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// TLS over a stream, at either end.
///
/// A [duplicate](Duplicate::duplicate) is a second handle to the same session, so that one thread reads while another
/// writes. Neither waits for the other's socket call. Of several threads that read, or several that write, one does so
/// at a time.
///
/// A read or write that fails with `WouldBlock` or `TimedOut` has lost nothing, even in the middle of a record: the
/// same call goes on. A write that was `Ok` has taken those bytes. Records that the socket did not take are buffered,
/// at most 64 KiB of payload, and go first with the next write or [`flush`](Write::flush). A program that writes to a
/// socket with a time-out must therefore flush.
///
/// A time-out that is set here bounds the whole call, however many pieces the peer cuts a record into, except for
/// waiting until another thread's call is over. One that was set on the stream beneath bounds each of its reads and
/// writes.
///
/// A read may have an alert or another answer to send. Where another thread is writing, that thread sends it.
/// Otherwise the read does, for 10 ms at most on top of its own time-out, and what the socket has not taken by then
/// goes first with the next write or flush. For that the read changes the write time-out of the stream beneath, and
/// then sets it to what was set here.
///
/// [`Socket::shutdown_write`] sends `close_notify` first: it blocks as a flush does. [`Duplicate::abort`] ends the
/// connection at once, even while other threads read or write. The peer then sees a cut, as where a handle is just
/// dropped. A stream that ended without `close_notify` fails to read with
/// [`io::ErrorKind::UnexpectedEof`], after all that came before. Many peers end so. It makes no difference to a
/// protocol that says itself where it ends.
///
/// # Memory
///
/// 16 KiB of ciphertext once it was read from, what rustls holds for a record of at most 16 KiB each way, and what
/// waits to be sent. rustls allocates for each record. A write is one or more records and, where the socket takes
/// them, one call of the socket; vectored writes are sealed together.
pub struct TlsStream<S = TcpStream> {
    /// The socket of this handle.
    socket: S,
    shared: Arc<Shared>,
}

/// What all handles share. The session is locked last, and only for work in memory.
struct Shared {
    /// Locked while a thread reads from the socket.
    incoming: Mutex<Incoming>,
    /// Locked while a thread writes to the socket. A thread that reads only tries to lock it.
    outgoing: Mutex<Outgoing>,
    session: Mutex<Connection>,
    /// Locked while time-outs are set on the socket, so that both always agree.
    timeouts: Mutex<Timeouts>,
}

impl<S: Socket> TlsStream<S> {
    /// Does a client's handshake over a stream that is connected to `host`: the name, or the address without brackets,
    /// that the certificate must be for.
    ///
    /// Blocks for `time` at most. Sets the stream's time-outs and restores them at the end; with [`Duration::MAX`]
    /// they are left alone. A non-blocking stream cannot be used.
    ///
    /// # Errors
    /// [`Tls`](crate::UpgradeErrorKind::Tls), where [`UpgradeError::cause`] is the [`rustls::Error`] or the
    /// [`io::Error`]; [`TimedOut`](crate::UpgradeErrorKind::TimedOut); and
    /// [`InvalidArgument`](crate::UpgradeErrorKind::InvalidArgument) where `host` is neither a name nor an address.
    pub fn connect(
        socket: S,
        host: &str,
        config: Arc<ClientConfig>,
        time: Duration,
    ) -> Result<Self, UpgradeError> {
        let wire = BlockingWire::new(socket, Deadline::after(time));
        connect(wire, host, config)
    }

    /// Does a server's handshake. Blocks, and fails, as [`connect`](Self::connect) does.
    pub fn accept(
        socket: S,
        config: Arc<ServerConfig>,
        time: Duration,
    ) -> Result<Self, UpgradeError> {
        let session = ServerConnection::new(config).map_err(unusable)?;
        let wire = BlockingWire::new(socket, Deadline::after(time));
        established(wire, session.into(), "client")
    }
}

impl<S: Socket> TlsStream<S> {
    /// Creates the stream of a session that is past its handshake.
    pub(super) fn over(socket: S, session: Connection) -> Self {
        let shared = Shared {
            incoming: Mutex::default(),
            outgoing: Mutex::default(),
            session: Mutex::new(session),
            timeouts: Mutex::new(Timeouts::of(&socket)),
        };
        Self {
            socket,
            shared: Arc::new(shared),
        }
    }
}

impl<S> TlsStream<S> {
    /// Returns the stream beneath. Reading from it or writing to it breaks the connection, and so does setting
    /// time-outs on it instead of here.
    pub fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Calls `look` with the session: for the certificates of the peer, the version, the protocol of ALPN.
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
            // An answer or an alert, for example a close. A new key waits for the next record that is sent.
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

    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut outgoing = lock(&self.shared.outgoing);
        outgoing.close(&mut lock(&self.shared.session));
        self.shared.flush(&mut self.socket, outgoing)?;
        self.socket.shutdown_write()
    }
}

impl<S: Duplicate> Duplicate for TlsStream<S> {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.duplicate()?,
            shared: Arc::clone(&self.shared),
        })
    }

    fn abort(&self) -> io::Result<()> {
        self.socket.abort()
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Does a client's handshake by the wire's deadline.
fn connect<S: Socket>(
    wire: BlockingWire<S>,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<S>, UpgradeError> {
    let session = ClientConnection::new(config, server_name(host)?).map_err(unusable)?;
    established(wire, session.into(), host)
}

/// As [`connect`], where no protocol but HTTP/1.1 may be agreed on.
pub(in crate::blocking) fn connect_for_http<S: Socket>(
    wire: BlockingWire<S>,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<S>, UpgradeError> {
    let deadline = wire.deadline();
    let stream = connect(wire, host, config)?;
    let agreed = stream.inspect(|session| check_alpn(host, session.alpn_protocol()));
    match agreed {
        Ok(()) => Ok(stream),
        Err(error) => {
            BlockingWire::new(stream, deadline).end();
            Err(error)
        }
    }
}

/// Does the handshake. Returns the stream, with the time-outs that it had before.
fn established<S: Socket>(
    mut wire: BlockingWire<S>,
    mut session: Connection,
    peer: &str,
) -> Result<TlsStream<S>, UpgradeError> {
    handshake(&mut wire, &mut session, peer)?;
    wire.release()?;
    Ok(TlsStream::over(wire.into_stream(), session))
}

impl Shared {
    /// Opens what was read, as far as it fits into `buf`. Starved where there is nothing to open.
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
                // Starved, or at an end without `close_notify`, after which there is nothing to feed.
                Err(error) => match incoming.feed(&mut session) {
                    Ok(true) => continue,
                    Ok(false) => error,
                    Err(error) => {
                        // Records before the broken one were opened with it.
                        if let Ok(count) = session.reader().read(&mut buf[opened..]) {
                            opened += count;
                        }
                        error
                    }
                },
            };
            // A failure recurs at the next call.
            return if opened > 0 { Ok(opened) } else { Err(error) };
        }
    }

    /// Sends what waits, then seals and sends as much as there is room for. Returns how much that was.
    fn write<S: Socket>(
        &self,
        socket: &mut S,
        outgoing: &mut Outgoing,
        bufs: &[IoSlice<'_>],
        allowance: &mut Allowance,
    ) -> io::Result<usize> {
        self.send(socket, outgoing, allowance)?;
        let taken = outgoing.seal(&mut lock(&self.session), bufs);
        // Of a session that has failed, that is its alert.
        let sent = self.send(socket, outgoing, allowance);
        let taken = taken?;
        match sent {
            // The bytes were taken: their records go first with the next call.
            Err(error) if may_go_on(&error) => Ok(taken),
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

    /// Sends what the session itself has to say, unless another thread is writing and will.
    ///
    /// To be called without either lock, after what made the session say it. Either this thread or the one that was
    /// writing then sees it. A failure recurs at the next write.
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

    /// Sends what was sealed. Restores the time-out of the socket before it returns.
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

/// Returns whether rustls needs more bytes.
fn is_starved(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Returns whether the socket's time-out was over, or the socket does not block.
fn may_go_on(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
