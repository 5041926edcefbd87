//! The deadline of whatever waits for a server.

use std::convert;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::timeout;

/// Waits for what a client does, for at most this long.
pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = timeout(deadline, work).await;
    let done = done.with_context(|| format!("not done in {} s", deadline.as_secs()));
    done.and_then(convert::identity)
}

/// Far longer than anything that a client does takes on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use anyhow::bail;

    use super::*;
    use crate::front_end;

    #[test]
    fn what_does_not_end_fails_at_its_deadline() {
        let runtime = front_end::runtime().unwrap();
        let silent = pending::<Result<u8>>();
        let result = runtime.block_on(async { within(Duration::ZERO, silent).await });
        assert_eq!(result.unwrap_err().to_string(), "not done in 0 s");
    }

    #[test]
    fn what_ends_in_time_keeps_its_result() {
        let runtime = front_end::runtime().unwrap();
        let result = runtime.block_on(async { within(DEADLINE, ready(Ok(7))).await });
        assert_eq!(result.unwrap(), 7);
        let failed = async { bail!("no echo") };
        let failed: Result<u8> = runtime.block_on(async { within(DEADLINE, failed).await });
        assert_eq!(failed.unwrap_err().to_string(), "no echo");
    }
}
