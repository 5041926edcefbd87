//! A connection's socket, with TLS or without.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use framewire::rustls::{self, ServerConfig, ServerConnection, StreamOwned};
use mio::net::TcpStream;

use crate::serve::server::reset_on_close;

/// A stream that never blocks.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    /// The first reads do the handshake.
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn new(
        socket: TcpStream,
        tls: Option<&Arc<ServerConfig>>,
    ) -> Result<Self, rustls::Error> {
        Ok(match tls {
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config))?;
                Self::Tls(Box::new(StreamOwned::new(session, socket)))
            }
            None => Self::Plain(socket),
        })
    }

    /// Small messages leave at once.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_nodelay(true),
            Self::Tls(tls) => tls.sock.set_nodelay(true),
        }
    }

    /// Makes the socket reset the connection when it is closed.
    pub(super) fn reset_on_close(&self) {
        match self {
            Self::Plain(socket) => reset_on_close(socket),
            Self::Tls(tls) => reset_on_close(&tls.sock),
        }
    }

    /// Returns whether the TLS handshake is still under way.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.conn.is_handshaking(),
        }
    }

    /// Returns whether a read that did not fill its buffer has emptied the socket, so that an event reports
    /// what comes later. With TLS it has not: TLS holds what it has decrypted.
    pub(super) fn tells_by_short_reads(&self) -> bool {
        // Elsewhere an event comes only after a read that would block.
        cfg!(unix) && matches!(self, Self::Plain(_))
    }

    /// Ends the writing side.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Write),
            Self::Tls(tls) => {
                // A peer whose handshake failed was told so by an alert.
                if !tls.conn.is_handshaking() {
                    tls.conn.send_close_notify();
                    // If the peer takes nothing, it does not get the notice.
                    let _ = tls.flush();
                }
                tls.sock.shutdown(Shutdown::Write)
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_vectored(bufs),
            // The stream that owns both would write the first piece alone.
            Self::Tls(tls) => {
                rustls::Stream::new(&mut tls.conn, &mut tls.sock).write_vectored(bufs)
            }
        }
    }

    /// Fails with `WouldBlock` while the socket has not taken all that was written.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            // The flush of the stream that owns both would wait for the peer while the handshake is under way.
            Self::Tls(tls) => {
                while tls.conn.wants_write() {
                    if tls.conn.write_tls(&mut tls.sock)? == 0 {
                        return Err(ErrorKind::WriteZero.into());
                    }
                }
                Ok(())
            }
        }
    }
}

/// Reads once. Returns how many bytes were read, or `None` if the read would block. 0 is the end.
pub(super) fn read(stream: &mut impl Read, buf: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(buf) {
            Ok(len) => return Ok(Some(len)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Flushes the stream. Returns whether it has passed on all that was written.
pub(super) fn flush(stream: &mut impl Write) -> io::Result<bool> {
    write(stream, &[], &mut 0)
}

/// Writes the rest of `bytes` as far as the stream takes it. Returns whether all of it was taken.
pub(super) fn write(
    stream: &mut impl Write,
    bytes: &[u8],
    written: &mut usize,
) -> io::Result<bool> {
    loop {
        let result = if *written < bytes.len() {
            stream.write(&bytes[*written..])
        } else {
            match stream.flush() {
                Ok(()) => return Ok(true),
                Err(error) => Err(error),
            }
        };
        match result {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => *written += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
