//! Peers that mean ill, and those that take nothing: neither costs more memory than a few buffers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use framewire::protocol::Role;
use framewire::{CloseCode, WebSocket};
use support::frames::{self, BINARY, CLOSE, FIN, Length, PING, TEXT, to};

use crate::ends::{End, Pair, accept, expect_reset, fill, hear, listener, rest, say};

/// A server end, a connection to it past its handshake, and the service at the other side.
fn raw(connect: impl FnOnce(&End) -> WebSocket<TcpStream>) -> (End, TcpStream, TcpStream) {
    open(&listener(), connect)
}

fn open(
    service: &TcpListener,
    connect: impl FnOnce(&End) -> WebSocket<TcpStream>,
) -> (End, TcpStream, TcpStream) {
    let end = End::server(service.local_addr().unwrap(), &[]);
    let websocket = connect(&end);
    let stream = websocket.into_inner().0;
    assert!(end.logged().ends_with(": open"));
    (end, stream, accept(service))
}

fn plain() -> (End, TcpStream, TcpStream) {
    raw(|end| end.websocket(""))
}

fn speaking() -> (End, TcpStream, TcpStream) {
    raw(End::speaking)
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::frame(Role::Client, first, payload)
}

/// The next frame has to be a Close frame with this code.
fn expect_close(mut stream: &TcpStream, code: CloseCode) {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], FIN | CLOSE);
    assert_eq!(u16::from_be_bytes([head[2], head[3]]), code.get());
}

#[test]
fn text_where_bytes_belong_ends_both_connections() {
    for connect in [plain, speaking] {
        for text in [&b"GET / HTTP/1.1"[..], b"\n"] {
            let (end, stream, service) = connect();
            say(&stream, &frame(FIN | BINARY, b"before"));
            say(&stream, &frame(FIN | TEXT, text));
            expect_close(&stream, CloseCode::UNSUPPORTED_DATA);
            expect_reset(&service);
            drop(stream);
            assert!(end.logged().contains("peer sent a text message; "));
        }
    }
    // It means something only to those who agreed on it.
    let (_end, stream, service) = plain();
    say(&stream, &frame(FIN | TEXT, b""));
    expect_close(&stream, CloseCode::UNSUPPORTED_DATA);
    expect_reset(&service);
}

#[test]
fn data_after_their_end_end_both_connections() {
    for more in [frame(FIN | BINARY, b"x"), frame(FIN | TEXT, b"")] {
        let (_end, stream, service) = speaking();
        say(&stream, &frame(FIN | TEXT, b""));
        say(&stream, &more);
        expect_close(&stream, CloseCode::PROTOCOL_ERROR);
        // The clean end came first. What is sent now is refused.
        assert_eq!(rest(&service), b"");
        crate::ends::eventually("a reset", || (&service).write_all(&[0; 4096]).err());
    }
}

#[test]
fn what_is_no_frame_ends_both_connections() {
    for bytes in [
        &b"\xff\xff\xff\xff"[..],
        b"SSH-2.0-OpenSSH\r\n",
        b"\x82\x01x",
    ] {
        let (_end, stream, service) = speaking();
        say(&stream, bytes);
        expect_close(&stream, CloseCode::PROTOCOL_ERROR);
        expect_reset(&service);
    }
}

/// A reason must not begin a new line of the log, nor move the cursor.
#[test]
fn the_reason_of_a_close_is_logged_in_one_line() {
    let (end, stream, _service) = speaking();
    let reason = [&1011_u16.to_be_bytes()[..], b"a\n127.0.0.1:1 open\x1b[2J"].concat();
    say(&stream, &frame(FIN | CLOSE, &reason));
    let line = end.logged();
    assert!(line.contains("a 127.0.0.1:1 open [2J"), "{line}");
}

#[cfg(target_os = "linux")]
mod memory {
    use super::*;

    const GROWTH: usize = 2 << 20;

    /// Has `attack` on a new tunnel, and checks how much the server end grew.
    fn stays(attack: impl FnOnce(&TcpStream, &TcpStream)) {
        let listener = listener();
        let (end, stream, service) = open(&listener, End::speaking);
        let before = end.resident();
        attack(&stream, &service);
        let grown = end.resident().saturating_sub(before);
        assert!(grown < GROWTH, "resident memory grew by {grown} bytes");
        // The end is still well.
        end.websocket("");
    }

    #[test]
    fn a_message_of_any_length_is_passed_on_as_it_comes() {
        stays(|stream, service| {
            let piece = support::pattern(1 << 20);
            let whole = to(Role::Server, FIN | BINARY, piece.clone());
            say(
                stream,
                &whole.with_length(Length::Declared(1 << 62)).bytes(),
            );
            hear(service, &piece);
        });
    }

    #[test]
    fn a_peer_that_reads_nothing_stops_the_service() {
        stays(|_, service| {
            fill(service, &[b's'; 16_384]);
        });
    }

    #[test]
    fn a_service_that_reads_nothing_stops_the_peer() {
        stays(|stream, _| {
            fill(stream, &frame(FIN | BINARY, &[b'p'; 16_000]));
        });
    }

    #[test]
    fn a_peer_that_pings_and_reads_nothing_has_one_answer_waiting() {
        stays(|mut stream, service| {
            fill(service, &[b's'; 16_384]);
            let pings = frame(FIN | PING, &[b'p'; 125]).repeat(500);
            for _ in 0..200 {
                stream.write_all(&pings).unwrap();
            }
        });
    }

    #[test]
    fn a_user_that_reads_nothing_stops_the_service_through_both_ends() {
        let pair = Pair::start(&[]);
        let (user, service) = pair.connect();
        let before = [pair.client.resident(), pair.server.resident()];
        let sent = fill(&service, &[b's'; 16_384]);
        let grown = [pair.client.resident(), pair.server.resident()];
        for (before, after) in before.into_iter().zip(grown) {
            assert!(after.saturating_sub(before) < GROWTH, "{before} to {after}");
        }
        // All of it comes once it is taken.
        service.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&user).len(), sent);
    }
}

/// It takes nothing, and is gone once it has said all.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_says_all_and_hangs_up_is_heard_to_the_end() {
    let (_end, stream, service) = speaking();
    fill(&service, &[b's'; 16_384]);
    let said = support::pattern(20_000);
    say(&stream, &frame(FIN | BINARY, &said));
    say(&stream, &frame(FIN | TEXT, b""));
    say(&stream, &frame(FIN | CLOSE, &1000_u16.to_be_bytes()));
    drop(stream);
    assert!(rest(&service) == said, "other bytes than were sent");
}

/// What opens a message and does not end it is nothing that TCP has to wait for.
#[test]
fn the_pieces_of_a_message_come_through_before_its_end() {
    let (_end, stream, service) = speaking();
    for piece in [&b"one"[..], b"two"] {
        let first = if piece == b"one" { BINARY } else { 0 };
        say(&stream, &frame(first, piece));
        hear(&service, piece);
    }
}
