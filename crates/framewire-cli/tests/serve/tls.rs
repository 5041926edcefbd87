//! `wss://`, with a certificate made on the spot.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use framewire::handshake::{Acceptor, Connector};
use framewire::rustls::crypto::ring;
use framewire::rustls::pki_types::CertificateDer;
use framewire::rustls::pki_types::pem::PemObject as _;
use framewire::rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use framewire::rustls::version::{TLS12, TLS13};
use framewire::rustls::{
    self, ClientConfig, RootCertStore, ServerConfig, SignatureAlgorithm, SignatureScheme,
    SupportedProtocolVersion,
};
use framewire::upgrade::TlsStream;
use framewire::{Config, Socket as _};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::server::{
    DEADLINE, Engine, Server, eventually, is_reset, program, run, until_it_rests, wait,
};

with_each_engine! {
    connect_echoes_through_serve_over_tls,
    the_roots_of_the_system_are_trusted,
    the_end_of_the_server_closes_with_1001,
    a_page_ends_as_tls_wants_it,
    a_message_is_in_one_record_with_its_header,
    large_messages_come_back_to_a_peer_that_reads_late,
    a_peer_that_takes_nothing_is_ended,
    a_certificate_that_nobody_vouches_for_is_refused_unless_it_is_asked_for,
    a_certificate_for_another_host_is_refused,
    pages_without_tls_are_of_another_origin,
    a_client_without_tls_is_turned_away,
    failures_of_tls_are_logged,
    half_a_handshake_ends_when_its_time_is_over,
}

/// A certificate for `localhost` that signs itself, and its key, in files.
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// The same test runs for several engines at once, each with files of its own.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Files {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.self_signed(&key).unwrap();
        let name = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).unwrap();
        let files = Self {
            cert: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        };
        fs::write(&files.cert, cert.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn cert(&self) -> &str {
        self.cert.to_str().unwrap()
    }

    fn key(&self) -> &str {
        self.key.to_str().unwrap()
    }

    /// A client that trusts the certificate.
    fn trusting(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&self.cert).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    fn serve(&self, engine: Engine) -> Server {
        self.serve_with(engine, &[])
    }

    fn serve_with(&self, engine: Engine, options: &[&str]) -> Server {
        let tls = ["--tls-cert", self.cert(), "--tls-key", self.key()];
        Server::start(engine, &[&tls[..], options].concat())
    }
}

/// Says `lines` through `framewire connect`: exit code, output, and what was noted.
fn connect(url: &str, options: &[&str], lines: &str) -> (Option<i32>, String, String) {
    say(program().args(["connect", url]).args(options), lines)
}

/// Says `lines` through a command.
fn say(command: &mut Command, lines: &str) -> (Option<i32>, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refused its options is gone already.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let status = wait(&mut child);
    let (mut output, mut notes) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    stdout.read_to_string(&mut output).unwrap();
    stderr.read_to_string(&mut notes).unwrap();
    (status.code(), output, notes)
}

fn url(server: &Server) -> String {
    format!("wss://localhost:{}/", server.address.port())
}

fn connect_echoes_through_serve_over_tls(engine: Engine) {
    let files = Files::new("echo");
    let server = files.serve(engine);
    let options = ["--tls-ca", files.cert(), "--deflate"];
    let (code, output, notes) = connect(&url(&server), &options, "hello\nzwölf\n");
    assert_eq!((code, &output[..]), (Some(0), "hello\nzwölf\n"), "{notes}");
    server.signal("TERM");
    assert_eq!(server.end().0.code(), Some(0));
}

fn the_roots_of_the_system_are_trusted(engine: Engine) {
    let files = Files::new("system");
    let server = files.serve(engine);
    // Where OpenSSL's programs look for them instead of the system's own place.
    let mut program = program();
    program.env("SSL_CERT_FILE", files.cert());
    let (code, output, notes) = say(program.args(["connect", &url(&server)]), "hello\n");
    assert_eq!((code, &output[..]), (Some(0), "hello\n"), "{notes}");
}

fn the_end_of_the_server_closes_with_1001(engine: Engine) {
    let files = Files::new("end");
    let server = files.serve(engine);
    let mut child = program()
        .args(["connect", &url(&server), "--insecure"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut notes = String::new();
    stderr.read_line(&mut notes).unwrap();
    server.signal("TERM");
    assert_eq!(wait(&mut child).code(), Some(0));
    stderr.read_to_string(&mut notes).unwrap();
    assert!(notes.contains("closed by the peer with 1001"), "{notes}");
    assert_eq!(server.end().0.code(), Some(0));
}

fn a_page_ends_as_tls_wants_it(engine: Engine) {
    let files = Files::new("page");
    let server = files.serve(engine);
    let config = files.trusting();
    let mut stream = TlsStream::connect(server.tcp(), "localhost", config, DEADLINE).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut page = Vec::new();
    // RFC 8446 6.1: without close_notify it might have been cut, which is an error here.
    stream.read_to_end(&mut page).unwrap();
    assert!(page.starts_with(b"HTTP/1.1 200 OK"));
}

fn a_message_is_in_one_record_with_its_header(engine: Engine) {
    let files = Files::new("record");
    let server = files.serve(engine);
    let tcp = server.tcp();
    let mut socket = tcp.try_clone().unwrap();
    let stream = TlsStream::connect(tcp, "localhost", files.trusting(), DEADLINE).unwrap();
    let mut websocket = framewire::connect_stream(stream, &url(&server)).unwrap();
    websocket.write([7; 10_000]).unwrap();
    // RFC 8446 5.1: the type, the version and the length of a record.
    let mut header = [0; 5];
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.read_exact(&mut header).unwrap();
    let len = u16::from_be_bytes([header[3], header[4]]);
    assert!(len > 10_000, "{len}");
}

fn large_messages_come_back_to_a_peer_that_reads_late(engine: Engine) {
    const MESSAGES: usize = 60;
    let files = Files::new("large");
    let server = files.serve(engine);
    let config = files.trusting();
    let stream = TlsStream::connect(server.tcp(), "localhost", config, DEADLINE).unwrap();
    let uri = url(&server);
    let websocket = framewire::connect_stream(stream, &uri).unwrap();
    let socket = websocket.stream();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    let (mut reader, mut writer) = websocket.split().unwrap();
    let payload: Vec<u8> = (0..500_000_u32).map(|i| (i / 3) as u8).collect();
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..MESSAGES {
                writer.write(&payload).unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        until_it_rests(&sent);
        for _ in 0..MESSAGES {
            let message = reader.next_message().unwrap().unwrap();
            assert!(message.payload() == payload);
        }
    });
}

fn a_peer_that_takes_nothing_is_ended(engine: Engine) {
    let files = Files::new("stalled");
    let server = files.serve_with(engine, &["--write-timeout", "0.5"]);
    let tcp = server.tcp();
    let socket = tcp.try_clone().unwrap();
    let stream = TlsStream::connect(tcp, "localhost", files.trusting(), DEADLINE).unwrap();
    let (connector, config) = (Connector::new(), Config::default());
    let mut websocket =
        framewire::connect_stream_with(stream, &url(&server), &connector, config).unwrap();
    let payload = vec![7; 16 << 20];
    websocket.write(&payload).unwrap();
    eventually("a reset", || is_reset(&socket).then_some(()));
}

fn a_certificate_that_nobody_vouches_for_is_refused_unless_it_is_asked_for(engine: Engine) {
    let files = Files::new("unknown");
    let server = files.serve(engine);
    let other = Files::new("other");
    // Waiting for another one is of no use.
    for options in [&["--reconnect"][..], &["--tls-ca", other.cert()]] {
        let (code, output, notes) = connect(&url(&server), options, "hello\n");
        assert_eq!((code, &output[..]), (Some(1), ""));
        assert!(
            notes.contains("certificate of localhost is not trusted") || notes.contains("roots"),
            "{notes}"
        );
    }
    let (code, output, notes) = connect(&url(&server), &["--insecure"], "hello\n");
    assert_eq!((code, &output[..]), (Some(0), "hello\n"), "{notes}");
}

fn a_certificate_for_another_host_is_refused(engine: Engine) {
    let files = Files::new("host");
    let server = files.serve(engine);
    let url = format!("wss://{}/", server.address);
    let (code, _, notes) = connect(&url, &["--tls-ca", files.cert()], "hello\n");
    assert_eq!(code, Some(1));
    assert!(notes.contains("not for 127.0.0.1"), "{notes}");
}

fn pages_without_tls_are_of_another_origin(engine: Engine) {
    let files = Files::new("origin");
    let server = files.serve(engine);
    let port = server.address.port();
    for (scheme, code) in [("https", 0), ("http", 1)] {
        let origin = format!("{scheme}://localhost:{port}");
        let options = ["--insecure", "--origin", &origin];
        let (got, _, notes) = connect(&url(&server), &options, "");
        assert_eq!(got, Some(code), "{notes}");
    }
}

fn a_client_without_tls_is_turned_away(engine: Engine) {
    let files = Files::new("plain");
    let server = files.serve(engine);
    let started = Instant::now();
    let mut stream = server.tcp();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // RFC 8446 6.2: an alert, and the end.
    assert_eq!(answer.first(), Some(&21));
    assert!(started.elapsed() < DEADLINE);
}

fn failures_of_tls_are_logged(engine: Engine) {
    let files = Files::new("logged");
    let options = ["--tls-cert", files.cert(), "--tls-key", files.key()];
    let (server, log) = Server::start_logging(engine, &options);
    for (bytes, line) in [
        (&b""[..], "stream ended in the tls handshake"),
        // The beginning of a record.
        (&[22, 3, 1, 2, 0, 1], "stream ended in the tls handshake"),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "tls handshake failed: received corrupt message of type InvalidContentType",
        ),
    ] {
        let mut stream = server.tcp();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let line = format!("no request: {line}");
        log.expect(stream.local_addr().unwrap(), &line);
    }
    let tcp = server.tcp();
    let socket = tcp.try_clone().unwrap();
    let _tls = TlsStream::connect(tcp, "localhost", files.trusting(), DEADLINE).unwrap();
    // Cut off, without what TLS ends with.
    socket.shutdown(Shutdown::Write).unwrap();
    let line = "no request: stream ended before the request";
    log.expect(socket.local_addr().unwrap(), line);
}

/// Signs whatever it is given with bytes that are no signature.
#[derive(Debug)]
struct Nonsense(SignatureAlgorithm, SignatureScheme);

impl SigningKey for Nonsense {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = Self(self.0, self.1);
        offered.contains(&self.1).then(|| Box::new(signer) as _)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0
    }
}

impl Signer for Nonsense {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(b"no signature".to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        self.1
    }
}

/// A server of one connection with this certificate, by these versions of TLS: its port.
fn serve_showing(
    certificate: &[u8],
    key: Nonsense,
    versions: &[&'static SupportedProtocolVersion],
) -> u16 {
    let shown = CertifiedKey::new(
        vec![CertificateDer::from(certificate.to_vec())],
        Arc::new(key),
    );
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let stream = TlsStream::accept(tcp, Arc::new(config), DEADLINE).unwrap();
        let (acceptor, config) = (Acceptor::new(), Config::default());
        let mut websocket = framewire::accept_with(stream, &acceptor, config).unwrap();
        while let Ok(Some((message, writer))) = websocket.next_message_and_writer() {
            writer.feed(message).unwrap();
        }
    });
    port
}

#[test]
fn insecure_means_any_certificate_and_any_signature() {
    let der = |pem: &str| {
        CertificateDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .to_vec()
    };
    let mut authority = CertificateParams::new(["localhost".to_owned()]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = authority.self_signed(&KeyPair::generate().unwrap());
    let ecdsa = || {
        Nonsense(
            SignatureAlgorithm::ECDSA,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        )
    };
    let rsa = || Nonsense(SignatureAlgorithm::RSA, SignatureScheme::RSA_PSS_SHA256);
    let larger = Nonsense(
        SignatureAlgorithm::ECDSA,
        SignatureScheme::ECDSA_NISTP521_SHA512,
    );
    let (tls12, tls13) = (&[&TLS12][..], &[&TLS13][..]);
    for (certificate, key, versions) in [
        (der(VERSION_1), ecdsa(), tls12),
        (der(VERSION_1), ecdsa(), tls13),
        (der(SHORT_RSA), rsa(), tls12),
        (der(SHORT_RSA), rsa(), tls13),
        (authority.unwrap().der().to_vec(), ecdsa(), tls13),
        (b"no certificate".to_vec(), ecdsa(), tls13),
        (der(VERSION_1), larger, tls13),
    ] {
        let port = serve_showing(&certificate, key, versions);
        let url = format!("wss://localhost:{port}/");
        let (code, output, notes) = connect(&url, &["--insecure"], "hello\n");
        assert_eq!((code, &output[..]), (Some(0), "hello\n"), "{notes}");
    }
}

#[test]
fn certificates_and_keys_that_cannot_be_served_say_what_to_do() {
    let files = Files::new("unusable");
    let write = |name: &str, text: &str| {
        let file = files.key.with_file_name(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let old = write("version-1.pem", VERSION_1);
    // The bytes do not matter: what stands above them says that they are encrypted.
    let encrypted = write(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let encrypted_too = write(
        "encrypted-too.pem",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
         MAA=\n-----END EC PRIVATE KEY-----\n",
    );
    let none = write("none.pem", VERSION_1);
    for (cert, key, words) in [
        (
            &old[..],
            files.key(),
            "version-1.pem: it is of X.509 version 1",
        ),
        (files.cert(), &none, "none.pem: no private key in it"),
        (
            files.cert(),
            &encrypted,
            "encrypted.pem: the key is encrypted",
        ),
        (
            files.cert(),
            &encrypted_too,
            "encrypted-too.pem: the key is encrypted",
        ),
    ] {
        let (code, text) = run(&["serve", "--tls-cert", cert, "--tls-key", key]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let files = Files::new("swapped");
    let missing = files.key.with_file_name("missing.pem");
    let missing = missing.to_str().unwrap();
    for (cert, key, named) in [
        (missing, files.key(), missing),
        (files.cert(), missing, missing),
        (files.key(), files.key(), files.key()),
        (files.cert(), files.cert(), files.cert()),
        (files.cert(), Files::new("stranger").key(), "stranger"),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert];
        let (code, text) = run(&[&serve[..], &["--tls-key", key]].concat());
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(named), "{text}");
    }
    assert_eq!(run(&["serve", "--tls-cert", files.cert()]).0, Some(2));
}

fn half_a_handshake_ends_when_its_time_is_over(engine: Engine) {
    let server = Files::new("late").serve(engine);
    let mut stream = server.tcp();
    // The header of a record, and nothing of what is in it.
    stream.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    // It is over in 10 s, and the deadline of a read is twice that.
    stream.read_to_end(&mut Vec::new()).unwrap();
}

/// For `localhost`, made with OpenSSL 3.0: `openssl ecparam -name prime256v1 -genkey -noout -out key.pem`,
/// `openssl req -new -key key.pem -subj /CN=localhost -out request.csr`, `openssl x509 -req -in request.csr
/// -signkey key.pem -days 365000`. Without extensions, that is X.509 version 1.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBJDCBywIUXGgo25/fdakzkXMbOiuaZj8I7lAwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzE2MzgyNloYDzMwMjYwMzMwMTYzODI2
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASz468yg+KIVItmtQba6obllJnZ2bfvE9zgVcRlVVUrUyLfR7d4Jq460/RNsw3o
jmhpevov45H8f0W8fX4Q552RMAoGCCqGSM49BAMCA0gAMEUCIBrzc79FwPr0To/F
EWhDFi3zdM+6Ft269P3wcMZygmoHAiEAyqzNwRlTn4ikNUcU4cma1msIgTaVuU9s
rKaVo7NmpdQ=
-----END CERTIFICATE-----
";

/// The same with `openssl genrsa 1024`.
const SHORT_RSA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBrDCCARUCFFwBPXxfr4IxAatl1E0OOjxzqD2KMA0GCSqGSIb3DQEBCwUAMBQx
EjAQBgNVBAMMCWxvY2FsaG9zdDAgFw0yNjExMjcxNjM4MjZaGA8zMDI2MDMzMDE2
MzgyNlowFDESMBAGA1UEAwwJbG9jYWxob3N0MIGfMA0GCSqGSIb3DQEBAQUAA4GN
ADCBiQKBgQDI9rjwv7wzUXrSbjuBQ7te1lnY6Pnsosl3+WyynPLLyrHfoTyyF2tP
pYgYbbo7BAB9saw5q7xaXbBuA7kbrM8C+jAm6MILI3YVVZ3UM5MScu80gwHgDe1X
gPM9DtLA836cMQ+3AgKJnwAPSi5cEgUsih0a7mwyt4OhPPfJb/iFVwIDAQABMA0G
CSqGSIb3DQEBCwUAA4GBAJyav+fX6UbHHGzwcumaiX+7CAWZ3mUoPRU2CvFtMSsO
387rBq0gaimxk8/Od7hBkmeUc22XoLebSNAj+cxA+TcUsV3e1b7Y0k4/n2XRseOx
JHLMTwxncgnxxvh5H0/Igkxl5ANAdOti36LvTSDu+EQHQ59uMSUyR+xLfPyn/tVk
-----END CERTIFICATE-----
";
