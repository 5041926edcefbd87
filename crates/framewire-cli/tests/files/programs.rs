//! Both ends under way, and directories for their files.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything here may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// An empty directory, removed when this is dropped.
pub(crate) struct Dir {
    path: PathBuf,
}

impl Default for Dir {
    fn default() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("files-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }
}

impl Dir {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, and gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        let text = |name: std::ffi::OsString| name.into_string().unwrap();
        names.into_iter().map(text).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// `framewire recv` on a free port, killed when this is dropped.
pub(crate) struct Recv {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) dir: Arc<Dir>,
    lines: Receiver<String>,
}

impl Recv {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_in(Arc::default(), options)
    }

    pub(crate) fn start_in(dir: Arc<Dir>, options: &[&str]) -> Self {
        Self::spawn(program(), dir, options)
    }

    /// One whose files can have this many blocks of 512 bytes: a write beyond that fails, as on a full disk.
    pub(crate) fn start_with_room(blocks: u32, options: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_framewire")]);
        Self::spawn(shell, Arc::default(), options)
    }

    fn spawn(mut command: Command, dir: Arc<Dir>, options: &[&str]) -> Self {
        let mut child = command
            .args(["recv", "--listen", "127.0.0.1:0", "--into"])
            .arg(&dir.path)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let place = line.split("://").nth(1).unwrap_or_default();
        let address = place.trim_end().trim_end_matches('/').parse();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // The test is over where nobody listens.
                let _ = sender.send(line.unwrap());
            }
        });
        let Ok(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it printed {line:?}: {:?}", lines.recv());
        };
        Self {
            child,
            address,
            dir,
            lines,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The next line on standard error.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// What is left on standard error once it has ended.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end, and gives the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        wait(&mut self.child)
    }

    /// The most memory that was resident, in bytes.
    pub(crate) fn most_memory(&self) -> Option<usize> {
        most_memory(self.child.id())
    }
}

impl Drop for Recv {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_framewire"))
}

/// `framewire send` under way, killed when this is dropped.
pub(crate) struct Send {
    pub(crate) child: Child,
}

impl Send {
    pub(crate) fn start(url: &str, arguments: &[&str]) -> Self {
        let child = program()
            .args(["send", url])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end: the exit code, and what was said on standard error.
    pub(crate) fn end(mut self) -> (i32, String) {
        drop(self.child.stdin.take());
        let code = wait(&mut self.child);
        let (mut output, mut notes) = (String::new(), String::new());
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut output).unwrap();
        assert_eq!(output, "");
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut notes).unwrap();
        (code, notes)
    }
}

impl Drop for Send {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `framewire send` to its end.
pub(crate) fn send(url: &str, arguments: &[&str]) -> (i32, String) {
    Send::start(url, arguments).end()
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < DEADLINE, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Takes the next connection.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    eventually("a connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    // Some systems hand on how the listener is.
    stream.set_nonblocking(false).unwrap();
    stream
}

/// The most memory of a process that was resident, in bytes; `None` where it has ended.
pub(crate) fn most_memory(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes that repeat nowhere within a file of a test, and are the same each time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn signal(process: u32, name: &str) {
    let kill = format!("kill -{name} {process}");
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

fn wait(child: &mut Child) -> i32 {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the program goes on");
}
