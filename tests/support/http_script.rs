//! A scripted stream, for the tests of `upgrade` and `handshake`.

use framewire::Socket;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

/// A peer that says what the script says and then closes. Handles share one connection.
#[derive(Debug, Clone, Default)]
pub struct Script {
    input: Rc<RefCell<VecDeque<Step>>>,
    output: Rc<RefCell<Vec<u8>>>,
    timeouts: Rc<Cell<Timeouts>>,
    /// I/O calls until one fails; `None` is never.
    fail_after: Rc<Cell<Option<usize>>>,
    at_most: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Fail(ErrorKind),
}

/// The time-outs last set, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub read: Option<Duration>,
    pub write: Option<Duration>,
    pub set: usize,
}

impl Script {
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let script = Self {
            at_most: usize::MAX,
            ..Self::default()
        };
        script.then(bytes)
    }

    pub fn then(self, bytes: impl AsRef<[u8]>) -> Self {
        self.input
            .borrow_mut()
            .push_back(Step::Bytes(bytes.as_ref().to_vec()));
        self
    }

    pub fn then_fail(self, kind: ErrorKind) -> Self {
        self.input.borrow_mut().push_back(Step::Fail(kind));
        self
    }

    /// Lets no read or write move more than `count` bytes.
    pub fn in_pieces_of(mut self, count: usize) -> Self {
        self.at_most = count;
        self
    }

    /// Fails the I/O call after the next `count`.
    pub fn fail_after(self, count: usize) -> Self {
        self.fail_after.set(Some(count));
        self
    }

    pub fn output(&self) -> String {
        String::from_utf8(self.output.borrow().clone()).unwrap()
    }

    pub fn timeouts(&self) -> Timeouts {
        self.timeouts.get()
    }

    /// Whether the script has been read to its end.
    pub fn is_used_up(&self) -> bool {
        self.input.borrow().is_empty()
    }

    fn count(&self) -> io::Result<()> {
        match self.fail_after.get() {
            Some(0) => Err(ErrorKind::ConnectionAborted.into()),
            Some(left) => {
                self.fail_after.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.count()?;
        let mut input = self.input.borrow_mut();
        match input.pop_front() {
            None => Ok(0),
            Some(Step::Fail(kind)) => Err(kind.into()),
            Some(Step::Bytes(mut bytes)) => {
                let count = bytes.len().min(buf.len()).min(self.at_most);
                buf[..count].copy_from_slice(&bytes[..count]);
                if count < bytes.len() {
                    input.push_front(Step::Bytes(bytes.split_off(count)));
                }
                Ok(count)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.count()?;
        let count = buf.len().min(self.at_most);
        self.output.borrow_mut().extend_from_slice(&buf[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.count()
    }
}

impl Socket for Script {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        let old = self.timeouts.get();
        self.timeouts.set(Timeouts {
            read: timeout,
            set: old.set + 1,
            ..old
        });
        self.count()
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        let old = self.timeouts.get();
        self.timeouts.set(Timeouts {
            write: timeout,
            set: old.set + 1,
            ..old
        });
        self.count()
    }
}

/// A sound WebSocket request, for the key of RFC 6455 1.3.
pub const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

/// [`REQUEST`] with a line put in after the first.
pub fn request_with(line: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{line}\r\n"), 1)
}

/// [`REQUEST`] with the line that begins so replaced, or left out where `line` is empty.
pub fn request_replacing(start: &str, line: &str) -> String {
    assert_eq!(
        REQUEST.lines().filter(|old| old.starts_with(start)).count(),
        1
    );
    let mut request = String::new();
    for old in REQUEST.lines() {
        let new = if old.starts_with(start) { line } else { old };
        if !new.is_empty() || old.is_empty() {
            request.push_str(new);
            request.push_str("\r\n");
        }
    }
    request
}

/// The status of a response.
pub fn status_of(output: &str) -> u16 {
    output.strip_prefix("HTTP/1.1 ").unwrap()[..3]
        .parse()
        .unwrap()
}

/// The values of a header in a response.
pub fn header_of<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let (head, _) = output.split_once("\r\n\r\n").unwrap();
    let fields = head
        .split("\r\n")
        .skip(1)
        .map(|line| line.split_once(": ").unwrap());
    fields
        .filter(|field| field.0.eq_ignore_ascii_case(name))
        .map(|field| field.1)
        .collect()
}

pub fn body_of(output: &str) -> &str {
    output.split_once("\r\n\r\n").unwrap().1
}
