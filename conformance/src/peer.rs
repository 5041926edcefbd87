//! The other end of a stream, scripted: what it says, in which pieces, and what it takes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use framewire::Socket;

/// A stream in memory whose peer says what the script says.
#[derive(Debug, Default)]
pub struct ScriptedPeer {
    script: VecDeque<Step>,
    ending: Ending,
    taking: Taking,
    written: Vec<u8>,
    reads: usize,
    writes: usize,
}

/// What one read finds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Bytes(Vec<u8>),
    WouldBlock,
}

/// What comes after the script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// The peer is silent: `WouldBlock`.
    #[default]
    Silence,
    /// The stream ends.
    Eof,
}

/// What the peer takes of what is written to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Taking {
    /// Everything.
    #[default]
    All,
    /// At most so many bytes with one write.
    AtMost(usize),
    /// Nothing: `WouldBlock`.
    Nothing,
}

impl ScriptedPeer {
    /// A peer that says these bytes, one read each, and is then silent.
    pub fn saying<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let steps = pieces.into_iter().map(|piece| Step::Bytes(piece.into()));
        Self {
            script: steps.filter(|step| *step != Step::Bytes(vec![])).collect(),
            ..Self::default()
        }
    }

    /// Lets one read in between every two pieces find nothing.
    #[must_use]
    pub fn with_pauses(mut self) -> Self {
        let steps = std::mem::take(&mut self.script);
        self.script = steps
            .into_iter()
            .flat_map(|step| [Step::WouldBlock, step])
            .collect();
        self
    }

    /// What comes after the script.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// What the peer takes.
    #[must_use]
    pub fn taking(mut self, taking: Taking) -> Self {
        self.taking = taking;
        self
    }

    /// Changes what the peer takes from now on.
    pub fn set_taking(&mut self, taking: Taking) {
        self.taking = taking;
    }

    /// Says one more piece.
    pub fn say(&mut self, bytes: impl Into<Vec<u8>>) {
        self.script.push_back(Step::Bytes(bytes.into()));
    }

    /// Whether the script goes on.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.script.is_empty()
    }

    /// Everything that was written to the peer.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Takes out what was written to the peer.
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// How many reads there were.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads
    }

    /// How many writes there were.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes
    }
}

impl Read for ScriptedPeer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        match self.script.pop_front() {
            None => match self.ending {
                Ending::Silence => Err(ErrorKind::WouldBlock.into()),
                Ending::Eof => Ok(0),
            },
            Some(Step::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Some(Step::Bytes(mut bytes)) => {
                let len = bytes.len().min(buf.len());
                buf[..len].copy_from_slice(&bytes[..len]);
                if len < bytes.len() {
                    self.script.push_front(Step::Bytes(bytes.split_off(len)));
                }
                Ok(len)
            }
        }
    }
}

impl Write for ScriptedPeer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let len = match self.taking {
            Taking::All => buf.len(),
            Taking::AtMost(most) => buf.len().min(most),
            Taking::Nothing => return Err(ErrorKind::WouldBlock.into()),
        };
        self.written.extend(&buf[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for ScriptedPeer {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// Cuts bytes at these places, in any order.
#[must_use]
pub fn cut(bytes: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places.into_iter().filter(|&at| at < bytes.len()).collect();
    places.sort_unstable();
    let mut pieces = vec![];
    let mut start = 0;
    for end in places.into_iter().chain([bytes.len()]) {
        if end > start {
            pieces.push(bytes[start..end].to_vec());
            start = end;
        }
    }
    pieces
}
