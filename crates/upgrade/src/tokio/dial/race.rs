//! Happy eyeballs: several addresses at once, and the first that answers (RFC 8305 5).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Connects to the addresses in turn, each [`DELAY`] after the one before or as soon as one failed. The first to
/// connect wins, and the others are dropped. Fails with the error of each.
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
    /// Runs until the next attempt, while an address waits for one.
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

    /// Returns the first connection. Removes the attempts that failed.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable};
    use tokio::time::Instant;

    /// The result of an attempt, after so many milliseconds; `None` is never.
    #[derive(Clone, Copy)]
    struct Attempt(Option<u64>, Result<(), io::ErrorKind>);

    const SILENT: Attempt = Attempt(None, Ok(()));

    fn connects(after: u64) -> Attempt {
        Attempt(Some(after), Ok(()))
    }

    fn refuses(after: u64) -> Attempt {
        Attempt(Some(after), Err(ConnectionRefused))
    }

    /// The result of the race, and after how many milliseconds.
    type Outcome = (u64, Result<u16, Vec<(u16, io::ErrorKind)>>);

    /// Runs a race. Returns the outcome, and when each attempt began. Addresses are known by their ports: 0, 1, 2, ….
    async fn run(attempts: &[Attempt]) -> (Outcome, Vec<u64>) {
        let start = Instant::now();
        let elapsed = || start.elapsed().as_millis() as u64;
        let ports = 0..attempts.len() as u16;
        let addresses = ports.map(|port| ([192, 0, 2, 1], port).into()).collect();
        let begun = RefCell::new(Vec::new());
        let alive = Cell::new(0);
        let raced = race(addresses, |address: SocketAddr| {
            begun.borrow_mut().push(elapsed());
            alive.set(alive.get() + 1);
            let guard = Guard(&alive);
            let Attempt(after, result) = attempts[usize::from(address.port())];
            async move {
                let _guard = guard;
                match after {
                    Some(time) => sleep(Duration::from_millis(time)).await,
                    None => std::future::pending().await,
                }
                result.map(|()| address.port()).map_err(io::Error::from)
            }
        })
        .await;
        assert_eq!(alive.get(), 0, "an attempt goes on after the race");
        let outcome = raced.map_err(|failures| {
            let failures = failures.into_iter();
            failures
                .map(|(address, error)| (address.port(), error.kind()))
                .collect()
        });
        ((elapsed(), outcome), begun.into_inner())
    }

    struct Guard<'a>(&'a Cell<usize>);

    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rfc8305_5_address_that_does_not_answer_is_followed_after_the_delay() {
        let outcome = run(&[SILENT, SILENT, connects(10)]).await;
        assert_eq!(outcome, ((510, Ok(2)), vec![0, 250, 500]));
    }

    #[tokio::test(start_paused = true)]
    async fn rfc8305_5_first_to_connect_wins_whenever_it_began() {
        let outcome = run(&[connects(400), connects(100), SILENT]).await;
        assert_eq!(outcome, ((350, Ok(1)), vec![0, 250]));
        let outcome = run(&[connects(300), connects(100)]).await;
        assert_eq!(outcome, ((300, Ok(0)), vec![0, 250]));
        // Both at once: the preferred one wins.
        let outcome = run(&[connects(350), connects(100)]).await;
        assert_eq!(outcome, ((350, Ok(0)), vec![0, 250]));
    }

    #[tokio::test(start_paused = true)]
    async fn address_without_another_has_all_the_time() {
        let outcome = run(&[connects(9000)]).await;
        assert_eq!(outcome, ((9000, Ok(0)), vec![0]));
    }

    #[test]
    fn one_address_needs_no_timer() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let address = SocketAddr::from(([192, 0, 2, 1], 1));
        let raced = race(vec![address], |address| std::future::ready(Ok(address)));
        assert_eq!(runtime.block_on(raced).unwrap(), address);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_followed_at_once_and_the_delay_begins_again() {
        let outcome = run(&[refuses(20), refuses(0), SILENT, connects(5)]).await;
        assert_eq!(outcome, ((275, Ok(3)), vec![0, 20, 20, 270]));
        // A failure of an earlier attempt counts too.
        let outcome = run(&[refuses(300), SILENT, connects(0)]).await;
        assert_eq!(outcome, ((300, Ok(2)), vec![0, 250, 300]));
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_told_when_the_last_has_failed() {
        let unreachable = Attempt(Some(0), Err(HostUnreachable));
        let (outcome, _) = run(&[refuses(900), unreachable, refuses(10)]).await;
        let failures = vec![
            (1, HostUnreachable),
            (2, ConnectionRefused),
            (0, ConnectionRefused),
        ];
        assert_eq!(outcome, (900, Err(failures)));
        assert_eq!(run(&[]).await, ((0, Err(vec![])), vec![]));
    }
}
