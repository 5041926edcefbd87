//! Happy eyeballs: several addresses at once, and the first that answers (RFC 8305 5).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Connects to the addresses in turn, each [`DELAY`] after the one before or as soon as one failed;
/// what connects first wins, and the others are dropped. Fails with what became of each.
pub(super) async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl FnMut(SocketAddr) -> F,
) -> Result<T, Vec<(SocketAddr, io::Error)>> {
    let mut race = Race {
        connect,
        waiting: addresses.into(),
        attempts: Vec::new(),
        failures: Vec::new(),
        delay: None,
    };
    poll_fn(|context| race.poll(context)).await
}

struct Race<C, F> {
    connect: C,
    waiting: VecDeque<SocketAddr>,
    attempts: Vec<(SocketAddr, Pin<Box<F>>)>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// Until the next attempt, while an address waits for one.
    delay: Option<Pin<Box<Sleep>>>,
}

impl<T, F, C> Race<C, F>
where
    F: Future<Output = io::Result<T>>,
    C: FnMut(SocketAddr) -> F,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, Vec<(SocketAddr, io::Error)>>> {
        loop {
            let failed_before = self.failures.len();
            if let Poll::Ready(connected) = self.poll_attempts(context) {
                return Poll::Ready(Ok(connected));
            }
            let failed = self.failures.len() > failed_before;
            if !failed && !self.attempts.is_empty() {
                ready!(self.poll_delay(context));
            }
            match self.waiting.pop_front() {
                Some(address) => self.start(address),
                None if self.attempts.is_empty() => {
                    return Poll::Ready(Err(std::mem::take(&mut self.failures)));
                }
                None => return Poll::Pending,
            }
        }
    }

    /// The first that connected. Those that failed are no longer attempts.
    fn poll_attempts(&mut self, context: &mut Context<'_>) -> Poll<T> {
        let mut index = 0;
        while index < self.attempts.len() {
            let (address, attempt) = &mut self.attempts[index];
            match attempt.as_mut().poll(context) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(connected)) => return Poll::Ready(connected),
                Poll::Ready(Err(error)) => {
                    self.failures.push((*address, error));
                    self.attempts.remove(index);
                }
            }
        }
        Poll::Pending
    }

    fn poll_delay(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.delay {
            Some(delay) => delay.as_mut().poll(context),
            // There is no other address to start with.
            None => Poll::Pending,
        }
    }

    fn start(&mut self, address: SocketAddr) {
        let attempt = Box::pin((self.connect)(address));
        self.attempts.push((address, attempt));
        self.delay = (!self.waiting.is_empty()).then(|| Box::pin(sleep(DELAY)));
    }
}

/// RFC 8305 8: the recommended connection attempt delay.
const DELAY: Duration = Duration::from_millis(250);
