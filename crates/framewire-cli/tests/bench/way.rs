//! The way to the server: TLS, redirects, an end before there is a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::{env, fs, process};

use serde_json::Value;

use crate::program::{Bench, DEADLINE, echo, errors, json, number, open, server};

/// `framewire serve`, killed when this is dropped.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_is_measured_over_tls() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = env::temp_dir().join(format!("framewire-bench-{}-tls", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_framewire"));
    program.args(["serve", "--listen", "localhost:0", "--tls-cert"]);
    program.arg(&cert).arg("--tls-key").arg(&key);
    let mut serve = Serve(
        program
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    let mut output = BufReader::new(serve.0.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let port = line
        .trim_end()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap();
    let url = format!("wss://localhost:{port}/");

    let options = [
        "-c2",
        "-d1",
        "--warm-up=0",
        "--tls-ca",
        cert.to_str().unwrap(),
    ];
    let (code, told) = json(&url, &options);
    assert_eq!((code, errors(&told)), (0, vec![]), "{line}");
    assert_eq!(told.pointer("/connections/tls"), Some(&Value::Bool(true)));
    assert!(number(&told, "/messages/answered") > 0);

    let (code, told) = json(&url, &["-c2", "-d1000"]);
    assert_eq!((code, errors(&told)), (1, vec![("connect", None, 2)]));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn it_is_told_where_redirects_lead() {
    let (end, served) = server(1, |stream| echo(open(stream), |_| {}));
    let location = end.clone();
    let (url, redirected) = server(1, move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let head = format!("HTTP/1.1 302 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
    });
    let (code, told) = json(&url, &["-c1", "-d0.2", "--follow=1"]);
    redirected.join().unwrap();
    served.join().unwrap();
    let place = told.pointer("/connections/redirected_to").unwrap();
    assert_eq!((code, place.as_str()), (0, Some(&end[..])));
}

#[test]
fn a_url_without_a_path_is_no_redirect() {
    let (url, served) = server(1, |stream| echo(open(stream), |_| {}));
    let url = url.strip_suffix("/path").unwrap();
    let (code, told) = json(url, &["-c1", "-d0.2"]);
    served.join().unwrap();
    let place = told.pointer("/connections/redirected_to").unwrap();
    assert_eq!((code, place), (0, &Value::Null));
}

#[test]
fn an_interrupt_before_there_is_a_connection_ends_with_130() {
    let (asked, is_asked) = mpsc::channel();
    let (done, waits) = mpsc::channel::<()>();
    let (asked, waits) = (Mutex::new(asked), Mutex::new(waits));
    let (url, served) = server(1, move |mut stream| {
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        asked.lock().unwrap().send(()).unwrap();
        let _ = waits.lock().unwrap().recv();
    });
    let bench = Bench::start(&url, &["-c1", "--timeout=1000", "--quiet"]);
    is_asked.recv_timeout(DEADLINE).unwrap();
    bench.signal("INT");
    let ended = bench.end();
    drop(done);
    served.join().unwrap();
    assert_eq!((ended.code, &ended.notes[..]), (130, ""));
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_an_error() {
    for options in [&[][..], &["--json"]] {
        let (url, served) = server(1, |stream| echo(open(stream), |_| {}));
        let mut program = Command::new(env!("CARGO_BIN_EXE_framewire"));
        program.args(["bench", &url, "-c1", "-d0.1", "--warm-up=0", "--quiet"]);
        let full = fs::File::create("/dev/full").unwrap();
        let output = program.args(options).stdout(full).output().unwrap();
        served.join().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(notes.contains("cannot write the results"), "{notes}");
    }
}
