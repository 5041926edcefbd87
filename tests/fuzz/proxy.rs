//! Any answer of a proxy, in any cut: of HTTP and of SOCKS 5, with a password and without. It is an error that says
//! whose fault it is, or a tunnel, of which every byte that follows the answer arrives; and the request is what the
//! RFCs say.
//!
//! The input: a byte of flags, three for the lengths of pieces, and then what the proxy says.

use std::cell::RefCell;
use std::time::Duration;

use framewire::Fault;
use framewire::upgrade::{Dialer, Proxy, UpgradeErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::{Input, cut};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let lengths = input.lengths();
    let said = input.rest();
    let is_socks = flags & 1 != 0;
    let has_password = flags & 2 != 0;
    let (dialled, heard) = PROXY.with_borrow_mut(|proxy| {
        let scheme = if is_socks { "socks5h" } else { "http" };
        let user = if has_password { "user:password@" } else { "" };
        let port = proxy.listener.local_addr().expect("it is bound").port();
        let url = format!("{scheme}://{user}127.0.0.1:{port}");
        proxy.dial(&url, &cut(said, lengths))
    });
    let expected = if is_socks {
        socks(said, has_password)
    } else {
        http(said)
    };
    match (&dialled, &expected) {
        (Ok(rest), Some(tunnel)) => assert_eq!(*rest, said[*tunnel..], "what follows the answer"),
        (Err(error), None) => {
            assert_eq!(error.kind(), UpgradeErrorKind::Proxy, "{error}");
            assert_ne!(error.fault(), Fault::Caller);
            let body = error.response().map_or(0, |response| response.body().len());
            assert!(body <= said.len());
        }
        _ => panic!("{dialled:?}, and expected {expected:?}"),
    }
    if dialled.is_ok() {
        check_request(&heard, is_socks, has_password);
    }
}

/// What the client said, whose names the proxy resolves.
fn check_request(heard: &[u8], is_socks: bool, has_password: bool) {
    if !is_socks {
        let mut request = format!("CONNECT {HOST}:81 HTTP/1.1\r\nHost: {HOST}:81\r\n");
        if has_password {
            // RFC 7617 2: user:password.
            request += "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
        }
        assert_eq!(heard, format!("{request}\r\n").as_bytes());
        return;
    }
    let ask = [&b"\x05\x01\x00\x03\x09"[..], HOST.as_bytes(), b"\0\x51"].concat();
    if !has_password {
        assert_eq!(heard, [b"\x05\x01\x00", &ask[..]].concat());
        return;
    }
    // A proxy need not ask for the password that was offered.
    let login = heard.strip_prefix(b"\x05\x02\x00\x02").expect("a greeting");
    let asked = login.strip_prefix(b"\x01\x04user\x08password");
    assert_eq!(asked.unwrap_or(login), ask);
}

/// How long the answer of an HTTP proxy is that opens a tunnel: by the decoder of responses, which `response_head` is
/// about.
fn http(said: &[u8]) -> Option<usize> {
    let mut decoder =
        framewire::upgrade::ResponseDecoder::new(&framewire::upgrade::Limits::default());
    let (used, response) = decoder.decode(said).ok()?;
    response?.status().is_success().then_some(used)
}

/// The same of a SOCKS proxy (RFC 1928, RFC 1929).
fn socks(said: &[u8], has_password: bool) -> Option<usize> {
    let mut at = match said {
        [5, 0, ..] => 2,
        [5, 2, _, 0, ..] if has_password => 4,
        _ => return None,
    };
    let [5, 0, _, kind] = *said.get(at..at + 4)? else {
        return None;
    };
    at += 4;
    at += match kind {
        1 => 4,
        3 => 1 + usize::from(*said.get(at)?),
        4 => 16,
        _ => return None,
    };
    at += 2;
    (at <= said.len()).then_some(at)
}

/// A proxy on loopback, for one client at a time.
struct Loopback {
    runtime: Runtime,
    listener: TcpListener,
}

type Dialled = Result<Vec<u8>, framewire::upgrade::UpgradeError>;

impl Loopback {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        Self { runtime, listener }
    }

    /// Dials through the proxy, which says these pieces. Returns what the client then reads, and what it has said.
    fn dial(&mut self, url: &str, pieces: &[Vec<u8>]) -> (Dialled, Vec<u8>) {
        let dialer = Dialer::new().proxy(Proxy::parse(url).expect("a sound URL"));
        let uri = format!("http://{HOST}:81/").parse().expect("a URI");
        let client = async {
            let dialled = framewire::upgrade::tokio::dial(&dialer, &uri, Duration::MAX).await;
            let mut rest = vec![];
            let mut stream = dialled?;
            let read = stream.read_to_end(&mut rest).await;
            read.expect("a sound stream");
            Ok(rest)
        };
        let proxy = async {
            let (mut stream, _) = self.listener.accept().await.expect("a client");
            let mut heard = vec![];
            for piece in pieces {
                // A client that has given up does not read on.
                let _ = stream.write_all(piece).await;
                yield_now().await;
            }
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut heard).await;
            // No port waits for what may still come: there are many connections.
            let _ = stream.set_zero_linger();
            heard
        };
        let both = async { tokio::join!(client, proxy) };
        let both = self
            .runtime
            .block_on(async { timeout(DEADLINE, both).await });
        both.expect("it ends")
    }
}

thread_local! {
    static PROXY: RefCell<Loopback> = RefCell::new(Loopback::new());
}

const HOST: &str = "a.example";
/// Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(20);
