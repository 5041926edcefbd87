//! Tests of an echo in a loop, over a scripted socket.

use framewire::deflate::{Deflate, DeflateConfig, Parameters};
use framewire::frame::os_key;
use framewire::protocol::{Limits, Role, Session};
use framewire::{Fault, Side};
use support::frames::{self, BINARY, CLOSE, FIN, PING};
use support::peer::{ScriptedPeer, Taking};

use super::*;

/// One connection, and what the loop lends it.
struct Setting {
    echo: Echo,
    peer: ScriptedPeer,
    traffic: Traffic,
}

impl Setting {
    /// Creates a connection whose socket takes this.
    fn new(taking: Taking) -> Self {
        Self::with_pool(taking, &BufferPool::per_thread())
    }

    fn with_pool(taking: Taking, pool: &BufferPool) -> Self {
        let config = Config::default().read_buffer(64 << 10);
        Self {
            echo: Echo::new(&[], &config, pool, Duration::from_secs(30)).unwrap(),
            peer: ScriptedPeer::default().taking(taking),
            traffic: Traffic::default(),
        }
    }

    /// Runs a turn, as after an event, in which the peer has sent `gives`.
    fn turn(&mut self, gives: &[u8]) -> Result<Turn, Error> {
        self.peer.say(gives);
        let Self {
            echo,
            peer,
            traffic,
        } = self;
        echo.turn(peer, traffic, |len, room| len < room)
    }
}

/// Returns how many bytes a connection allocates beside itself.
fn allocated(setting: Setting) -> i64 {
    let echo = setting.echo;
    -allocation_counter::measure(|| drop(echo)).bytes_current
}

/// The most that a connection without buffers may allocate.
const A_LITTLE: i64 = 300;

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::frame(Role::Client, first, payload)
}

#[test]
fn messages_that_come_together_are_one_read_and_one_write() {
    let mut setting = Setting::new(Taking::All);
    let turn = setting.turn(&frame(FIN | BINARY, b"hello").repeat(64));
    assert_eq!(turn.unwrap(), Turn::Wait);
    let calls = setting.peer.calls();
    assert_eq!((calls.reads, calls.writes), (1, 1));
    assert_eq!(setting.peer.written(), b"\x82\x05hello".repeat(64));
    assert!(setting.echo.is_at_rest());
}

#[test]
fn a_turn_of_a_connection_that_never_runs_dry_ends_after_half_a_mebibyte() {
    let mut setting = Setting::new(Taking::All);
    let message = frame(FIN | BINARY, &[7; 1000]);
    setting.peer.say(message.repeat(1000));
    let turn = setting
        .echo
        .turn(&mut setting.peer, &mut setting.traffic, |_, _| false);
    assert_eq!(turn.unwrap(), Turn::Again);
    let calls = setting.peer.calls();
    assert_eq!(calls.reads, READ_IN_A_TURN / (64 << 10));
    // The others have theirs, and then it goes on.
    let turn = setting
        .echo
        .turn(&mut setting.peer, &mut setting.traffic, |_, _| false);
    assert_eq!(turn.unwrap(), Turn::Wait);
    assert_eq!(setting.peer.written().len(), 1000 * (4 + 1000));
}

#[test]
fn an_echo_allocates_nothing() {
    let mut setting = Setting::new(Taking::All);
    let message = frame(FIN | BINARY, &[7; 1000]);
    let (head, tail) = message.split_at(500);
    let ping = frame(FIN | PING, b"?");
    for piece in [&message[..], &ping, head, tail] {
        assert_eq!(setting.turn(piece).unwrap(), Turn::Wait);
    }
    setting.peer.forget_written();
    setting.peer.say_again(1);
    let counted = allocation_counter::measure(|| {
        for _ in 0..4 {
            assert_eq!(setting.turn(&[]).unwrap(), Turn::Wait);
        }
    });
    assert!(!setting.peer.has_more());
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_peer_that_takes_nothing_is_not_read_from_and_gets_everything_later() {
    let mut setting = Setting::with_pool(Taking::Room(10), &BufferPool::keeping(0));
    let message = frame(FIN | BINARY, &[7; 1000]);
    let echoed = frames::frame(Role::Server, FIN | BINARY, &[7; 1000]);
    assert_eq!(setting.turn(&message.repeat(60)).unwrap(), Turn::Wait);
    assert!(setting.echo.deadline().is_some());
    for _ in 0..3 {
        assert_eq!(setting.turn(&message).unwrap(), Turn::Wait);
    }
    assert_eq!(setting.peer.calls().reads, 1);
    assert!(!setting.echo.is_at_rest());
    setting.peer.set_taking(Taking::All);
    while setting.peer.has_more() {
        setting.turn(&[]).unwrap();
    }
    assert!(setting.peer.written() == echoed.repeat(63));
    assert!(setting.echo.is_at_rest());
    assert_eq!(setting.echo.deadline(), None);
    assert!(allocated(setting) < A_LITTLE);
}

#[test]
fn some_progress_puts_the_deadline_off_and_none_does_not() {
    let mut setting = Setting::new(Taking::Room(10));
    setting.turn(&frame(FIN | BINARY, &[7; 1000])).unwrap();
    let limit = setting.echo.write_timeout;
    let begun = setting.echo.stalled.unwrap();
    let is_over = |setting: &Setting| {
        let end = begun.next_try(Duration::ZERO) + limit;
        setting.echo.stalled.unwrap().is_over(end, limit)
    };
    setting.turn(&[]).unwrap();
    assert!(is_over(&setting));
    setting.peer.set_taking(Taking::Room(10));
    setting.turn(&[]).unwrap();
    assert!(!is_over(&setting));
}

#[test]
fn what_one_read_inflates_to_is_not_all_held() {
    const LARGE: usize = 1 << 20;
    // Replies are not compressed, as on a server whose contexts are all in use.
    let config = DeflateConfig::default().threshold(usize::MAX);
    let agreed = Parameters::default()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true);
    let mut client = Session::client(Limits::default(), os_key);
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    client.set_extension(&deflate.negotiated(agreed));
    let mut bomb = Vec::new();
    for _ in 0..6 {
        client.send(vec![0; LARGE], &mut bomb).unwrap();
    }
    assert!(bomb.len() < 64 << 10, "{}", bomb.len());

    let mut setting = Setting::with_pool(Taking::Room(10), &BufferPool::keeping(0));
    let deflate = Deflate::new(config).unwrap();
    setting.echo.set_extension(&deflate.negotiated(agreed));
    setting.peer.say(&bomb);
    let counted = allocation_counter::measure(|| {
        setting.turn(&[]).unwrap();
    });
    let held = counted.bytes_current;
    assert!(held < 3 << 20, "{held} bytes are held");
    setting.peer.set_taking(Taking::All);
    while setting.turn(&[]).unwrap() == Turn::Again {}
    assert!(setting.peer.written().len() > 6 * LARGE);
}

#[test]
fn one_between_messages_holds_no_buffer_and_one_inside_holds_what_has_come() {
    let mut setting = Setting::with_pool(Taking::All, &BufferPool::keeping(0));
    let message = frame(FIN | BINARY, &vec![7; 60_000]);
    setting.peer.say(&message[..30_000]);
    let counted = allocation_counter::measure(|| {
        setting.turn(&[]).unwrap();
    });
    let held_inside = counted.bytes_current;
    assert!(held_inside < 61_000, "{held_inside}");
    assert!(!setting.echo.is_at_rest());
    setting.turn(&message[30_000..]).unwrap();
    assert_eq!(
        setting.peer.written(),
        frames::frame(Role::Server, FIN | BINARY, &vec![7; 60_000])
    );
    assert!(setting.echo.is_at_rest());
    assert!(allocated(setting) < A_LITTLE);
}

#[test]
fn a_violation_is_answered_before_the_end() {
    let mut setting = Setting::new(Taking::All);
    // RFC 6455 5.1: a client's frames are masked.
    let unmasked = frames::frame(Role::Server, FIN | BINARY, b"");
    let input = [frame(FIN | BINARY, b"good"), unmasked].concat();
    let error = setting.turn(&input).unwrap_err();
    assert_eq!(error.fault(), Fault::Peer);
    let taken = setting.peer.written();
    assert!(taken.starts_with(b"\x82\x04good\x88"), "{taken:?}");
    assert_eq!(taken[8..10], 1002_u16.to_be_bytes());
    assert_eq!(setting.peer.calls().writes, 1);
}

#[test]
fn the_end_says_who_closed() {
    let close = frame(FIN | CLOSE, &frames::close_payload(1000, ""));
    let by = |setting: &mut Setting| {
        let error = setting.turn(&close).unwrap_err();
        error.closed().unwrap().by
    };
    let mut setting = Setting::new(Taking::All);
    assert_eq!(by(&mut setting), Side::Peer);
    assert_eq!(setting.peer.written(), b"\x88\x02\x03\xe8");

    let mut setting = Setting::new(Taking::All);
    let Setting { echo, peer, .. } = &mut setting;
    echo.close(peer).unwrap();
    // What comes before the peer has seen it is not echoed, and not an end.
    let taken = setting.peer.written();
    assert_eq!(
        setting.turn(&frame(FIN | BINARY, b"late")).unwrap(),
        Turn::Wait
    );
    assert_eq!(by(&mut setting), Side::Local);
    assert_eq!(setting.peer.written(), taken);
}

#[test]
fn the_end_of_the_server_waits_behind_what_the_peer_has_not_taken() {
    let mut setting = Setting::new(Taking::Room(10));
    setting.turn(&frame(FIN | BINARY, b"0123456789")).unwrap();
    let Setting { echo, peer, .. } = &mut setting;
    echo.close(peer).unwrap();
    setting.peer.set_taking(Taking::All);
    setting.turn(&[]).unwrap();
    let taken = setting.peer.written();
    assert!(taken.starts_with(b"\x82\x0a0123456789\x88"), "{taken:?}");
    assert_eq!(taken[14..16], 1001_u16.to_be_bytes());
}

#[test]
fn an_end_without_a_close_frame_is_a_loss() {
    let mut setting = Setting::new(Taking::All);
    setting.peer.end();
    let error = setting.turn(&[]).unwrap_err();
    assert!(matches!(error.kind(), framewire::ErrorKind::ConnectionLost));
}
