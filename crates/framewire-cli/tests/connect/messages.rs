//! Lines and messages, both ways.

use std::net::TcpStream;
use std::path::Path;

use framewire::handshake::{Acceptor, PendingHandshake};
use framewire::{CloseCode, Opcode, Side};

use crate::client::{Client, DEADLINE, echo, open, program, server};

#[test]
fn lines_are_text_messages_both_ways() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let mut client = Client::start(&url, &[]);
    client.say("hello\n".as_bytes());
    assert_eq!(client.line(), "hello\n");
    client.say("zwölf\r\n\nlast, without a line break".as_bytes());
    let (code, output, notes) = client.end_of_input();
    assert_eq!(output, "zwölf\n\nlast, without a line break\n");
    assert_eq!(code, 0, "{notes}");
    assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    assert!(notes.contains(&format!("connected to {url}")), "{notes}");
}

#[test]
fn a_line_that_is_not_text_is_not_sent() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let mut client = Client::start(&url, &[]);
    client.say(b"\xFF\nafter\n");
    assert_eq!(client.line(), "after\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 2);
    assert!(
        notes.contains("not sent: text that is not UTF-8"),
        "{notes}"
    );
    served.join().unwrap();
}

fn send_binary(pending: PendingHandshake<TcpStream>) {
    let mut websocket = open(pending);
    for payload in [&b"\x00\x0f\xf0"[..], b"abc"] {
        websocket.write(payload).unwrap();
    }
    websocket.write("text").unwrap();
    websocket.shutdown(DEADLINE).unwrap();
}

#[test]
fn binary_messages_are_printed_in_hexadecimal() {
    let (url, served) = server(Acceptor::new(), send_binary);
    let (code, output, _) = Client::start(&url, &[]).end();
    assert_eq!((code, &output[..]), (0, "000ff0\n616263\ntext\n"));
    served.join().unwrap();
}

#[test]
fn binary_messages_go_into_a_file_as_they_are() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connect-binary");
    let (url, served) = server(Acceptor::new(), send_binary);
    let options = ["--binary", file.to_str().unwrap()];
    let (code, output, _) = Client::start(&url, &options).end();
    assert_eq!((code, &output[..]), (0, "text\n"));
    assert_eq!(std::fs::read(&file).unwrap(), b"\x00\x0f\xf0abc");
    served.join().unwrap();
}

#[test]
fn a_full_disk_is_said_and_ends_the_connection_with_a_close_frame() {
    let full = || std::fs::File::create("/dev/full").unwrap();
    for binary in [false, true] {
        let (url, served) = server(Acceptor::new(), move |pending| {
            let mut websocket = open(pending);
            let opcode = if binary { Opcode::Binary } else { Opcode::Text };
            websocket.write((opcode, b"hello")).unwrap();
            // The client says goodbye, whatever else comes.
            websocket.write((opcode, b"too late")).unwrap();
            assert!(websocket.next_message().unwrap().is_none());
            websocket.closed().unwrap()
        });
        let options = if binary {
            &["--binary", "/dev/full"][..]
        } else {
            &[]
        };
        let mut program = program(&url, options);
        if !binary {
            program.stdout(full());
        }
        let mut client = program.spawn().unwrap();
        // The end of the input would be a second reason to end, for which the program does not wait.
        let input = client.stdin.take();
        let output = client.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(2));
        let notes = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = notes.lines().collect();
        assert_eq!(lines.len(), 2, "it connected, and failed: {notes}");
        assert!(lines[1].contains("cannot write a message"), "{notes}");
        let closed = served.join().unwrap();
        assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
    }
}

#[test]
fn a_file_is_left_alone_where_there_is_no_connection() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connect-kept");
    std::fs::write(&file, "kept").unwrap();
    let options = ["--binary", file.to_str().unwrap()];
    let (code, _, _) = Client::start("ws://127.0.0.1:1/", &options).end();
    assert_eq!(code, 1);
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[test]
fn input_that_cannot_be_read_is_said() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let directory = std::fs::File::open("/").unwrap();
    let output = program(&url, &[]).stdin(directory).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("cannot read the input"), "{notes}");
    assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
}
