//! Reading from a task.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Writer;
use super::polled::{Job, Polled, is_pending};
use crate::connection::{self, Frame, Reader, Transport};
use crate::error::{Error, ErrorKind};

/// What the reading side reads from, and sends its replies by.
pub trait Source {
    /// The same without its task.
    type Transport: Transport;

    /// Has the task woken when there is more to read, or when replies that wait can be sent.
    fn prepare(&mut self, cx: &mut Context<'_>) -> &mut Self::Transport;

    /// Whether nothing waits any more that this task would have to send.
    fn send_all(&mut self) -> bool;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Writer<S> {
    type Transport = connection::Writer<Polled<S>>;

    fn prepare(&mut self, cx: &mut Context<'_>) -> &mut Self::Transport {
        self.core.stream_mut().wake_by(cx, Job::Reading);
        &mut self.core
    }

    fn send_all(&mut self) -> bool {
        !matches!(self.core.write_all_out(), Err(error) if is_pending(&error))
    }
}

pub(super) fn poll_read<T: Source, R>(
    reader: &mut Reader,
    source: &mut T,
    cx: &mut Context<'_>,
    job: impl FnOnce(&mut Reader, &mut T::Transport) -> Result<R, Error>,
) -> Poll<Result<R, Error>> {
    match job(reader, source.prepare(cx)) {
        Err(error) if is_pending(&error) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// As [`poll_read`], but says that the connection has ended only when what answers that, and what
/// was to be sent before, has been sent: the caller may drop the connection then.
pub(super) fn poll_read_to_end<T: Source, R>(
    reader: &mut Reader,
    source: &mut T,
    cx: &mut Context<'_>,
    job: impl FnOnce(&mut Reader, &mut T::Transport) -> Result<R, Error>,
) -> Poll<Result<R, Error>> {
    match poll_read(reader, source, cx, job) {
        Poll::Ready(Err(error)) if has_answer(&error) && !source.send_all() => Poll::Pending,
        result => result,
    }
}

/// Whether it is an end that a Close frame of this end answers. It is said again when asked again.
pub(super) fn has_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Closed(_) | ErrorKind::Violation(_))
}

pub(super) async fn read<T: Source, R>(
    reader: &mut Reader,
    source: &mut T,
    mut job: impl FnMut(&mut Reader, &mut T::Transport) -> Result<R, Error>,
) -> Result<R, Error> {
    poll_fn(|cx| poll_read_to_end(reader, source, cx, &mut job)).await
}

pub(super) async fn read_frame<'b>(
    reader: &mut Reader,
    source: &mut impl Source,
    buf: &'b mut [u8],
) -> Result<Frame<'b>, Error> {
    let header = read(reader, source, |reader, transport| {
        let frame = reader.read_frame(&mut *buf, transport)?;
        Ok(*frame.header())
    });
    let header = header.await?;
    // It fits: it was read into it.
    let len = usize::try_from(header.payload_len()).unwrap_or(usize::MAX);
    Ok(Frame::new(header, &mut buf[..len]))
}
