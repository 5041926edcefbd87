//! How long tunnels and their ends live: restarts, retries, heartbeats, signals.

use std::io::Read as _;
use std::net::TcpStream;

use framewire::{CloseCode, PingReply};

use crate::ends::{
    DEADLINE, End, Pair, accept, expect_reset, fill, hear, listener, nobody, rest, say,
};

#[test]
fn connections_after_the_restart_of_the_server_end_go_through() {
    let service = listener();
    let target = service.local_addr().unwrap();
    let mut server = End::server(target, &[]);
    let address = server.address;
    let client = End::client(&server, &[]);
    let first = client.tcp();
    let behind_first = accept(&service);
    hear_through(&first, &behind_first);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    expect_reset(&first);
    assert_eq!(client.logged(), "open");
    assert!(client.logged().contains("1001"));

    // Comes while nobody is there, and waits with what it has said.
    let waiting = client.tcp();
    say(&waiting, b"early");
    let line = client.logged();
    assert!(line.starts_with("no tunnel yet: "), "{line}");
    assert!(line.contains("refused"), "{line}");
    assert!(line.ends_with("; trying again for 10s"), "{line}");
    let listen = format!("ws://{address}");
    let server = End::start(&["--listen", &listen, "--allow", &target.to_string()]);
    let stream = accept(&service);
    hear(&stream, b"early");
    hear_through(&waiting, &stream);
    let line = client.logged();
    let tries = line.strip_prefix("open after ").unwrap();
    let tries: u32 = tries.strip_suffix(" tries").unwrap().parse().unwrap();
    assert!(tries > 1, "{line}");
    drop(server);
}

fn hear_through(user: &TcpStream, service: &TcpStream) {
    say(user, b"to and");
    hear(service, b"to and");
    say(service, b"fro");
    hear(user, b"fro");
}

#[test]
fn a_server_end_that_stays_away_is_given_up() {
    let client = End::client_of(&format!("ws://{}/", nobody()), &["--retry", "0.3"]);
    expect_reset(client.tcp());
    let line = client.logged();
    assert!(line.starts_with("no tunnel yet: "), "{line}");
    let line = client.logged();
    assert!(line.starts_with("no tunnel: "), "{line}");
    assert!(line.contains("; given up after "), "{line}");
    // It goes on for the next one.
    expect_reset(client.tcp());
    assert!(client.logged().starts_with("no tunnel yet: "));
}

#[test]
fn one_that_is_not_to_try_again_says_so_once() {
    let client = End::client_of(&format!("ws://{}/", nobody()), &["--retry", "0"]);
    for _ in 0..2 {
        expect_reset(client.tcp());
        let line = client.logged();
        assert!(line.starts_with("no tunnel: "), "{line}");
        assert!(!line.contains("tries"), "{line}");
    }
}

#[test]
fn a_target_that_is_away_is_tried_again() {
    let target = nobody();
    let server = End::server(target, &[]);
    let client = End::client(&server, &[]);
    let user = client.tcp();
    assert!(server.logged().contains("502"));
    let service = std::net::TcpListener::bind(target).unwrap();
    hear_through(&user, &accept(&service));
}

#[test]
fn one_more_than_there_may_be_waits_at_the_client_end() {
    let service = listener();
    let server = End::server(service.local_addr().unwrap(), &[]);
    let client = End::client(&server, &["--max-connections", "1"]);
    let first = client.tcp();
    let behind_first = accept(&service);
    let second = client.tcp();
    say(&second, b"second");
    hear_through(&first, &behind_first);
    // One that was let through would come to the service before all of these.
    for _ in 0..20 {
        let mut direct = server.websocket("");
        direct.write(&b"direct"[..]).unwrap();
        hear(&accept(&service), b"direct");
    }
    drop(first);
    assert_eq!(rest(&behind_first), b"");
    drop(behind_first);
    hear(&accept(&service), b"second");
}

#[test]
fn a_signal_closes_all_tunnels_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let service = listener();
        let mut server = End::server(service.local_addr().unwrap(), &[]);
        let client = End::client(&server, &[]);
        let mut plain = server.websocket("");
        let behind_plain = accept(&service);
        let user = client.tcp();
        let behind_user = accept(&service);
        server.signal(signal);
        assert!(plain.next_message().unwrap().is_none());
        assert_eq!(plain.closed().unwrap().code(), CloseCode::GOING_AWAY);
        drop(plain);
        expect_reset(&behind_plain);
        expect_reset(&behind_user);
        expect_reset(&user);
        assert_eq!(server.wait().code(), Some(0));
        assert!(TcpStream::connect(server.address).is_err());
    }
}

#[test]
fn a_client_end_that_is_told_to_end_resets_and_ends_with_0() {
    let mut pair = Pair::start(&[]);
    let (user, service) = pair.connect();
    hear_through(&user, &service);
    pair.client.signal("TERM");
    expect_reset(&user);
    expect_reset(&service);
    assert_eq!(pair.client.wait().code(), Some(0));
}

/// A peer that does not answer the close does not hold the program up.
#[test]
fn a_peer_that_reads_nothing_does_not_keep_the_end_from_ending() {
    let service = listener();
    let mut server = End::server(service.local_addr().unwrap(), &[]);
    let _peer = server.websocket("");
    fill(&accept(&service), &[0; 16_384]);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_peer_that_is_gone_is_found_out() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &["--ping-interval", "0.1"]);
    // Nobody reads from it, so that no Ping is answered.
    let _peer = end.websocket("");
    let stream = accept(&service);
    expect_reset(&stream);
    assert!(end.logged().ends_with(": open"));
    let line = end.logged();
    assert!(
        line.contains("nothing came for two pings, 100ms apart; "),
        "{line}"
    );
}

#[test]
fn a_peer_that_answers_pings_stays() {
    let service = listener();
    let end = End::server(service.local_addr().unwrap(), &["--ping-interval", "2"]);
    let mut peer = end.websocket("");
    let stream = accept(&service);
    let (counting, pings) = std::sync::mpsc::channel();
    peer.on_ping(move |_| {
        let _ = counting.send(());
        PingReply::Pong
    });
    let reading = std::thread::spawn(move || peer.next_message().map(|message| message.is_some()));
    // One that is not heard is sent two.
    for _ in 0..3 {
        pings.recv_timeout(DEADLINE).unwrap();
    }
    say(&stream, b"still here");
    assert!(reading.join().unwrap().unwrap());
}

/// While the user reads nothing, the client end reads nothing either: no Ping of the server end is answered. Those of
/// the client end say that it is there.
#[test]
fn a_user_that_reads_nothing_while_pings_are_due_keeps_its_tunnel() {
    let pair = Pair::start(&["--ping-interval", "0.5"]);
    let (user, service) = pair.connect();
    let sent = fill(&service, &[b's'; 16_384]);
    // One that is not heard is given up meanwhile.
    let _peer = pair.server.websocket("");
    expect_reset(accept(&pair.service));
    service.set_nonblocking(true).unwrap();
    let error = (&service).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    service.set_nonblocking(false).unwrap();
    service.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&user).len(), sent);
}

#[test]
fn a_side_that_takes_nothing_for_the_write_timeout_is_ended() {
    let service = listener();
    let target = service.local_addr().unwrap();
    let end = End::server(target, &["--write-timeout", "0.5"]);
    let _peer = end.websocket("");
    let stream = accept(&service);
    let failed = std::thread::spawn(move || {
        crate::ends::eventually("a reset", || {
            std::io::Write::write_all(&mut &stream, &[0; 16_384]).err()
        })
    });
    assert!(end.logged().ends_with(": open"));
    let line = end.logged();
    assert!(line.contains("peer took nothing for 500ms; "), "{line}");
    assert_eq!(
        failed.join().unwrap().kind(),
        std::io::ErrorKind::ConnectionReset
    );

    let peer = end.websocket("").into_inner().0;
    let _service = accept(&service);
    let hearing = peer.try_clone().unwrap();
    std::thread::spawn(move || {
        let frame = support::frames::frame(framewire::protocol::Role::Client, 0x82, &[0; 16_000]);
        while std::io::Write::write_all(&mut &peer, &frame).is_ok() {}
    });
    // It hangs up when it is told of the end.
    std::thread::spawn(move || {
        let _ = (&hearing).read(&mut [0; 4]);
        let _ = hearing.shutdown(std::net::Shutdown::Both);
    });
    assert!(end.logged().ends_with(": open"));
    let line = end.logged();
    assert!(line.contains("tcp took nothing for 500ms; "), "{line}");
}
