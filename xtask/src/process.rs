//! Child processes that neither outlive this one nor run past a deadline.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Runs a command to its end. Anything but success is an error.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Result<()> {
    let line = describe(command);
    let status = Running::start(command.stdin(Stdio::null()))?.wait(deadline)?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs a command to its end and returns its standard output.
pub(crate) fn output(command: &mut Command, deadline: Duration) -> Result<String> {
    let line = describe(command);
    let running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut stdout = running
        .child()
        .stdout
        .take()
        .context("standard output is piped")?;
    // In a thread of its own: a full pipe would keep the child from ending.
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = running.wait(deadline)?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    match reader.join() {
        Ok(text) => text.with_context(|| format!("output of `{line}`")),
        Err(_) => bail!("output of `{line}` was lost"),
    }
}

/// Makes Ctrl-C and SIGTERM end the children before this process.
pub(crate) fn end_children_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        for child in lock(&CHILDREN).iter() {
            let _ = lock(child).kill();
        }
        std::process::exit(130);
    })
    .context("signal handler")
}

/// A child process that is killed when this is dropped.
pub(crate) struct Running {
    name: String,
    child: Arc<Mutex<Child>>,
}

impl Running {
    /// Starts a child whose standard input stays open, and empty, for as long as this is.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        Self::start(command.stdin(Stdio::piped()))
    }

    fn start(command: &mut Command) -> Result<Self> {
        let name = describe(command);
        // Locked while spawning, so that a signal cannot come between the child and its entry.
        let mut children = lock(&CHILDREN);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let child = Arc::new(Mutex::new(child));
        children.push(Arc::clone(&child));
        Ok(Self { name, child })
    }

    pub(crate) fn child(&self) -> MutexGuard<'_, Child> {
        lock(&self.child)
    }

    /// Waits for the first line that the child prints. Also returns the rest of its output, to be kept open: a
    /// child that cannot print any more may end.
    pub(crate) fn first_line(
        &self,
        deadline: Duration,
    ) -> Result<(String, BufReader<ChildStdout>)> {
        let stdout = self.child().stdout.take();
        let mut stdout = BufReader::new(stdout.context("standard output is piped")?);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let result = stdout.read_line(&mut line).map(|_| (line, stdout));
            // It fails if the deadline has passed.
            let _ = sender.send(result);
        });
        match receiver.recv_timeout(deadline) {
            Ok(result) => {
                let (line, stdout) =
                    result.with_context(|| format!("standard output of `{}`", self.name))?;
                Ok((line.trim_end().to_owned(), stdout))
            }
            Err(_) => bail!(
                "`{}` was not ready after {} s",
                self.name,
                deadline.as_secs()
            ),
        }
    }

    /// Waits for the end. A child that is late is killed, which is an error.
    pub(crate) fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!(
            "`{}` was not done after {} s",
            self.name,
            deadline.as_secs()
        )
    }

    /// Returns how the child ended, if it has.
    pub(crate) fn ended(&self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    /// Asks the child to end, with SIGTERM.
    pub(crate) fn terminate(&self) -> Result<()> {
        // The standard library can only kill. The child is not reaped yet, so its id is still its own.
        let id = self.child().id().to_string();
        run(
            Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id]),
            Duration::from_secs(10),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&CHILDREN).retain(|child| !Arc::ptr_eq(child, &self.child));
        let mut child = self.child();
        // Both do nothing to a child that has ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Returns the command as it would be typed, with only the file name of each absolute path.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let names = words.map(|word| match Path::new(word) {
        path if path.is_absolute() => path.file_name().unwrap_or(word),
        _ => word,
    });
    names
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static CHILDREN: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());
