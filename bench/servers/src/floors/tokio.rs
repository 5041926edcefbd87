//! `bare-tokio`: the same as `bare-epoll`, with a task of tokio's for each connection.
//!
//! A read, its answer and the write are done in one poll, so that all connections can share one buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Result, anyhow};
use tokio::io::{AsyncWriteExt as _, ReadBuf};

use super::frames::{Answer, Partial, Shared};
use crate::Settings;
use crate::start::{self, Io, Serve};

pub(crate) fn run(settings: Settings) -> Result<()> {
    start::tasks(settings, &Echo)
}

#[derive(Clone)]
struct Echo;

impl Serve for Echo {
    async fn serve<S: Io>(self, mut stream: S) -> Result<()> {
        super::handshake(&mut stream).await?;
        let mut partial = Partial::default();
        loop {
            match poll_fn(|cx| turn(&mut stream, &mut partial, cx)).await? {
                Rest::Nothing => {}
                Rest::InPlace(begin, end) => stream.write_all(partial.own(begin, end)).await?,
                Rest::Copied(bytes) => stream.write_all(&bytes).await?,
            }
            stream.flush().await?;
        }
    }
}

/// What the stream did not take.
enum Rest {
    Nothing,
    /// In the connection's own buffer.
    InPlace(usize, usize),
    Copied(Vec<u8>),
}

/// Reads once, and writes the answers as far as the stream takes them.
fn turn<S: Io>(stream: &mut S, partial: &mut Partial, cx: &mut Context<'_>) -> Poll<Result<Rest>> {
    SHARED.with_borrow_mut(|shared| {
        let mut buffer = ReadBuf::new(partial.room(shared));
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        let some = buffer.filled().len();
        if some == 0 {
            return Poll::Ready(Err(anyhow!("closed")));
        }
        let answer = partial.answer(some, shared)?;
        let bytes = partial.bytes(shared, &answer);
        if bytes.is_empty() {
            return Poll::Ready(Ok(Rest::Nothing));
        }
        let sent = match Pin::new(stream).poll_write(cx, bytes) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        Poll::Ready(Ok(match answer {
            _ if sent == bytes.len() => Rest::Nothing,
            Answer::InPlace(range) if partial.is_own() => {
                Rest::InPlace(range.start + sent, range.end)
            }
            _ => Rest::Copied(bytes[sent..].to_vec()),
        }))
    })
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::new(Shared::new());
}
