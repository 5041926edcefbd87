//! An open connection: bytes in, echoes out.

use std::io::{Read, Write};
use std::mem;
use std::time::{Duration, Instant};

use framewire::protocol::{
    Agreement, CloseFrame, Event, Limits, MessageBuffer, SendError, Session,
};
use framewire::{Close, CloseCode, Closed, Error, ErrorKind, Side};

use super::connection::Turn;
use super::stream;
use crate::serve::GOODBYE;
use crate::serve::stall::Stall;
use crate::serve::traffic::Traffic;

/// An open connection that is in the middle of something.
///
/// Where it is not, it [is at rest](Self::is_at_rest), and as good for any other connection.
#[derive(Debug)]
pub(super) struct Echo {
    session: Session,
    /// The message that is under way, if one is.
    message: MessageBuffer,
    /// What the stream has not taken, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    /// What was read and has to wait until the stream takes more.
    unread: Vec<u8>,
    /// How long the peer may take nothing.
    write_timeout: Duration,
    /// Since when the peer has taken nothing; `None` while nothing waits.
    stalled: Option<Stall>,
    /// Whether this end has sent the first Close frame.
    has_closed: bool,
}

/// What every connection needs in its turn and none after it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    output: Vec<u8>,
    message: MessageBuffer,
}

impl Echo {
    pub(super) fn new(limits: Limits, write_timeout: Duration) -> Self {
        Self {
            session: Session::server(limits),
            message: MessageBuffer::new(),
            waiting: Vec::new(),
            written: 0,
            unread: Vec::new(),
            write_timeout,
            stalled: None,
            has_closed: false,
        }
    }

    pub(super) fn set_extension(&mut self, agreed: &dyn Agreement) {
        self.session.set_extension(agreed);
    }

    /// When what waits is to be tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.stalled?.next_try(self.write_timeout))
    }

    /// Whether the peer has taken nothing for too long.
    pub(super) fn is_given_up(&self) -> bool {
        let limit = self.write_timeout;
        self.stalled
            .is_some_and(|stall| stall.is_over(Instant::now(), limit))
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.session.is_at_rest() && self.stalled.is_none() && self.unread.is_empty()
    }

    /// What has not been written, to end the connection with.
    pub(super) fn into_waiting(mut self) -> Vec<u8> {
        self.waiting.drain(..self.written);
        self.waiting
    }

    /// Sends the answer to the handshake, and echoes what came with the request.
    pub(super) fn begin(
        &mut self,
        answer: &[u8],
        leftover: &mut [u8],
        stream: &mut impl Write,
        scratch: &mut Scratch,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        scratch.output.clear();
        scratch.output.extend_from_slice(answer);
        self.echo(leftover, stream, scratch, traffic)
    }

    /// Reads once, into `input`, and echoes what that gave. `is_drained` says of the length of a
    /// read whether an event will tell of what comes after it.
    ///
    /// # Errors
    /// The connection's end, which may be a clean one.
    pub(super) fn turn(
        &mut self,
        input: &mut [u8],
        stream: &mut (impl Read + Write),
        scratch: &mut Scratch,
        traffic: &mut Traffic,
        is_drained: impl FnOnce(usize) -> bool,
    ) -> Result<Turn, Error> {
        // A peer that does not read is not read from, so that what waits for it is bounded.
        if !self.send_waiting(stream)? {
            return Ok(Turn::Wait);
        }
        scratch.output.clear();
        if !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            self.echo(&mut unread, stream, scratch, traffic)?;
            return Ok(Turn::Again);
        }
        let len = match stream::read(stream, input)? {
            Some(0) => return Err(ErrorKind::ConnectionLost.into()),
            Some(len) => len,
            None => return Ok(Turn::Wait),
        };
        self.echo(&mut input[..len], stream, scratch, traffic)?;
        Ok(if is_drained(len) {
            Turn::Wait
        } else {
            Turn::Again
        })
    }

    /// Sends a Close frame with 1001.
    pub(super) fn close(
        &mut self,
        stream: &mut impl Write,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let output = &mut scratch.output;
        output.clear();
        let (code, reason) = (CloseCode::GOING_AWAY, GOODBYE);
        // One that has closed already needs no other.
        if self.session.close(code, reason, output).is_ok() {
            self.has_closed = true;
        }
        if self.stalled.is_some() {
            self.waiting.append(output);
            return Ok(());
        }
        self.send(stream, output).map(drop)
    }

    /// Echoes the messages in `input`, with one write unless they are many.
    fn echo(
        &mut self,
        input: &mut [u8],
        stream: &mut impl Write,
        scratch: &mut Scratch,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        let Scratch { output, message } = scratch;
        let was_under_way = !self.message.is_empty();
        if was_under_way {
            mem::swap(message, &mut self.message);
        }
        let echoed = self.echo_with(message, input, stream, output, traffic);
        // What was echoed before the end goes out before it.
        let echoed = echoed.and_then(|()| self.send(stream, output).map(drop));
        if !message.is_empty() {
            mem::swap(message, &mut self.message);
        } else if was_under_way {
            self.message.release();
        }
        if message.capacity() > KEPT {
            message.release();
        }
        if output.capacity() > KEPT {
            *output = Vec::new();
        }
        echoed
    }

    fn echo_with(
        &mut self,
        message: &mut MessageBuffer,
        input: &mut [u8],
        stream: &mut impl Write,
        output: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        let mut used = 0;
        while used < input.len() {
            if output.len() >= WRITTEN_AT_ONCE && !self.send(stream, output)? {
                self.unread.extend_from_slice(&input[used..]);
                return Ok(());
            }
            let end = match self.session.receive(&mut input[used..], message) {
                Ok((taken, event)) => {
                    used += taken;
                    match event {
                        Some(Event::Message(message)) => {
                            let (opcode, payload) = (message.opcode(), message.payload());
                            traffic.count(payload);
                            match self.session.send(opcode, payload, output) {
                                // Nothing follows the Close frame that ends the server.
                                Ok(()) | Err(SendError::Closed) => None,
                                Err(error) => return Err(error.into()),
                            }
                        }
                        Some(Event::Close(frame)) => Some(closed(&frame, self.has_closed)),
                        Some(Event::Ping(_) | Event::Pong(_)) | None => None,
                    }
                }
                Err(violation) => Some(ErrorKind::Violation(violation)),
            };
            self.session.write_reply(output)?;
            if let Some(end) = end {
                // Why it ends is known: that the last bytes cannot be sent adds nothing.
                let _ = self.send(stream, output);
                return Err(end.into());
            }
        }
        Ok(())
    }

    /// Writes `output`, and keeps what the stream does not take. Says whether it took all.
    fn send(&mut self, stream: &mut impl Write, output: &mut Vec<u8>) -> Result<bool, Error> {
        if self.stalled.is_some() {
            self.waiting.append(output);
            return Ok(false);
        }
        let mut written = 0;
        let sent = stream::write(stream, output, &mut written);
        if let Ok(false) = sent {
            self.waiting.extend_from_slice(&output[written..]);
            self.stalled = Some(Stall::begin(Instant::now()));
        }
        output.clear();
        Ok(sent?)
    }

    /// Writes what waits, and says whether nothing does any more.
    fn send_waiting(&mut self, stream: &mut impl Write) -> Result<bool, Error> {
        let Some(stall) = &mut self.stalled else {
            return Ok(true);
        };
        let before = self.written;
        if stream::write(stream, &self.waiting, &mut self.written)? {
            self.waiting = Vec::new();
            self.written = 0;
            self.stalled = None;
            return Ok(true);
        }
        let now = Instant::now();
        if self.written > before {
            *stall = Stall::begin(now);
        } else {
            stall.failed(now);
        }
        Ok(false)
    }
}

/// How much may be there to be written before more is echoed.
const WRITTEN_AT_ONCE: usize = 64 << 10;
/// How much memory the buffers keep that all connections share.
const KEPT: usize = 256 << 10;

/// How a connection ends that the peer closes, or that it closes too after the server has.
fn closed(frame: &CloseFrame<'_>, by_server: bool) -> ErrorKind {
    let code = frame.code.unwrap_or(CloseCode::NO_STATUS);
    let close = |code, reason: &str| Close {
        code,
        reason: reason.to_owned(),
    };
    let (by, local) = if by_server {
        (Side::Local, close(CloseCode::GOING_AWAY, GOODBYE))
    } else {
        (Side::Peer, close(code, ""))
    };
    ErrorKind::Closed(Closed {
        local: Some(local),
        peer: Some(close(code, frame.reason)),
        by,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use framewire::deflate::{Deflate, DeflateConfig, Parameters};
    use framewire::frame::os_key;
    use framewire::{Fault, Opcode};

    use super::*;

    /// A socket that gives what it was told to, piece by piece, and takes so many bytes.
    #[derive(Default)]
    struct Script {
        gives: VecDeque<Vec<u8>>,
        room: usize,
        taken: Vec<u8>,
        reads: usize,
        writes: usize,
    }

    impl Read for Script {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            let piece = self.gives.pop_front();
            let piece = piece.ok_or(io::ErrorKind::WouldBlock)?;
            buf[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let len = buf.len().min(self.room);
            if len == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= len;
            self.taken.extend_from_slice(&buf[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// One connection, and what the loop lends it.
    struct Setting {
        echo: Echo,
        script: Script,
        input: Vec<u8>,
        scratch: Scratch,
        traffic: Traffic,
    }

    impl Setting {
        /// With a socket that takes `room` bytes.
        fn new(room: usize) -> Self {
            Self {
                echo: Echo::new(Limits::default(), Duration::from_secs(30)),
                script: Script {
                    room,
                    ..Script::default()
                },
                input: vec![0; 64 << 10],
                scratch: Scratch::default(),
                traffic: Traffic::default(),
            }
        }

        /// Has a turn, as after an event, in which the peer has sent this.
        fn turn(&mut self, gives: &[u8]) -> Result<Turn, Error> {
            if !gives.is_empty() {
                self.script.gives.push_back(gives.to_vec());
            }
            let Self {
                echo,
                script,
                input,
                scratch,
                traffic,
            } = self;
            let room = input.len();
            echo.turn(input, script, scratch, traffic, |len| len < room)
        }

        fn buffers(&self) -> usize {
            let echo = &self.echo;
            echo.message.capacity() + echo.waiting.capacity() + echo.unread.capacity()
        }
    }

    /// A masked frame whose key is zero.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0xfe];
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        if payload.len() < 126 {
            frame.truncate(1);
            frame.push(0x80 | u8::try_from(payload.len()).unwrap());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn messages_that_come_together_are_one_read_and_one_write() {
        let mut setting = Setting::new(usize::MAX);
        let turn = setting.turn(&frame(0x82, b"hello").repeat(64));
        assert_eq!(turn.unwrap(), Turn::Wait);
        assert_eq!((setting.script.reads, setting.script.writes), (1, 1));
        assert_eq!(setting.script.taken, b"\x82\x05hello".repeat(64));
        assert!(setting.echo.is_at_rest());
    }

    #[test]
    fn an_echo_allocates_nothing() {
        let mut setting = Setting::new(usize::MAX);
        let message = frame(0x82, &[7; 1000]);
        let (head, tail) = message.split_at(500);
        let ping = frame(0x89, b"?");
        let round = |setting: &mut Setting| {
            setting.script.taken.clear();
            for piece in [&message[..], &ping, head, tail] {
                assert_eq!(setting.turn(piece).unwrap(), Turn::Wait);
            }
        };
        round(&mut setting);
        // The script allocates for what it gives: once for each piece.
        let counted = allocation_counter::measure(|| round(&mut setting));
        assert_eq!(counted.count_total, 4);
    }

    #[test]
    fn a_peer_that_takes_nothing_is_not_read_from_and_gets_everything_later() {
        let mut setting = Setting::new(10);
        let message = frame(0x82, &[7; 1000]);
        let echoed = [&b"\x82\x7e\x03\xe8"[..], &[7; 1000]].concat();
        assert_eq!(setting.turn(&message.repeat(60)).unwrap(), Turn::Wait);
        assert!(setting.echo.deadline().is_some());
        for _ in 0..3 {
            assert_eq!(setting.turn(&message).unwrap(), Turn::Wait);
        }
        assert_eq!(setting.script.reads, 1);
        assert!(!setting.echo.is_at_rest());
        setting.script.room = usize::MAX;
        while !setting.script.gives.is_empty() {
            setting.turn(&[]).unwrap();
        }
        assert!(setting.script.taken == echoed.repeat(63));
        assert!(setting.echo.is_at_rest());
        assert_eq!(setting.echo.deadline(), None);
        assert_eq!(setting.buffers(), 0);
    }

    #[test]
    fn some_progress_puts_the_deadline_off_and_none_does_not() {
        let mut setting = Setting::new(10);
        setting.turn(&frame(0x82, &[7; 1000])).unwrap();
        let limit = setting.echo.write_timeout;
        let begun = setting.echo.stalled.unwrap();
        let is_over = |setting: &Setting| {
            let end = begun.next_try(Duration::ZERO) + limit;
            setting.echo.stalled.unwrap().is_over(end, limit)
        };
        setting.turn(&[]).unwrap();
        assert!(is_over(&setting));
        setting.script.room = 10;
        setting.turn(&[]).unwrap();
        assert!(!is_over(&setting));
    }

    #[test]
    fn what_one_read_inflates_to_is_not_all_held() {
        const LARGE: usize = 1 << 20;
        // What is sent back is not compressed, as with a server whose contexts are all in use.
        let config = DeflateConfig {
            threshold: usize::MAX,
            ..DeflateConfig::default()
        };
        let agreed = Parameters {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        };
        let mut client = Session::client(Limits::default(), os_key);
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        client.set_extension(&deflate.negotiated(agreed));
        let mut bomb = Vec::new();
        for _ in 0..6 {
            client
                .send(Opcode::Binary, &vec![0; LARGE], &mut bomb)
                .unwrap();
        }
        assert!(bomb.len() < 64 << 10, "{}", bomb.len());

        let mut setting = Setting::new(10);
        let deflate = Deflate::new(config).unwrap();
        setting.echo.set_extension(&deflate.negotiated(agreed));
        setting.turn(&bomb).unwrap();
        let held = setting.buffers();
        assert!(held < 2 * LARGE, "{held} bytes are held");
        assert!(setting.scratch.message.capacity() <= KEPT);
        assert!(setting.scratch.output.capacity() <= KEPT);
        setting.script.room = usize::MAX;
        while setting.turn(&[]).unwrap() == Turn::Again {}
        assert!(setting.script.taken.len() > 6 * LARGE);
    }

    #[test]
    fn one_between_messages_holds_no_buffer_and_one_inside_holds_what_has_come() {
        let mut setting = Setting::new(usize::MAX);
        let message = frame(0x82, &vec![7; 60_000]);
        setting.turn(&message[..30_000]).unwrap();
        assert!(setting.buffers() < 61_000, "{}", setting.buffers());
        assert!(!setting.echo.is_at_rest());
        setting.turn(&message[30_000..]).unwrap();
        assert_eq!(setting.script.taken[4..], message[8..]);
        assert!(setting.echo.is_at_rest());
        assert_eq!(setting.buffers(), 0);
    }

    #[test]
    fn a_violation_is_answered_before_the_end() {
        let mut setting = Setting::new(usize::MAX);
        // RFC 6455 5.1: a client's frames are masked.
        let input = [&frame(0x82, b"good")[..], &[0x82, 0]].concat();
        let error = setting.turn(&input).unwrap_err();
        assert_eq!(error.fault(), Fault::Peer);
        let taken = &setting.script.taken;
        assert!(taken.starts_with(b"\x82\x04good\x88"), "{taken:?}");
        assert_eq!(taken[8..10], 1002_u16.to_be_bytes());
        assert_eq!(setting.script.writes, 1);
    }

    #[test]
    fn the_end_says_who_closed() {
        let close = frame(0x88, &1000_u16.to_be_bytes());
        let by = |setting: &mut Setting| {
            let error = setting.turn(&close).unwrap_err();
            error.closed().unwrap().by
        };
        let mut setting = Setting::new(usize::MAX);
        assert_eq!(by(&mut setting), Side::Peer);
        assert_eq!(setting.script.taken, b"\x88\x02\x03\xe8");

        let mut setting = Setting::new(usize::MAX);
        let Setting {
            echo,
            script,
            scratch,
            ..
        } = &mut setting;
        echo.close(script, scratch).unwrap();
        // What comes before the peer has seen it is not echoed, and not an end.
        let taken = setting.script.taken.clone();
        assert_eq!(setting.turn(&frame(0x82, b"late")).unwrap(), Turn::Wait);
        assert_eq!(by(&mut setting), Side::Local);
        assert_eq!(setting.script.taken, taken);
    }

    #[test]
    fn the_end_of_the_server_waits_behind_what_the_peer_has_not_taken() {
        let mut setting = Setting::new(10);
        setting.turn(&frame(0x82, b"0123456789")).unwrap();
        let Setting {
            echo,
            script,
            scratch,
            ..
        } = &mut setting;
        echo.close(script, scratch).unwrap();
        setting.script.room = usize::MAX;
        setting.turn(&[]).unwrap();
        let taken = &setting.script.taken;
        assert!(taken.starts_with(b"\x82\x0a0123456789\x88"), "{taken:?}");
        assert_eq!(taken[14..16], 1001_u16.to_be_bytes());
    }

    #[test]
    fn an_end_without_a_close_frame_is_a_loss() {
        let mut setting = Setting::new(usize::MAX);
        setting.script.gives.push_back(Vec::new());
        let error = setting.turn(&[]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionLost));
    }
}
