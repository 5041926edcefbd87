//! What a program converts with `?` and `into`.

use framewire::deflate::{Deflate, DeflateConfig, Parameters};
use framewire::handshake::{Acceptor, Connector, HandshakeErrorKind};
use framewire::{CloseCode, Config, Error, ErrorKind, Fault, WebSocket};
use http::Request;

#[test]
fn every_error_of_a_connection_s_making_is_one_of_the_connection() {
    fn configure(level: u8) -> Result<Deflate, Error> {
        Ok(Deflate::with_level(level)?)
    }
    fn exchange() -> Result<(), Error> {
        Err(framewire::upgrade::UpgradeError::veto("no"))?
    }
    fn handshake() -> Result<Acceptor, Error> {
        Ok(Acceptor::new().header("upgrade", "x")?)
    }
    let error = configure(10).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Config(_)), "{error}");
    assert_eq!(error.fault(), Fault::Caller);
    assert!(error.to_string().contains("level is not 0 to 9"), "{error}");
    for error in [exchange().unwrap_err(), handshake().unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::Handshake(_)), "{error}");
    }
}

#[test]
fn a_header_is_given_as_text_and_refused_where_it_is_none() {
    assert!(Connector::new().header("X-My-Id", "7").is_ok());
    for (name, value) in [
        ("my id", "7"),
        ("", "7"),
        ("x-my-id", "a\nb"),
        ("host", "a"),
    ] {
        for error in [
            Connector::new().header(name, value).unwrap_err(),
            Acceptor::new().header(name, value).unwrap_err(),
        ] {
            let kind = error.kind();
            assert_eq!(
                kind,
                HandshakeErrorKind::InvalidArgument,
                "{name:?}: {error}"
            );
        }
    }
}

#[test]
fn an_origin_is_given_as_text_and_refused_where_it_is_none() {
    fn request(origin: &str) -> Result<Request<()>, Error> {
        Ok(Connector::new()
            .origin(origin)?
            .request("ws://a.example/")?)
    }
    let request_of_a_page = request("https://page.example").unwrap();
    assert_eq!(
        request_of_a_page.headers()["origin"],
        "https://page.example"
    );
    let ErrorKind::Handshake(error) = request("https://a\nb").unwrap_err().into_kind() else {
        panic!("not an error of the handshake");
    };
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
    assert_eq!(error.fault(), Fault::Caller);
}

#[test]
fn compression_needs_no_handshake_where_both_ends_know_of_it() {
    let (client, server) = (Vec::new(), Vec::new());
    let agreed = Deflate::with_level(6)
        .unwrap()
        .negotiated(Parameters::default());
    let mut client = WebSocket::client(std::io::Cursor::new(client), Config::default()).unwrap();
    client.set_extension(&agreed);
    client
        .write((framewire::Opcode::Text, &[b'a'; 1000]))
        .unwrap();
    let (sent, _) = client.into_inner();
    let sent = sent.into_inner();
    assert!(sent.len() < 100, "{} bytes", sent.len());
    let stream = std::io::Cursor::new([sent, server].concat());
    let mut server = WebSocket::server(stream, Config::default()).unwrap();
    server.set_extension(&Deflate::default().negotiated(Parameters::default()));
    assert_eq!(
        server.next_message().unwrap().unwrap().payload(),
        [b'a'; 1000]
    );
}

#[test]
fn what_is_set_by_default_is_what_new_takes() {
    assert_eq!(Deflate::default().config(), &DeflateConfig::default());
    assert_eq!(CloseCode::from(4000), CloseCode::new(4000));
    assert_eq!(u16::from(CloseCode::from(4000)), 4000);
}
