//! soketto over the `BufReader` and `BufWriter` of futures, as in its examples, with its default limit of 256 MiB. The
//! message's buffer is used again. It does not validate text, and takes a `str` to send it: the loop validates, as
//! in its documentation.
//!
//! Each message is flushed; batched, those of a read together, at its end, which the loop counts.

use futures_util::io::{BufReader, BufWriter};
use soketto::connection::{Builder, Error};
use soketto::{Data, Mode, Receiver, Sender};

use crate::echo::{Echo, Reads, now};
use crate::stream::Io;

pub(super) fn simple<S: Io>(stream: S, _reads: Reads) -> Echo {
    let (mut sender, mut receiver) = open(stream);
    let mut message = Vec::new();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                message.clear();
                match receiver.receive_data(&mut message).await? {
                    Data::Text(_) => sender.send_text(text(&message)?).await?,
                    Data::Binary(_) => sender.send_binary(&message).await?,
                }
                sender.flush().await?;
            }
            Ok::<_, Error>(())
        });
    })
}

pub(super) fn batched<S: Io>(stream: S, reads: Reads) -> Echo {
    let (mut sender, mut receiver) = open(stream);
    let mut message = Vec::new();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages / reads.frames {
                for _ in 0..reads.frames {
                    message.clear();
                    match receiver.receive_data(&mut message).await? {
                        Data::Text(_) => sender.send_text(text(&message)?).await?,
                        Data::Binary(_) => sender.send_binary(&message).await?,
                    }
                }
                sender.flush().await?;
            }
            Ok::<_, Error>(())
        });
    })
}

type Buffered<S> = BufReader<BufWriter<S>>;

fn open<S: Io>(stream: S) -> (Sender<Buffered<S>>, Receiver<Buffered<S>>) {
    let stream = BufReader::new(BufWriter::new(stream));
    Builder::new(stream, Mode::Server).finish()
}

fn text(data: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(data).map_err(Error::Utf8)
}
