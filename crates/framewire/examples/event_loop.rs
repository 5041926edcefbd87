//! An event loop: one thread, any number of connections, one read buffer for all of them.
//!
//! A connection at rest owns no buffer. The standard library has no call that waits for many
//! sockets, so that this asks each in turn; a real loop waits in `epoll` or `kqueue` instead.
//!
//! `cargo run --example event_loop -- 127.0.0.1:9001`

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread, time::Duration};

use framewire::handshake::Acceptor;
use framewire::protocol::{Event, Limits, MessageBuffer, Session};
use framewire::upgrade::Rewind;

struct Connection {
    stream: Rewind<TcpStream>,
    session: Session,
    message: MessageBuffer,
    output: Vec<u8>,
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    run(&TcpListener::bind(address)?)
}

pub(crate) fn run(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    let mut input = vec![0; 64 << 10];
    loop {
        if let Ok((stream, _)) = listener.accept() {
            connections.extend(accept(stream));
        }
        connections.retain_mut(|connection| connection.turn(&mut input).is_ok());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Blocks for the handshake, for the sake of brevity: `upgrade::RequestDecoder` does not.
fn accept(stream: TcpStream) -> Option<Connection> {
    stream.set_nonblocking(false).ok()?;
    let stream = Acceptor::new().accept(stream).ok()?.into_rewind();
    stream.get_ref().set_nonblocking(true).ok()?;
    Some(Connection {
        stream,
        session: Session::server(Limits::default()),
        message: MessageBuffer::new(),
        output: Vec::new(),
    })
}

impl Connection {
    /// Reads and writes what can be; an error ends the connection.
    fn turn(&mut self, input: &mut [u8]) -> io::Result<()> {
        self.send()?;
        // A peer that does not read is not read from, so that what waits for it is bounded.
        while self.output.is_empty() {
            match self.stream.read(input) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.echo(&mut input[..len]).map_err(io::Error::other)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // At rest, unless a message is under way: the memory is given back.
                    self.message.release();
                    self.output = Vec::new();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            self.send()?;
        }
        Ok(())
    }

    fn echo(&mut self, mut input: &mut [u8]) -> Result<(), framewire::protocol::SendError> {
        while !input.is_empty() {
            // After a violation nothing counts, and the Close frame that answers it is pending.
            let received = self.session.receive(input, &mut self.message);
            let (used, event) = received.unwrap_or_default();
            if let Some(Event::Message(message)) = event {
                let (opcode, payload) = (message.opcode(), message.payload());
                self.session.send(opcode, payload, &mut self.output)?;
            }
            self.session.write_reply(&mut self.output)?;
            input = &mut input[used..];
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        match self.stream.write(&self.output) {
            Ok(len) => drop(self.output.drain(..len)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // Close frames went both ways, and this end's is written: the server ends the stream.
        if self.output.is_empty() && self.session.is_closed() {
            return Err(ErrorKind::NotConnected.into());
        }
        Ok(())
    }
}
