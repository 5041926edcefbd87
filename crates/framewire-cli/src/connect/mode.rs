//! The mode of the terminal, which outlives the program.

#[cfg(unix)]
pub(super) use self::unix::Mode;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The mode that the terminal had before the editor changed it.
    pub(in super::super) struct Mode(Option<Termios>);

    impl Mode {
        pub(in super::super) fn keep() -> Self {
            Self(tcgetattr(io::stdin()).ok())
        }

        /// Gives the terminal its mode back. `is_asked` says whether the editor has been asked for a line, which it
        /// still waits for when the program ends.
        pub(in super::super) fn restore(&self, is_asked: bool) {
            let Some(mode) = &self.0 else {
                return;
            };
            // The editor changes the mode first of all: what it has yet to change could not be given back.
            let begun = Instant::now();
            while is_asked && !is_raw() && begun.elapsed() < PATIENCE {
                thread::yield_now();
            }
            // If the terminal is gone, so is its mode.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, mode);
        }
    }

    /// Returns whether the terminal gives each key at once.
    fn is_raw() -> bool {
        tcgetattr(io::stdin()).is_ok_and(|mode| !mode.local_modes.contains(LocalModes::ICANON))
    }

    /// Far longer than the editor takes.
    const PATIENCE: Duration = Duration::from_secs(1);
}

#[cfg(not(unix))]
pub(super) struct Mode;

#[cfg(not(unix))]
impl Mode {
    pub(super) fn keep() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn restore(&self, _is_asked: bool) {}
}
