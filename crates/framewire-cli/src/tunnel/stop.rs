//! The end of the program: how each tunnel learns of it, and how the program learns that all are gone.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// What tells the tunnels to end.
#[derive(Debug)]
pub(super) struct Stopper {
    stop: watch::Sender<bool>,
}

/// What a tunnel holds while it is there.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    stopped: watch::Receiver<bool>,
    /// The last one that is dropped ends the wait of [`Gone`].
    _present: mpsc::Sender<()>,
}

/// What waits for the tunnels to be gone.
#[derive(Debug)]
pub(super) struct Gone(mpsc::Receiver<()>);

pub(super) fn stop() -> (Stopper, Stop, Gone) {
    let (stop, stopped) = watch::channel(false);
    let (present, gone) = mpsc::channel(1);
    let held = Stop {
        stopped,
        _present: present,
    };
    (Stopper { stop }, held, Gone(gone))
}

impl Stopper {
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Stop {
    /// Waits until the program is ending.
    pub(super) async fn wait(&mut self) {
        // The stopper lives as long as the program.
        let _ = self.stopped.wait_for(|&stopped| stopped).await;
    }
}

impl Gone {
    /// Waits until all tunnels are gone, for some time at most.
    pub(super) async fn wait(&mut self, time: Duration) {
        let _ = timeout(time, self.0.recv()).await;
    }
}
