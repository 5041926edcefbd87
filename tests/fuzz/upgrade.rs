//! An upgrade, by both ends and both front ends, over any cut of what goes each way. What follows a head belongs to
//! the other protocol, and nothing of it is lost; interim responses are passed over; of a refusal the client has the
//! status, the headers and the body, however that is framed.
//!
//! The input: a byte of flags, three for the lengths of the client's pieces, three for those of the server's, a byte
//! for how many interim responses there are and one for each, and then four texts with a byte for the length of each:
//! what follows the request, what follows the answer, a header's value, and the body of a refusal.

use std::io::Read as _;
use std::time::Duration;

use framewire::connection::{BufferPool, Connection};
use framewire::handshake::{Acceptor, Connector};
use framewire::protocol::Role;
use framewire::upgrade::{self, Limits, RequestDecoder, UpgradeError, Upgraded};
use framewire::{Config, Opcode, Untimed};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use support::frames::{BINARY, FIN, frame};
use support::peer::{Ending, Manner, ScriptedPeer};
use support::tasks::finish;

use crate::{Input, cut};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let exchange = Exchange::read(&mut input);
    if exchange.flags & 1 == 0 {
        exchange.upgrade();
    } else {
        exchange.refuse();
    }
    exchange.handshake();
}

struct Exchange<'a> {
    flags: u8,
    of_client: [usize; 3],
    of_server: [usize; 3],
    interim: Vec<u8>,
    /// What follows the request.
    early: &'a [u8],
    /// What follows the answer.
    late: &'a [u8],
    value: Option<HeaderValue>,
    body: &'a [u8],
}

impl<'a> Exchange<'a> {
    fn read(input: &mut Input<'a>) -> Self {
        let flags = input.byte();
        let (of_client, of_server) = (input.lengths(), input.lengths());
        let count = input.byte() % 4;
        Self {
            flags,
            of_client,
            of_server,
            interim: (0..count).flat_map(|_| interim(input.byte())).collect(),
            early: input.bytes_of_length(),
            late: input.bytes_of_length(),
            // What is around a value is no part of it.
            value: HeaderValue::from_bytes(input.bytes_of_length().trim_ascii()).ok(),
            body: input.bytes_of_length(),
        }
    }

    /// What one end says, in pieces, by a stream that behaves as the flags say.
    fn peer(&self, bytes: &[u8], lengths: [usize; 3]) -> ScriptedPeer {
        let manner = if self.flags & 2 == 0 {
            Manner::Smooth
        } else {
            Manner::ByteByByte
        };
        ScriptedPeer::saying(cut(bytes, lengths))
            .behaving(manner)
            .ending(Ending::Eof)
    }

    fn is_tokio(&self) -> bool {
        self.flags & 4 != 0
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = &self.value {
            headers.insert("x-value", value.clone());
        }
        headers
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::get("http://a.example/")
            .header("host", "a.example")
            .header("upgrade", "echo/1")
            .header("connection", "upgrade")
            .body(())
            .expect("a sound request");
        request.headers_mut().extend(self.headers());
        request
    }

    /// The request, with what follows it, as the server has received it.
    fn received(&self) -> ScriptedPeer {
        let mut bytes = upgrade::encode_request(&self.request()).expect("a sound request");
        bytes.extend(self.early);
        self.peer(&bytes, self.of_client)
    }

    /// Both ends switch, and each reads what the other has sent.
    fn upgrade(&self) {
        let peer = self.received();
        let protocols = ["other/1", "echo/1"];
        let early = if self.is_tokio() {
            finish(&peer, async {
                let received = upgrade::tokio::receive(peer.clone(), &untimed()).await;
                let pending = received.expect("a sound request");
                let accepted = pending.accept(&protocols, self.headers()).await;
                read_async(accepted.expect("it offers one of them")).await
            })
        } else {
            let received = upgrade::receive(Untimed(peer.clone()), &untimed());
            let pending = received.expect("a sound request");
            assert_eq!(
                pending.request().headers().get("x-value"),
                self.value.as_ref()
            );
            let accepted = pending.accept(&protocols, self.headers());
            read(accepted.expect("it offers one of them"))
        };
        assert_eq!(early, self.early, "what followed the request");

        let answer = [&self.interim, &peer.take_written(), self.late].concat();
        let late = self.ask(&answer).expect("a sound answer");
        assert_eq!(late, self.late, "what followed the answer");
    }

    /// Asks a server that answers so, and reads what follows.
    fn ask(&self, answer: &[u8]) -> Result<Vec<u8>, UpgradeError> {
        let peer = self.peer(answer, self.of_server);
        let validate = |response: &Response<()>| {
            assert_eq!(response.headers().get("x-value"), self.value.as_ref());
            Ok::<_, UpgradeError>(())
        };
        if !self.is_tokio() {
            let asked = upgrade::request(Untimed(peer), self.request(), &untimed(), validate);
            return asked.map(read);
        }
        let (stream, limits) = (peer.clone(), untimed());
        finish(&peer, async {
            let asked = upgrade::tokio::request(stream, self.request(), &limits, validate);
            Ok(read_async(asked.await?).await)
        })
    }

    /// The server refuses, and the client learns why.
    fn refuse(&self) {
        let peer = self.received();
        let status = [400, 403, 404, 503][usize::from(self.flags >> 3 & 3)];
        let mut refusal = Response::new(self.body.to_vec());
        *refusal.status_mut() = StatusCode::from_u16(status).expect("a status");
        refusal.headers_mut().extend(self.headers());
        let received = upgrade::receive(Untimed(peer.clone()), &untimed());
        let refused = received.expect("a sound request").refuse(&refusal);
        refused.expect("a sound refusal");
        let mut answer = peer.take_written();
        if self.flags & 0x20 != 0 {
            answer = self.in_chunks(status);
        }
        let answer = [&self.interim[..], &answer].concat();
        let error = self.ask(&answer).expect_err("it was refused");
        let response = error.response().expect("a refusal");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("x-value"), self.value.as_ref());
        assert_eq!(response.body(), self.body);
    }

    /// The refusal with its body in chunks (RFC 9112 7.1).
    fn in_chunks(&self, status: u16) -> Vec<u8> {
        let codings = [
            "chunked",
            "Chunked ",
            "gzip, chunked",
            "gzip\r\nTransfer-Encoding: chunked",
        ][usize::from(self.flags >> 6)];
        let mut answer =
            format!("HTTP/1.1 {status} x\r\nTransfer-Encoding: {codings}\r\n").into_bytes();
        if let Some(value) = &self.value {
            answer.extend([b"X-Value: ", value.as_bytes(), b"\r\n"].concat());
        }
        answer.extend(b"\r\n");
        for chunk in cut(self.body, self.of_client) {
            answer.extend(format!("{:x};a=b\r\n", chunk.len()).into_bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        answer
    }

    /// The handshake without I/O at the server and over a stream at the client: each gets the message that the other
    /// has sent at once.
    fn handshake(&self) {
        let connector = Connector::new();
        let silent = ScriptedPeer::default().ending(Ending::Eof);
        let failed = connector.connect_stream(Untimed(silent.clone()), "ws://a.example/");
        failed.expect_err("there is no answer");
        let mut request = silent.take_written();
        request.extend(frame(Role::Client, FIN | BINARY, self.early));

        let mut decoder = RequestDecoder::new(&untimed());
        let mut pieces = cut(&request, self.of_client).into_iter();
        let acceptor = Acceptor::new();
        let pending = loop {
            let piece = pieces.next().expect("it becomes whole");
            let pending = acceptor.decode(&mut decoder, &piece);
            if let Some(pending) = pending.expect("a sound request") {
                break pending;
            }
        };
        let (_, established) = pending.into_answer();
        let established = established.expect("a sound request");
        let pool = BufferPool::per_thread();
        let server = Connection::from_established(established, &Config::default(), &pool);
        let mut server = server.expect("no size is zero");
        for piece in pieces {
            support::without_stream::give(&mut server, &piece);
        }
        let (message, _) = server.next_message().expect("sound frames").expect("one");
        assert_eq!(
            (message.opcode(), message.payload()),
            (Opcode::Binary, self.early)
        );
    }
}

fn read<S: std::io::Read>(upgraded: Upgraded<S>) -> Vec<u8> {
    let mut rest = vec![];
    let read = upgraded.into_rewind().read_to_end(&mut rest);
    read.expect("a sound stream");
    rest
}

async fn read_async(upgraded: Upgraded<ScriptedPeer>) -> Vec<u8> {
    let mut rest = vec![];
    let mut stream = upgraded.into_rewind();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    read.expect("a sound stream");
    rest
}

/// An interim response (RFC 9110 15.2): any but 101.
fn interim(byte: u8) -> Vec<u8> {
    let status = match byte % 100 {
        1 => 100,
        other => 100 + u16::from(other),
    };
    let headers = if byte & 1 == 0 {
        ""
    } else {
        "Link: </a>; rel=b\r\n"
    };
    format!("HTTP/1.1 {status} x\r\n{headers}\r\n").into_bytes()
}

/// Limits without a clock, so that no runtime is needed.
fn untimed() -> Limits {
    Limits::default().time(Duration::MAX)
}
