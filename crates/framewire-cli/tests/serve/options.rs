use framewire::handshake::Connector;
use framewire::{CloseCode, Opcode};

use crate::server::{Engine, Server, run};

with_each_engine! {
    messages_come_back_with_their_type,
    a_message_of_the_limit_comes_back_and_one_more_byte_is_1009,
    a_page_of_another_origin_is_refused_unless_it_is_listed_or_any_is_let_in,
    a_page_of_this_server_may_connect,
    an_address_in_use_ends_with_1_and_is_named,
}

fn messages_come_back_with_their_type(engine: Engine) {
    let server = Server::start(engine, &[]);
    let mut websocket = server.connect();
    for (opcode, payload) in [
        (Opcode::Text, "grüße"),
        (Opcode::Binary, "\u{0}\u{1}"),
        (Opcode::Text, ""),
    ] {
        websocket.write((opcode, payload.as_bytes())).unwrap();
        let echo = websocket.next_message().unwrap().unwrap();
        assert_eq!(
            (echo.opcode(), echo.payload()),
            (opcode, payload.as_bytes())
        );
    }
}

fn a_message_of_the_limit_comes_back_and_one_more_byte_is_1009(engine: Engine) {
    let server = Server::start(engine, &["--max-message", "64KiB"]);
    let mut websocket = server.connect();
    websocket.write(vec![7; 65_536]).unwrap();
    let echo = websocket.next_message().unwrap().unwrap();
    assert_eq!(echo.payload().len(), 65_536);
    websocket.write(vec![7; 65_537]).unwrap();
    assert!(websocket.next_message().unwrap().is_none());
    let closed = websocket.closed().unwrap();
    assert_eq!(closed.code(), CloseCode::MESSAGE_TOO_BIG);
}

fn a_page_of_another_origin_is_refused_unless_it_is_listed_or_any_is_let_in(engine: Engine) {
    let origin = Connector::new().origin("https://app.example").unwrap();
    let other = Connector::new().origin("https://other.example").unwrap();
    let is_open = |options: &[&str], connector| {
        Server::start(engine, options)
            .try_connect(connector)
            .is_ok()
    };

    assert!(!is_open(&[], &origin));
    assert!(is_open(&["--origin", "any"], &origin));
    assert!(is_open(
        &["--origin", "https://a.example", "https://app.example"],
        &origin
    ));
    assert!(is_open(
        &["--origin", "https://a.example,https://app.example"],
        &origin
    ));
    assert!(!is_open(
        &["--origin", "https://a.example", "https://app.example"],
        &other
    ));
}

fn a_page_of_this_server_may_connect(engine: Engine) {
    let server = Server::start(engine, &[]);
    let same = format!("http://{}", server.address);
    let page = Connector::new().origin(same).unwrap();
    server.try_connect(&page).unwrap();
}

#[test]
fn what_makes_no_sense_ends_with_2_and_says_why() {
    for (arguments, part) in [
        (&["serve", "--max-message", "0"][..], "at least 1 byte"),
        (&["serve", "--max-message", "1TiB"], "not a unit"),
        (&["serve", "--max-connections", "0"], "at least 1"),
        (&["serve", "--origin", "app.example"], "https://example.com"),
        (
            &["serve", "--origin", "any,https://app.example"],
            "list of URLs",
        ),
        (
            &["serve", "--origin", "https://app.example:no"],
            "app.example:no",
        ),
        (&["serve", "--write-timeout", "0"], "at least a millisecond"),
        (
            &["serve", "--engine", "poll", "--threads", "2"],
            "engine tokio",
        ),
        (
            &["serve", "--engine", "blocking", "--threads", "1"],
            "engine tokio",
        ),
        (&["serve", "--port", "80"], "--port"),
        (&[], "Usage"),
    ] {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

fn an_address_in_use_ends_with_1_and_is_named(engine: Engine) {
    let server = Server::start(engine, &[]);
    let address = server.address.to_string();
    let (code, text) = run(&[&["serve", "--listen", &address], engine].concat());
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with(&format!("framewire: cannot listen on {address}: ")),
        "{text}"
    );
}
