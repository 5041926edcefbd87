//! A stream that records its calls, for tests of streams that pass calls on.

use crate::Socket;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::rc::Rc;
use std::time::Duration;

/// A stream in memory. A clone records to the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Rc<RefCell<Vec<String>>>);

impl Recorder {
    /// Returns the calls since this was last asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.take()
    }

    fn record(&self, call: impl Into<String>) {
        self.0.borrow_mut().push(call.into());
    }
}

impl Read for Recorder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.record("read");
        buf[..READ].fill(b'r');
        Ok(READ)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.record(format!("read {} at once", bufs.len()));
        Ok(READ)
    }
}

impl Write for Recorder {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.record(format!("write {buf:?}"));
        Ok(WRITTEN)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.record(format!("write {} at once", bufs.len()));
        Ok(WRITTEN)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.record("flush");
        Ok(())
    }
}

impl Socket for Recorder {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.record(format!("reads time out after {timeout:?}"));
        Ok(())
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.record(format!("writes time out after {timeout:?}"));
        Ok(())
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(READ_TIME)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(WRITE_TIME)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.record(format!("nodelay {nodelay}"));
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.record("end of writes");
        Ok(())
    }
}

/// Checks that a stream over a recorder makes each read and write there, and returns its result.
pub(crate) fn check_reads_and_writes<S: Read + Write>(wrap: impl FnOnce(Recorder) -> S) {
    let recorder = Recorder::default();
    let mut stream = wrap(recorder.clone());
    let (mut one, mut two) = ([0; 8], [0; 8]);
    assert_eq!(stream.read(&mut one).unwrap(), READ);
    assert_eq!(one[..READ], [b'r'; READ]);
    let bufs = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    assert_eq!(stream.read_vectored(bufs).unwrap(), READ);
    assert_eq!(stream.write(&[1, 2, 3]).unwrap(), WRITTEN);
    let bufs = &[IoSlice::new(&one), IoSlice::new(&two)];
    assert_eq!(stream.write_vectored(bufs).unwrap(), WRITTEN);
    stream.flush().unwrap();
    let calls = [
        "read",
        "read 2 at once",
        "write [1, 2, 3]",
        "write 2 at once",
        "flush",
    ];
    assert_eq!(recorder.calls(), calls);
}

/// Checks that a stream over a recorder has its time-outs, its delay and its end.
#[cfg(feature = "http")]
pub(crate) fn check_options<S: Socket>(wrap: impl FnOnce(Recorder) -> S) {
    let recorder = Recorder::default();
    let mut stream = wrap(recorder.clone());
    assert_eq!(stream.read_timeout().unwrap(), READ_TIME);
    assert_eq!(stream.write_timeout().unwrap(), WRITE_TIME);
    stream.set_read_timeout(WRITE_TIME).unwrap();
    stream.set_write_timeout(None).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_nodelay(false).unwrap();
    stream.shutdown_write().unwrap();
    let calls = [
        "reads time out after Some(5s)",
        "writes time out after None",
        "nodelay true",
        "nodelay false",
        "end of writes",
    ];
    assert_eq!(recorder.calls(), calls);
}

/// How many bytes a read gives, and how many a write takes.
const READ: usize = 3;
const WRITTEN: usize = 2;
const READ_TIME: Option<Duration> = Some(Duration::from_secs(4));
const WRITE_TIME: Option<Duration> = Some(Duration::from_secs(5));
