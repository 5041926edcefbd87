//! A timer of a higher resolution than tokio's, which is a millisecond.

use std::time::Duration;

use tokio::time::sleep;

#[cfg(target_os = "linux")]
use self::descriptor::Descriptor;

/// A timer of a resolution of microseconds on Linux, and of milliseconds elsewhere.
#[derive(Debug)]
pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    descriptor: Option<Descriptor>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            descriptor: Descriptor::new().ok(),
        }
    }

    /// Waits for a number of nanoseconds, or a little longer.
    pub(super) async fn sleep(&mut self, nanos: u64) {
        let time = Duration::from_nanos(nanos);
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &mut self.descriptor
            && descriptor.sleep(time).await.is_ok()
        {
            return;
        }
        sleep(time).await;
    }
}

#[cfg(target_os = "linux")]
mod descriptor {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::io::{Errno, read};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A descriptor that can be read when a time is over.
    #[derive(Debug)]
    pub(super) struct Descriptor(AsyncFd<OwnedFd>);

    impl Descriptor {
        #[allow(
            deprecated,
            reason = "of any descriptor, its successor is unsafe; this one is owned here until it is dropped"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
            Ok(Self(descriptor))
        }

        pub(super) async fn sleep(&mut self, time: Duration) -> io::Result<()> {
            let zero = Timespec::default();
            let time = Timespec::try_from(time).map_err(io::Error::other)?;
            let spec = Itimerspec {
                it_interval: zero,
                it_value: time,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            loop {
                let mut ready = self.0.readable().await?;
                let mut expirations = [0; 8];
                match read(self.0.get_ref(), &mut expirations) {
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                    Ok(_) => {
                        ready.clear_ready();
                        return Ok(());
                    }
                }
            }
        }
    }
}
