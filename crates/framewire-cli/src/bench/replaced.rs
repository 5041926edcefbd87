//! A file that is replaced as a whole: what was there before stays until all of the new content is written.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

/// A file that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Replaced {
    target: PathBuf,
    /// The new content, beside it; `None` for a device or a pipe, which is written directly.
    part: Option<PathBuf>,
}

impl Replaced {
    /// Checks that a file can be written, and leaves it as it is.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        // A link stays a link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let found = fs::metadata(&target);
        if found
            .as_ref()
            .is_ok_and(|found| !found.is_dir() && !found.is_file())
        {
            return Ok(Self { target, part: None });
        }
        if found.is_ok() {
            OpenOptions::new().write(true).open(&target)?;
        }
        let part = part_of(&target)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)?;
        fs::remove_file(&part)?;
        let part = Some(part);
        Ok(Self { target, part })
    }

    /// Writes the file.
    pub(crate) fn write(&self, content: &[u8]) -> io::Result<()> {
        let Some(part) = &self.part else {
            return OpenOptions::new()
                .write(true)
                .open(&self.target)?
                .write_all(content);
        };
        let mut file = OpenOptions::new().write(true).create_new(true).open(part)?;
        let written = file.write_all(content);
        drop(file);
        let replaced = written.and_then(|()| fs::rename(part, &self.target));
        if replaced.is_err() {
            let _ = fs::remove_file(part);
        }
        replaced
    }
}

/// Returns where the new content of a file is kept while it is written.
fn part_of(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", process::id()));
    Ok(target.with_file_name(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty directory, removed when this is dropped.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let name = format!("framewire-bench-{}-{name}", process::id());
            let dir = std::env::temp_dir().join(name);
            fs::create_dir(&dir).unwrap();
            Self(dir)
        }

        fn names(&self) -> Vec<OsString> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_old_content_stays_until_the_new_is_there() {
        let dir = Dir::new("old");
        let path = dir.0.join("a.html");
        fs::write(&path, "a long old page").unwrap();
        let file = Replaced::new(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a long old page");
        assert_eq!(dir.names(), ["a.html"]);
        file.write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(dir.names(), ["a.html"]);
    }

    #[test]
    fn a_file_that_could_not_be_written_is_told_at_once() {
        let dir = Dir::new("told");
        assert!(Replaced::new(&dir.0).is_err());
        assert!(Replaced::new(&dir.0.join("nowhere/a.html")).is_err());
        assert_eq!(dir.names(), [""; 0]);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_and_a_device_stay_what_they_are() {
        let dir = Dir::new("link");
        let (path, link) = (dir.0.join("a.html"), dir.0.join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Replaced::new(&link).unwrap().write(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let device = Replaced::new(Path::new("/dev/null")).unwrap();
        assert_eq!(device.part, None);
        device.write(b"new").unwrap();
    }
}
