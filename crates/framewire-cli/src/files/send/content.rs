//! Files that are sent, and what of them is still to be sent.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::files::checksum::Checksum;
use crate::files::name;

/// A file to send.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    /// The name that it gets.
    pub(super) name: String,
    /// Whether it is a pipe or the like, which can be read only once.
    is_stream: bool,
}

/// The files that the user names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Those that can be sent.
    pub(super) sources: Vec<Source>,
    /// Why each of the others cannot, such as a directory.
    pub(super) left_out: Vec<String>,
}

/// Looks for the files that the user names. Fails where it is not clear which of them gets which name.
pub(super) fn named(paths: &[PathBuf], name: Option<&str>) -> Result<Named, String> {
    if let Some(name) = name {
        if paths.len() > 1 {
            return Err("--name is for one file".to_owned());
        }
        if let Some(refusal) = name::refusal(name, true) {
            return Err(format!("--name {name}: {refusal}"));
        }
    } else if paths.iter().any(|path| is_stdin(path)) {
        return Err("the standard input needs a --name".to_owned());
    }
    let mut named = Named::default();
    for path in paths {
        match Source::new(path, name) {
            Ok(source) if named.sources.iter().any(|other| other.name == source.name) => {
                let name = source.name;
                return Err(format!(
                    "two files have the name {name}: send one of them with --name"
                ));
            }
            Ok(source) => named.sources.push(source),
            Err(why) => named.left_out.push(format!("{}: {why}", path.display())),
        }
    }
    Ok(named)
}

impl Source {
    fn new(path: &Path, name: Option<&str>) -> Result<Self, String> {
        let is_stream = if is_stdin(path) {
            true
        } else {
            let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
            if metadata.is_dir() {
                return Err(
                    "is a directory; send it as an archive, as with `tar c DIR | framewire send \
                     URL - --name NAME`"
                        .to_owned(),
                );
            }
            !metadata.is_file()
        };
        let name = name.map_or_else(|| own_name(path), Ok)?;
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            is_stream,
        })
    }

    pub(super) fn open(&self) -> io::Result<Content> {
        let reader: Reader = if is_stdin(&self.path) {
            Reader::Stream(Box::new(io::stdin()))
        } else {
            let file = File::open(&self.path)?;
            if self.is_stream {
                Reader::Stream(Box::new(file))
            } else {
                let size = file.metadata()?.len();
                Reader::File { file, size }
            }
        };
        Ok(Content {
            reader,
            checksum: Checksum::new(),
            position: 0,
        })
    }

    pub(super) fn is_stream(&self) -> bool {
        self.is_stream
    }
}

fn own_name(path: &Path) -> Result<&str, String> {
    let name = path.file_name().ok_or("has no name; --name gives it one")?;
    let name = name
        .to_str()
        .ok_or("the name is not UTF-8; --name gives it another")?;
    match name::refusal(name, true) {
        Some(refusal) => Err(format!("{refusal}; --name gives it another")),
        None => Ok(name),
    }
}

/// Returns whether a path means the standard input.
fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The content of a file, from where the sending begins. Reading it adds to its checksum.
pub(super) struct Content {
    reader: Reader,
    /// The checksum of all that was read.
    checksum: Checksum,
    position: u64,
}

enum Reader {
    File {
        file: File,
        /// As it was announced: what is appended meanwhile is not sent.
        size: u64,
    },
    /// Its size is not known, and it is read only once.
    Stream(Box<dyn Read>),
}

impl Content {
    /// Returns the number of bytes, if it is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self.reader {
            Reader::File { size, .. } => Some(size),
            Reader::Stream(_) => None,
        }
    }

    /// Returns the checksum of the first `bytes` bytes; `None` if there are fewer, or they cannot be read again. Calls
    /// `looked` with how much was read so far.
    pub(super) fn prefix(
        &mut self,
        bytes: u64,
        looked: impl Fn(u64),
    ) -> io::Result<Option<String>> {
        let Reader::File { file, size } = &mut self.reader else {
            return Ok(None);
        };
        if bytes > *size {
            return Ok(None);
        }
        let position = &mut self.position;
        self.checksum.add_from(file, bytes, |len| {
            *position += len as u64;
            looked(*position);
        })?;
        Ok(Some(self.checksum.digits()))
    }

    /// Begins at `from`: after the prefix, or with the whole file. Returns whether it can.
    pub(super) fn begin(&mut self, from: u64) -> io::Result<bool> {
        if from == self.position {
            return Ok(true);
        }
        let Reader::File { file, .. } = &mut self.reader else {
            return Ok(false);
        };
        file.seek(SeekFrom::Start(0))?;
        self.checksum = Checksum::new();
        self.position = 0;
        Ok(from == 0)
    }

    /// Returns the checksum of what was read.
    pub(super) fn digits(&self) -> String {
        self.checksum.digits()
    }

    /// Returns whether anything was read.
    pub(super) fn is_begun(&self) -> bool {
        self.position > 0
    }
}

impl Read for Content {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.reader {
            Reader::File { file, size } => {
                let left = size.saturating_sub(self.position);
                file.take(left).read(buf)?
            }
            Reader::Stream(stream) => stream.read(buf)?,
        };
        self.checksum.add(&buf[..len]);
        self.position += len as u64;
        Ok(len)
    }
}
