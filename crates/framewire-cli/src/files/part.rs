//! Files that are being received: what is there of them, and how a part becomes the file.
//!
//! A part is a file beside the one that it becomes, and gets its name only once it is complete and on the disk. It
//! stays where the transfer breaks. Whether it belongs to a file that is offered later, the checksum of what is there
//! says.

use std::collections::HashSet;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checksum::Checksum;
use super::name::{self, PART};
use super::protocol::{Refused, Why};

/// A directory for files that are received, and which files are taken.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) dir: PathBuf,
    /// Whether a file that is there already is replaced.
    pub(crate) overwrite: bool,
    /// Whether names may begin with a dot.
    pub(crate) hidden: bool,
    /// The most bytes in a file.
    pub(crate) max_file: u64,
    /// The names of the files that are just being received, in lower case.
    pub(crate) busy: Mutex<HashSet<String>>,
    /// Held while what is there of a file is read: senders that only ask for that keep one core busy at most.
    pub(crate) turn: Mutex<()>,
}

impl Inbox {
    /// Looks for what is there of a file. Neither changes nor reserves anything on the disk.
    pub(crate) fn open(&self, name: &str, size: Option<u64>) -> Result<Incoming<'_>, Refused> {
        if let Some(refusal) = name::refusal(name, self.hidden) {
            return Err(Refused::new(Why::Name, refusal.to_string()));
        }
        let max_file = self.max_file;
        if let Some(size) = size.filter(|&size| size > max_file) {
            let text = format!("file of {size} bytes exceeds the receiver's limit of {max_file}");
            return Err(Refused::new(Why::TooLarge, text));
        }
        let claim = Claim::of(self, name)?;
        let target = self.dir.join(name);
        let part = self.dir.join(format!("{name}{PART}"));
        let source = match existing(&target)? {
            Some(whole) => self.source(&whole, &part, size)?,
            None => Source::Part,
        };
        Ok(Incoming {
            inbox: self,
            _claim: claim,
            target,
            part,
            size,
            source,
            file: None,
            is_cut: false,
            len: 0,
            checksum: Checksum::new(),
        })
    }

    /// Returns what to go on from where a file of that name is there.
    fn source(&self, whole: &Metadata, part: &Path, size: Option<u64>) -> Result<Source, Refused> {
        let may_be_it = whole.is_file() && size == Some(whole.len());
        match self.overwrite && !whole.is_dir() {
            false if !may_be_it => Err(exists()),
            true if !may_be_it || existing(part)?.is_some() => Ok(Source::Part),
            _ => Ok(Source::Whole),
        }
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being received.
pub(crate) struct Incoming<'a> {
    inbox: &'a Inbox,
    _claim: Claim<'a>,
    target: PathBuf,
    part: PathBuf,
    size: Option<u64>,
    source: Source,
    /// The part, once it is there, or the file that is there.
    file: Option<File>,
    /// Whether the part ends where the next byte belongs.
    is_cut: bool,
    /// How many bytes are there, and their checksum.
    len: u64,
    checksum: Checksum,
}

/// Where the bytes are that are there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Part,
    /// In a file of that name, which may be the one that is offered.
    Whole,
}

impl Incoming<'_> {
    /// Returns how many bytes are there that may be of this file.
    pub(crate) fn have(&mut self) -> Result<u64, Refused> {
        let is_part = self.source == Source::Part;
        let path = if is_part { &self.part } else { &self.target };
        let Some(before) = existing(path)? else {
            return Ok(0);
        };
        let file = open_again(path, &before, is_part)?;
        if is_part {
            lock(&file, path)?;
        }
        // Only now: the one who held the lock may have written.
        let metadata = file.metadata().map_err(|error| storage("open", &error))?;
        let len = metadata.len();
        self.file = Some(file);
        if self.size.is_none_or(|size| len <= size) && len <= self.inbox.max_file {
            self.len = len;
        }
        Ok(self.len)
    }

    /// Reads what is there, for its checksum. Waits while others do so.
    pub(crate) fn look(&mut self) -> Result<(), Refused> {
        let Some(file) = self.file.as_mut().filter(|_| self.len > 0) else {
            return Ok(());
        };
        let turn = self.inbox.turn.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        let read = self.checksum.add_from(file, self.len, |_| {});
        read.map_err(|error| storage("read what is there of", &error))
    }

    /// Begins: goes on with what is there if its checksum is `digits`, and starts over otherwise. Returns the offset.
    /// The part stays as it is until the first byte comes: an announcement alone costs nothing that is there.
    pub(crate) fn begin(&mut self, digits: Option<&str>) -> Result<u64, Refused> {
        if self.len > 0 && digits != Some(self.checksum.digits().as_str()) {
            if self.source == Source::Whole {
                if !self.inbox.overwrite {
                    return Err(exists());
                }
                self.source = Source::Part;
                self.file = None;
            }
            self.len = 0;
            self.checksum = Checksum::new();
        }
        Ok(self.len)
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let len = self.len.saturating_add(bytes.len() as u64);
        if let Some(size) = self.size.filter(|&size| len > size) {
            let text = format!("file has more than the {size} bytes that were announced");
            return Err(Refused::new(Why::Size, text));
        }
        let max_file = self.inbox.max_file;
        if len > max_file {
            let text = format!("file exceeds the receiver's limit of {max_file} bytes");
            return Err(Refused::new(Why::TooLarge, text));
        }
        let written = self.writable()?.write_all(bytes);
        written.map_err(|error| storage("write", &error))?;
        self.checksum.add(bytes);
        self.len = len;
        Ok(())
    }

    /// Makes the part the file, if it is what was sent. Blocks until it is on the disk. Returns the number of bytes.
    pub(crate) fn finish(mut self, digits: &str) -> Result<u64, Refused> {
        let len = self.len;
        if let Some(size) = self.size.filter(|&size| size != len) {
            let text = format!("file ended after {len} of {size} bytes");
            return Err(Refused::new(Why::Size, text));
        }
        if self.checksum.digits() != digits {
            if self.source == Source::Part && self.is_cut {
                // If it stays, the next transfer finds that it is not what is sent.
                let _ = fs::remove_file(&self.part);
            }
            let text = "what has arrived has another checksum than what was sent";
            return Err(Refused::new(Why::Checksum, text));
        }
        if self.source == Source::Part {
            let synced = self.writable()?.sync_all();
            synced.map_err(|error| storage("write", &error))?;
            self.publish()?;
        }
        Ok(len)
    }

    /// Returns the part, where the next byte belongs. It is created if there is none.
    fn writable(&mut self) -> Result<&mut File, Refused> {
        if self.file.is_none() {
            // It does not follow a symbolic link.
            let created = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&self.part);
            let file = created.map_err(|error| storage("create", &error))?;
            lock(&file, &self.part)?;
            self.file = Some(file);
        }
        let file = self.file.as_mut().ok_or_else(exists)?;
        if !self.is_cut {
            // What is there may be longer than the file that is offered, or another file.
            let cut = file.set_len(self.len);
            let cut = cut.and_then(|()| file.seek(SeekFrom::Start(self.len)));
            cut.map_err(|error| storage("write", &error))?;
            self.is_cut = true;
        }
        Ok(file)
    }

    /// Gives the part the name of the file.
    fn publish(&self) -> Result<(), Refused> {
        let (part, target) = (&self.part, &self.target);
        let named = if self.inbox.overwrite {
            fs::rename(part, target)
        } else {
            rename_if_free(part, target)
        };
        named.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists if !self.inbox.overwrite => exists(),
            _ => storage("name", &error),
        })?;
        // So that the name is on the disk, too. Not all systems open directories.
        if let Ok(dir) = File::open(&self.inbox.dir) {
            let _ = dir.sync_all();
        }
        Ok(())
    }
}

/// Gives a file a name that nothing has, in the first way that there is.
fn rename_if_free(from: &Path, to: &Path) -> io::Result<()> {
    let mut last = Ok(());
    for way in WAYS {
        last = way(from, to);
        if !last.as_ref().is_err_and(is_unknown_way) {
            break;
        }
    }
    last
}

/// Returns whether the system or the file system does not have this way.
fn is_unknown_way(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported)
}

type Way = fn(&Path, &Path) -> io::Result<()>;

/// The ways to give a file a name that is free, the safest first.
const WAYS: &[Way] = &[
    #[cfg(target_os = "linux")]
    rename_exclusively,
    link_and_remove,
    look_and_rename,
];

/// Not all kernels and file systems have this.
#[cfg(target_os = "linux")]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Not all file systems have hard links.
fn link_and_remove(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    // It has its name, even where it keeps the other.
    let _ = fs::remove_file(from);
    Ok(())
}

/// Replaces a file that comes in between.
fn look_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// The right to receive a file of one name.
struct Claim<'a> {
    inbox: &'a Inbox,
    /// In lower case, as some file systems make no difference.
    name: String,
}

impl<'a> Claim<'a> {
    fn of(inbox: &'a Inbox, name: &str) -> Result<Self, Refused> {
        let name = name.to_lowercase();
        if !inbox.busy().insert(name.clone()) {
            return Err(busy());
        }
        Ok(Self { inbox, name })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.inbox.busy().remove(&self.name);
    }
}

/// Returns what is at a path, without following a symbolic link; `None` if nothing is.
fn existing(path: &Path) -> Result<Option<Metadata>, Refused> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("look for", &error)),
    }
}

/// Opens a regular file that is there. Refuses anything else, such as a symbolic link.
fn open_again(path: &Path, before: &Metadata, writes: bool) -> Result<File, Refused> {
    if !before.is_file() {
        return Err(not_ours());
    }
    let opened = OpenOptions::new().read(true).write(writes).open(path);
    let file = opened.map_err(|error| storage("open", &error))?;
    let after = file.metadata().map_err(|error| storage("open", &error))?;
    if !is_same(before, &after) || (writes && is_linked(&after)) {
        return Err(not_ours());
    }
    Ok(file)
}

/// Returns whether both are one file: what was opened may be what a symbolic link leads to that has taken the place
/// of what was there.
#[cfg(unix)]
fn is_same(before: &Metadata, after: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (before.dev(), before.ino()) == (after.dev(), after.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, after: &Metadata) -> bool {
    after.is_file()
}

/// Returns whether a file has another name, too, under which it would change.
#[cfg(unix)]
fn is_linked(file: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(file) > 1
}

#[cfg(not(unix))]
fn is_linked(_: &Metadata) -> bool {
    false
}

/// Keeps other programs from receiving into the same part. Refuses a file that is no longer at the path of the part:
/// another program has completed it between the opening and the lock, and it has the name of the whole file now.
fn lock(file: &File, part: &Path) -> Result<(), Refused> {
    // Not all file systems have locks.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(busy());
    }
    let locked = file.metadata().map_err(|error| storage("open", &error))?;
    match existing(part)? {
        Some(there) if is_same(&there, &locked) => Ok(()),
        // The sender tries again, and what is there then is looked for anew.
        _ => Err(busy()),
    }
}

fn busy() -> Refused {
    Refused::new(Why::Busy, "a file of that name is just being received")
}

fn exists() -> Refused {
    Refused::new(Why::Exists, "another file of that name is there already")
}

fn not_ours() -> Refused {
    Refused::new(
        Why::Storage,
        "what is there of the file is no regular file, or has another name too",
    )
}

fn storage(what: &str, error: &io::Error) -> Refused {
    Refused::new(
        Why::Storage,
        format!("receiver cannot {what} the file: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A directory for the files of a test, removed when this is dropped.
    struct Dir(PathBuf);

    impl Dir {
        fn new() -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("framewire-part-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        /// One of several receivers into the directory.
        fn inbox(&self) -> Inbox {
            Inbox {
                dir: self.0.clone(),
                overwrite: false,
                hidden: false,
                max_file: 9,
                busy: Mutex::default(),
                turn: Mutex::default(),
            }
        }

        fn part(&self) -> PathBuf {
            self.0.join("a.framewire-part")
        }

        fn read(&self, name: &str) -> Vec<u8> {
            fs::read(self.0.join(name)).unwrap()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn no_way_to_name_a_file_replaces_one_that_is_there() {
        let ways = [WAYS, &[rename_if_free]].concat();
        for way in ways {
            let dir = Dir::new();
            let (part, target) = (dir.part(), dir.0.join("a"));
            fs::write(&part, "mine").unwrap();
            fs::write(&target, "theirs").unwrap();
            let error = way(&part, &target).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(dir.read("a"), b"theirs");
            fs::remove_file(&target).unwrap();
            // A link that leads nowhere is something, too.
            #[cfg(unix)]
            {
                std::os::unix::fs::symlink("nowhere", &target).unwrap();
                let error = way(&part, &target).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                fs::remove_file(&target).unwrap();
            }
            way(&part, &target).unwrap();
            assert_eq!(dir.read("a"), b"mine");
            assert!(!part.exists());
            let error = way(&part, &dir.0.join("b")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_part_that_another_receiver_completes_before_the_lock_is_not_written() {
        let dir = Dir::new();
        let inbox = dir.inbox();
        let mut other = inbox.open("a", Some(3)).unwrap();
        other.write(b"abc").unwrap();
        let before = existing(&dir.part()).unwrap().unwrap();
        let opened = open_again(&dir.part(), &before, true).unwrap();
        assert_eq!(lock(&opened, &dir.part()).unwrap_err().why, Why::Busy);
        other.finish(ABC).unwrap();
        assert_eq!(lock(&opened, &dir.part()).unwrap_err().why, Why::Busy);
        assert_eq!(dir.read("a"), b"abc");
        // The lock of the whole file holds up no other part.
        fs::write(dir.part(), "x").unwrap();
        assert_eq!(lock(&opened, &dir.part()).unwrap_err().why, Why::Busy);
        let inbox = Inbox {
            overwrite: true,
            ..dir.inbox()
        };
        assert_eq!(inbox.open("a", Some(5)).unwrap().have(), Ok(1));
    }

    #[test]
    fn a_part_of_another_receiver_is_free_once_that_has_broken_off() {
        let dir = Dir::new();
        let (first, second) = (dir.inbox(), dir.inbox());
        let mut broken = first.open("a", Some(3)).unwrap();
        broken.write(b"ab").unwrap();
        assert_eq!(second.open("a", Some(3)).unwrap().have(), Err(busy()));
        drop(broken);
        assert_eq!(second.open("a", Some(3)).unwrap().have(), Ok(2));
    }

    /// SHA-256 of `abc` (FIPS 180-2, B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
}
