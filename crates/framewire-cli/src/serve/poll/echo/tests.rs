//! Tests of an echo in a loop, over a scripted socket.

use std::collections::VecDeque;
use std::io;

use framewire::deflate::{Deflate, DeflateConfig, Parameters};
use framewire::frame::os_key;
use framewire::protocol::{Limits, Session};
use framewire::{Fault, Opcode, Side};

use super::*;

/// A socket that gives scripted input, piece by piece, and takes a set number of bytes.
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
    traffic: Traffic,
}

impl Setting {
    /// Creates a connection whose socket takes `room` bytes.
    fn new(room: usize) -> Self {
        Self::with_pool(room, &BufferPool::per_thread())
    }

    fn with_pool(room: usize, pool: &BufferPool) -> Self {
        let config = Config {
            read_buffer: 64 << 10,
            ..Config::default()
        };
        Self {
            echo: Echo::new(&[], &config, pool, Duration::from_secs(30)).unwrap(),
            script: Script {
                room,
                ..Script::default()
            },
            traffic: Traffic::default(),
        }
    }

    /// Runs a turn, as after an event, in which the peer has sent `gives`.
    fn turn(&mut self, gives: &[u8]) -> Result<Turn, Error> {
        if !gives.is_empty() {
            self.script.gives.push_back(gives.to_vec());
        }
        let Self {
            echo,
            script,
            traffic,
        } = self;
        echo.turn(script, traffic, |len, room| len < room)
    }
}

/// Returns how many bytes a connection allocates beside itself.
fn allocated(setting: Setting) -> i64 {
    let echo = setting.echo;
    -allocation_counter::measure(|| drop(echo)).bytes_current
}

/// The most that a connection without buffers may allocate.
const A_LITTLE: i64 = 300;

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
    // The script allocates once for each piece that it gives.
    let counted = allocation_counter::measure(|| round(&mut setting));
    assert_eq!(counted.count_total, 4);
}

#[test]
fn a_peer_that_takes_nothing_is_not_read_from_and_gets_everything_later() {
    let mut setting = Setting::with_pool(10, &BufferPool::keeping(0));
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
    assert!(allocated(setting) < A_LITTLE);
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
    // Replies are not compressed, as on a server whose contexts are all in use.
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

    let mut setting = Setting::with_pool(10, &BufferPool::keeping(0));
    let deflate = Deflate::new(config).unwrap();
    setting.echo.set_extension(&deflate.negotiated(agreed));
    let counted = allocation_counter::measure(|| {
        setting.turn(&bomb).unwrap();
    });
    let held = counted.bytes_current;
    assert!(held < 3 << 20, "{held} bytes are held");
    setting.script.room = usize::MAX;
    while setting.turn(&[]).unwrap() == Turn::Again {}
    assert!(setting.script.taken.len() > 6 * LARGE);
}

#[test]
fn one_between_messages_holds_no_buffer_and_one_inside_holds_what_has_come() {
    let mut setting = Setting::with_pool(usize::MAX, &BufferPool::keeping(0));
    let message = frame(0x82, &vec![7; 60_000]);
    let counted = allocation_counter::measure(|| {
        setting.turn(&message[..30_000]).unwrap();
    });
    let held_inside = counted.bytes_current;
    assert!(held_inside < 61_000, "{held_inside}");
    assert!(!setting.echo.is_at_rest());
    setting.turn(&message[30_000..]).unwrap();
    assert_eq!(setting.script.taken[4..], message[8..]);
    assert!(setting.echo.is_at_rest());
    assert!(allocated(setting) < A_LITTLE);
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
    let Setting { echo, script, .. } = &mut setting;
    echo.close(script).unwrap();
    // What the peer sends before it has seen the Close frame is not echoed, and is no error.
    let taken = setting.script.taken.clone();
    assert_eq!(setting.turn(&frame(0x82, b"late")).unwrap(), Turn::Wait);
    assert_eq!(by(&mut setting), Side::Local);
    assert_eq!(setting.script.taken, taken);
}

#[test]
fn the_end_of_the_server_waits_behind_what_the_peer_has_not_taken() {
    let mut setting = Setting::new(10);
    setting.turn(&frame(0x82, b"0123456789")).unwrap();
    let Setting { echo, script, .. } = &mut setting;
    echo.close(script).unwrap();
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
    assert!(matches!(error.kind(), framewire::ErrorKind::ConnectionLost));
}
