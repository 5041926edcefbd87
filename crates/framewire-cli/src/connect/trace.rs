//! A stream that tells of every frame that goes over it, in both directions.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use framewire::frame::{Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Violation, mask};
use framewire::{Duplicate, Socket};

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// What a tracer learns of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A data frame, told once its header has passed.
    Data(Header),
    /// A control frame, told once its payload has passed, which is not masked any more.
    Control(Header, Vec<u8>),
    /// Bytes that are no frame. What follows them is not traced.
    Illegal(Violation),
}

/// What is called with each frame, as soon as it is known.
pub(crate) type Tracer = Arc<dyn Fn(Direction, Frame) + Send + Sync>;

/// Tells a [`Tracer`] of the frames of one connection. Clones share what has passed.
#[derive(Clone)]
pub(crate) struct Trace {
    tracer: Tracer,
    directions: Arc<[Mutex<Frames>; 2]>,
}

impl Trace {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            directions: Arc::default(),
        }
    }

    /// Takes the bytes that are about to be written, so that a frame is told before its answer.
    fn begin(&self, bufs: &[IoSlice<'_>]) {
        let frames = &self.directions[Direction::Out as usize];
        let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
        // They begin with those that the stream did not take the last time.
        let mut known = frames.ahead;
        for buf in bufs {
            let (_, new) = buf.split_at(known.min(buf.len()));
            known -= buf.len() - new.len();
            frames.ahead += new.len();
            frames.pass(new, |frame| (self.tracer)(Direction::Out, frame));
        }
    }

    /// Records that the stream took so many bytes.
    fn written(&self, len: usize) {
        let frames = &self.directions[Direction::Out as usize];
        frames.lock().unwrap_or_else(PoisonError::into_inner).ahead -= len;
    }

    /// Takes the next bytes of one direction.
    pub(crate) fn pass(&self, direction: Direction, bytes: &[u8]) {
        let frames = &self.directions[direction as usize];
        let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.pass(bytes, |frame| (self.tracer)(direction, frame));
    }
}

/// A stream whose bytes are frames, and their trace, if there is to be one.
pub(crate) struct Traced<S> {
    stream: S,
    trace: Option<Trace>,
}

impl<S> Traced<S> {
    pub(crate) fn new(stream: S, trace: Option<Trace>) -> Self {
        Self { stream, trace }
    }
}

impl<S: Read> Read for Traced<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buf)?;
        if let Some(trace) = &self.trace {
            trace.pass(Direction::In, &buf[..len]);
        }
        Ok(len)
    }
}

impl<S: Write> Write for Traced<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(trace) = &self.trace {
            trace.begin(bufs);
        }
        let len = self.stream.write_vectored(bufs)?;
        if let Some(trace) = &self.trace {
            trace.written(len);
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Socket> Socket for Traced<S> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.stream.read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.stream.write_timeout()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

impl<S: Duplicate> Duplicate for Traced<S> {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.duplicate()?,
            trace: self.trace.clone(),
        })
    }

    fn abort(&self) -> io::Result<()> {
        self.stream.abort()
    }
}

/// The frames of one direction.
#[derive(Default)]
struct Frames {
    /// The part of a header that has passed.
    header: Vec<u8>,
    /// The control frame whose payload passes, and what has passed of it.
    control: Option<(Header, Vec<u8>)>,
    /// How much of the payload has yet to pass.
    left: u64,
    is_illegal: bool,
    /// How many bytes have passed that the stream has yet to take.
    ahead: usize,
}

impl Frames {
    /// Takes bytes that pass, and tells of the frames that they make known.
    fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Frame)) {
        while !bytes.is_empty() && !self.is_illegal {
            if self.left > 0 {
                let len =
                    usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let (payload, rest) = bytes.split_at(len);
                if let Some((_, passed)) = &mut self.control {
                    passed.extend(payload);
                }
                self.left -= len as u64;
                bytes = rest;
            } else {
                let before = self.header.len();
                let more = bytes.len().min(MAX_HEADER - before);
                self.header.extend(&bytes[..more]);
                match Header::decode(&self.header) {
                    Ok(None) => bytes = &bytes[more..],
                    Ok(Some((header, len))) => {
                        bytes = &bytes[len - before..];
                        self.header.clear();
                        self.begin(header, &mut tell);
                    }
                    Err(violation) => {
                        self.is_illegal = true;
                        tell(Frame::Illegal(violation));
                    }
                }
            }
            self.end(&mut tell);
        }
    }

    fn begin(&mut self, header: Header, tell: &mut impl FnMut(Frame)) {
        self.left = header.payload_len();
        if header.opcode().is_control() {
            self.control = Some((header, Vec::with_capacity(MAX_CONTROL_PAYLOAD)));
        } else {
            tell(Frame::Data(header));
        }
    }

    /// Tells of a control frame whose payload has passed.
    fn end(&mut self, tell: &mut impl FnMut(Frame)) {
        if self.left > 0 {
            return;
        }
        if let Some((header, mut payload)) = self.control.take() {
            if let Some(key) = header.mask() {
                mask::apply(&mut payload, key, 0);
            }
            tell(Frame::Control(header, payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use framewire::frame::{Opcode, Rsv};

    use super::*;

    fn header(rsv: Rsv, opcode: Opcode, mask: Option<[u8; 4]>, len: u64) -> Header {
        Header::new(true, rsv, opcode, mask, len).unwrap()
    }

    /// A stream that takes a byte at a time, and every other time none.
    #[derive(Default)]
    struct Slow(Vec<u8>, bool);

    impl Write for Slow {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.push(buf[0]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_told_once_and_before_the_stream_takes_it() {
        let told = Arc::new(Mutex::new(vec![]));
        let tracer: Tracer = {
            let told = Arc::clone(&told);
            Arc::new(move |direction, frame| told.lock().unwrap().push((direction, frame)))
        };
        let mut stream = Traced::new(Slow::default(), Some(Trace::new(tracer)));
        let bytes = [0x81, 1, b'a', 0x82, 2, 1, 2];
        let expected = [(Opcode::Text, 1), (Opcode::Binary, 2)].map(|(opcode, len)| {
            let frame = Frame::Data(header(Rsv::NONE, opcode, None, len));
            (Direction::Out, frame)
        });
        let mut at = 0;
        while at < bytes.len() {
            let (near, far) = bytes[at..].split_at(1);
            let bufs = [IoSlice::new(near), IoSlice::new(far)];
            at += stream.write_vectored(&bufs).unwrap_or(0);
            assert_eq!(*told.lock().unwrap(), expected);
        }
        assert_eq!(stream.stream.0, bytes);
    }

    /// Returns the frames of `bytes` that pass in pieces of `size`.
    fn frames(bytes: &[u8], size: usize) -> Vec<Frame> {
        let (mut frames, mut told) = (Frames::default(), vec![]);
        for piece in bytes.chunks(size) {
            frames.pass(piece, |frame| told.push(frame));
        }
        told
    }

    #[test]
    fn bytes_that_are_no_frame_end_the_trace() {
        let bytes = [0x82, 0x00, 0x83, 0x00, 0x82, 0x00];
        for size in 1..=bytes.len() {
            let expected = [
                Frame::Data(header(Rsv::NONE, Opcode::Binary, None, 0)),
                Frame::Illegal(Violation::ReservedOpcode(3)),
            ];
            assert_eq!(frames(&bytes, size), expected, "{size}");
        }
    }

    #[test]
    fn each_frame_is_told_once_however_it_is_cut() {
        let mut bytes = vec![0xC1, 3, b'a', b'b', b'c'];
        // RFC 6455 5.7: a masked "Hello", here a Pong.
        bytes.extend([
            0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
        ]);
        bytes.extend([0x89, 0, 0x82, 126, 1, 0]);
        bytes.extend([0; 256]);
        bytes.extend([0x88, 2, 3, 0xE8]);
        let key = Some([0x37, 0xFA, 0x21, 0x3D]);
        let expected = [
            Frame::Data(header(Rsv::RSV1, Opcode::Text, None, 3)),
            Frame::Control(header(Rsv::NONE, Opcode::Pong, key, 5), b"Hello".to_vec()),
            Frame::Control(header(Rsv::NONE, Opcode::Ping, None, 0), vec![]),
            Frame::Data(header(Rsv::NONE, Opcode::Binary, None, 256)),
            Frame::Control(header(Rsv::NONE, Opcode::Close, None, 2), vec![3, 0xE8]),
        ];
        for size in [1, 2, 3, 5, 7, 100, bytes.len()] {
            assert_eq!(frames(&bytes, size), expected, "{size}");
        }
    }
}
