//! `wss://` between the two ends, with a certificate made on the spot.

use std::fs;
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};

use crate::ends::{End, accept, expect_reset, listener, rest, say};

/// A certificate for `localhost` that signs itself, and its key, in files.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("framewire-tunnel-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.self_signed(&key).unwrap();
        fs::write(directory.join("cert"), cert.pem()).unwrap();
        fs::write(directory.join("key"), key.serialize_pem()).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A server end with the certificate, and what a client end connects to.
fn server(files: &Files, service: &TcpListener) -> (End, String) {
    let target = service.local_addr().unwrap().to_string();
    let (cert, key) = (files.path("cert"), files.path("key"));
    let arguments = ["--listen", "wss://127.0.0.1:0", "--allow", &target];
    let with_cert = ["--tls-cert", &cert, "--tls-key", &key];
    let server = End::start(&[arguments, with_cert].concat());
    let url = format!("wss://localhost:{}/", server.address.port());
    (server, url)
}

#[test]
fn each_direction_ends_by_itself_over_tls() {
    let (files, service) = (Files::new("ends"), listener());
    let (server, url) = server(&files, &service);
    let place = server.address.to_string();
    let options = ["--tls-ca", &files.path("cert"), "--connect-to", &place];
    let client = End::client_of(&url, &options);
    let user = client.tcp();
    let behind = accept(&service);
    say(&user, b"request");
    user.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&behind), b"request");
    let answer = support::pattern(1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            say(&behind, &answer);
            behind.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&user) == answer);
    });
    assert_eq!(client.logged(), "open");
    assert!(client.logged().starts_with("both directions ended; "));
    drop(server);
}

#[test]
fn a_certificate_that_is_not_trusted_makes_no_tunnel() {
    let (files, service) = (Files::new("untrusted"), listener());
    let (_server, url) = server(&files, &service);
    let client = End::client_of(&url, &["--retry", "0"]);
    expect_reset(client.tcp());
    let line = client.logged();
    assert!(line.starts_with("no tunnel: "), "{line}");
}
