//! Compression by another library: zlib in C, through the crate `flate2`.
//!
//! A server and a client talk over loopback, and the program prints how much compression saved.
//!
//! `cargo run -p framewire --example custom_engine --features deflate`

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, EngineError, Flush, Progress,
};
use framewire::handshake::{Acceptor, Connector};
use framewire::{Config, Untimed};

/// zlib in C. The memory level is always 8.
#[derive(Debug)]
pub(crate) struct Zlib;

impl Engine for Zlib {
    fn compressor(&self, level: u8, window_bits: u8, _memory_level: u8) -> Box<dyn Compressor> {
        let level = Compression::new(level.into());
        let zlib = Compress::new_with_window_bits(level, false, window_bits);
        Box::new(Compressing(zlib))
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        let zlib = Decompress::new_with_window_bits(false, window_bits);
        Box::new(Decompressing(zlib))
    }

    fn fits_window_of_8_bits(&self) -> bool {
        true
    }
}

struct Compressing(Compress);

impl Compressor for Compressing {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        let flush = match flush {
            Flush::None => FlushCompress::None,
            Flush::Sync => FlushCompress::Sync,
        };
        let (taken, put) = (self.0.total_in(), self.0.total_out());
        match self.0.compress(input, output, flush) {
            Ok(_) => Ok(Progress {
                consumed: (self.0.total_in() - taken) as usize,
                produced: (self.0.total_out() - put) as usize,
                ended: false,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

struct Decompressing(Decompress);

impl Decompressor for Decompressing {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        let (taken, put) = (self.0.total_in(), self.0.total_out());
        match self.0.decompress(input, output, FlushDecompress::Sync) {
            Ok(status) => Ok(Progress {
                consumed: (self.0.total_in() - taken) as usize,
                produced: (self.0.total_out() - put) as usize,
                ended: status == Status::StreamEnd,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        self.0.reset(false);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (said, sent) = run()?;
    println!("{said} bytes of messages went as {sent} bytes");
    Ok(())
}

/// Exchanges messages. Returns how many bytes the client sent, and how many of them were on the wire.
pub(crate) fn run() -> Result<(u64, u64), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || echo(&listener).map_err(|error| error.to_string()));

    let connector = Connector::new().deflate(deflate()?);
    let stream = Untimed(Counted {
        stream: TcpStream::connect(address)?,
        written: 0,
    });
    let uri = format!("ws://{address}/");
    let mut websocket =
        framewire::connect_stream_with(stream, &uri, &connector, Config::default())?;
    let handshake = websocket.stream().0.written;
    let mut said = 0;
    for price in 0..1000 {
        let quote = format!(r#"{{"symbol":"EURUSD","bid":1.{price:04},"ask":1.{price:03}9}}"#);
        websocket.write(&quote)?;
        let echo = websocket.next_message()?;
        if echo.is_none_or(|echo| echo.text() != Some(&quote)) {
            return Err("the echo is something else".into());
        }
        said += quote.len() as u64;
    }
    let sent = websocket.stream().0.written - handshake;
    // The server ends with its connection.
    drop(websocket);
    let _ = server.join();
    Ok((said, sent))
}

fn deflate() -> Result<Deflate, Box<dyn Error>> {
    Ok(Deflate::with_engine(DeflateConfig::default(), Zlib, 64)?)
}

fn echo(listener: &TcpListener) -> Result<(), Box<dyn Error>> {
    let (stream, _) = listener.accept()?;
    let acceptor = Acceptor::new().deflate(deflate()?);
    let mut websocket = framewire::accept_with(stream, &acceptor, Config::default())?;
    while let Some((message, writer)) = websocket.next_message_and_writer()? {
        writer.feed(message)?;
    }
    Ok(())
}

struct Counted {
    stream: TcpStream,
    written: u64,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.stream.write(buf)?;
        self.written += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
