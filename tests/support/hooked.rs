//! A stream for many threads, whose writes do what a test says.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use framewire::{Duplicate, Socket};

use super::loopback::PATIENCE;

/// One handle of a stream in memory: reads wait for what the peer says, and a hook sees each write
/// before the peer does.
#[derive(Clone)]
pub struct Hooked(Arc<Inner>);

type Hook = dyn Fn(&Hooked, &[u8]) -> io::Result<()> + Send + Sync;

struct Inner {
    input: Mutex<Input>,
    arrived: Condvar,
    output: Mutex<Vec<u8>>,
    hook: Box<Hook>,
}

#[derive(Default)]
struct Input {
    bytes: VecDeque<u8>,
    ended: bool,
}

impl Hooked {
    pub fn new(hook: impl Fn(&Self, &[u8]) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            input: Mutex::default(),
            arrived: Condvar::new(),
            output: Mutex::default(),
            hook: Box::new(hook),
        }))
    }

    pub fn say(&self, bytes: &[u8]) {
        self.0.input.lock().unwrap().bytes.extend(bytes);
        self.0.arrived.notify_all();
    }

    pub fn output(&self) -> Vec<u8> {
        self.0.output.lock().unwrap().clone()
    }
}

impl Read for Hooked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let input = self.0.input.lock().unwrap();
        let silent = |input: &mut Input| input.bytes.is_empty() && !input.ended;
        let waited = self.0.arrived.wait_timeout_while(input, PATIENCE, silent);
        let (mut input, waited) = waited.unwrap();
        if waited.timed_out() {
            return Err(ErrorKind::TimedOut.into());
        }
        input.bytes.read(buf)
    }
}

impl Write for Hooked {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (self.0.hook)(self, buf)?;
        self.0.output.lock().unwrap().extend(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Hooked {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

impl Duplicate for Hooked {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        self.0.input.lock().unwrap().ended = true;
        self.0.arrived.notify_all();
        Ok(())
    }
}
