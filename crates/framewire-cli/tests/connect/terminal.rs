//! The program at a terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use framewire::handshake::Acceptor;
use framewire::{CloseCode, WebSocket};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::client::{DEADLINE, echo, open, server};

/// The program at a terminal that this end reads and types at; killed when this is dropped.
struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    /// All that has been printed.
    shown: String,
    /// The program's end of the terminal.
    end: File,
}

impl Terminal {
    fn start(url: &str, options: &[&str], environment: &[(&str, &str)]) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, vec![]).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let end = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        // An editor needs one that has a width.
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).unwrap();
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buf = [0; 4096];
            // It fails once the program and this end of the terminal are gone.
            while let Ok(len) = screen.read(&mut buf) {
                let _ = sender.send(buf[..len].to_vec());
            }
        });
        let child = Command::new(env!("CARGO_BIN_EXE_framewire"))
            .args(["connect", url])
            .args(options)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(end.try_clone().unwrap())
            .stdout(end.try_clone().unwrap())
            .stderr(end.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            keyboard,
            output,
            shown: String::new(),
            end,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and returns what was shown since the last such wait, to its end.
    fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let left = until.saturating_duration_since(Instant::now());
            let piece = self.output.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Waits for the program to end, and returns its exit code.
    fn code(&mut self) -> i32 {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < until, "it goes on: {:?}", self.shown);
            thread::yield_now();
        }
    }

    /// Returns whether the terminal shows what is typed, and gives it to programs by lines.
    fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.end).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn next_text<S: framewire::Socket>(websocket: &mut WebSocket<S>) -> String {
    let message = websocket.next_message().unwrap().unwrap();
    message.text().unwrap().to_owned()
}

#[test]
fn what_arrives_does_not_tear_the_line_that_is_typed() {
    let (go, may_send) = mpsc::channel();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let mut websocket = open(pending);
        may_send.recv_timeout(DEADLINE).unwrap();
        websocket.write("news\x1b[2J").unwrap();
        let typed = [(); 2].map(|()| next_text(&mut websocket));
        websocket.close(CloseCode::NORMAL, "").unwrap();
        assert!(websocket.next_message().unwrap().is_none());
        typed
    });
    let mut terminal = Terminal::start(&url, &[], &[]);
    terminal.wait_for("> ");
    terminal.press("hel");
    terminal.wait_for("hel");
    go.send(()).unwrap();
    // The message has a line of its own, and the line that was begun is shown again below it.
    terminal.wait_for("news\\u{1b}[2J");
    terminal.wait_for("> hel");
    // The left arrow, so that the rest goes in front of the last character; later the up arrow.
    terminal.press("\x1b[Dlo\r");
    terminal.wait_for("\n");
    terminal.press("\x1b[A\r");
    assert_eq!(served.join().unwrap(), ["helol", "helol"]);
    assert_eq!(terminal.code(), 0);
    assert!(terminal.is_as_before());
}

#[test]
fn keys_that_end_the_input_close_the_connection() {
    // Ctrl-C and Ctrl-D.
    for key in ["\x03", "\x04"] {
        let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
        let mut terminal = Terminal::start(&url, &[], &[]);
        terminal.wait_for("> ");
        assert!(!terminal.is_as_before(), "the editor has the terminal");
        terminal.press(key);
        assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
        assert_eq!(terminal.code(), 0);
        assert!(terminal.is_as_before());
    }
}

#[test]
fn a_connection_that_is_lost_leaves_the_terminal_as_it_was() {
    let (url, served) = server(Acceptor::new(), |pending| drop(open(pending)));
    let mut terminal = Terminal::start(&url, &[], &[]);
    served.join().unwrap();
    assert_eq!(terminal.code(), 2);
    assert!(terminal.is_as_before());
}

#[test]
fn lines_can_be_typed_while_messages_stream_in() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let websocket = open(pending);
        let (mut reader, mut writer) = websocket.split().unwrap();
        let stream = thread::spawn(move || while writer.write("tick").is_ok() {});
        let mut lines = vec![];
        while let Some(message) = reader.next_message().unwrap() {
            lines.push(message.text().unwrap().to_owned());
        }
        stream.join().unwrap();
        lines
    });
    let mut terminal = Terminal::start(&url, &[], &[]);
    terminal.wait_for("> ");
    for line in ["one\r", "two\r", "three\r"] {
        terminal.wait_for("tick");
        terminal.press(line);
    }
    terminal.wait_for("tick");
    terminal.press("\x04");
    assert_eq!(served.join().unwrap(), ["one", "two", "three"]);
    assert_eq!(terminal.code(), 0);
    assert!(terminal.is_as_before());
}

#[test]
fn the_last_message_is_shown_however_soon_the_end_comes() {
    for _ in 0..20 {
        let (url, served) = server(Acceptor::new(), |pending| {
            let mut websocket = open(pending);
            websocket.feed("the last").unwrap();
            websocket.close(CloseCode::NORMAL, "").unwrap();
            assert!(websocket.next_message().unwrap().is_none());
        });
        let mut terminal = Terminal::start(&url, &[], &[]);
        terminal.wait_for("the last");
        terminal.wait_for("closed by the peer with 1000");
        served.join().unwrap();
        assert_eq!(terminal.code(), 0);
        assert!(terminal.is_as_before());
    }
}

#[test]
fn a_signal_between_two_connections_leaves_the_terminal_as_it_was() {
    let (url, served) = server(Acceptor::new(), |pending| drop(open(pending)));
    let mut terminal = Terminal::start(&url, &["--reconnect=1000"], &[]);
    terminal.wait_for("again in");
    served.join().unwrap();
    terminal.press("half a line");
    terminal.wait_for("half a line");
    let id = rustix::process::Pid::from_child(&terminal.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(terminal.code(), 130);
    assert!(terminal.is_as_before());
}

#[test]
fn a_file_that_cannot_be_written_loses_no_line() {
    let (url, served) = server(Acceptor::new(), |pending| next_text(&mut open(pending)));
    let mut terminal = Terminal::start(&url, &["--history", "/nonexistent/file"], &[]);
    terminal.wait_for("> ");
    terminal.press("line\r");
    terminal.wait_for("cannot keep lines in /nonexistent/file");
    assert_eq!(served.join().unwrap(), "line");
}

#[test]
fn lines_are_kept_for_the_next_time_where_that_is_asked_for() {
    let file = std::env::temp_dir().join(format!("framewire-history-{}", std::process::id()));
    let options = ["--history", file.to_str().unwrap()];
    for (typed, expected) in [("one\r", "one"), ("\x1b[A\r", "one")] {
        let (url, served) = server(Acceptor::new(), |pending| next_text(&mut open(pending)));
        let mut terminal = Terminal::start(&url, &options, &[]);
        terminal.wait_for("> ");
        terminal.press(typed);
        assert_eq!(served.join().unwrap(), expected);
        terminal.code();
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    for (environment, has_colours) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let acceptor = Acceptor::new().subprotocols(["chat"]).unwrap();
        let (url, served) = server(acceptor, |pending| drop(open(pending)));
        let mut terminal = Terminal::start(&url, &["--subprotocol", "chat"], environment);
        let shown = terminal.wait_for("connected to");
        terminal.wait_for("subprotocol chat");
        assert_eq!(shown.contains("\x1b[90m"), has_colours, "{shown:?}");
        served.join().unwrap();
    }
}
