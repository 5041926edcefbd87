//! The heads of requests and answers without I/O, and how the tests of them decode.

mod answers;
mod any_bytes;
mod credentials;
mod encoding;
mod limits;
mod requests;

use framewire::upgrade::{Limits, RequestDecoder, ResponseDecoder, UpgradeError};
use http::{Request, Response};

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";

/// Feeds a request in pieces that end at `cuts`, and gives it with how many bytes its head used.
fn decode_cut(
    limits: &Limits,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<(usize, Request<()>)>, UpgradeError> {
    let mut decoder = RequestDecoder::new(limits);
    let mut start = 0;
    for end in cuts.into_iter().chain([input.len()]) {
        let (used, request) = decoder.decode(&input[start..end])?;
        match request {
            Some(request) => return Ok(Some((start + used, request))),
            None => assert_eq!(used, end - start),
        }
        start = end;
    }
    Ok(None)
}

fn decode(limits: &Limits, input: &[u8]) -> Result<Option<(usize, Request<()>)>, UpgradeError> {
    decode_cut(limits, input, [])
}

fn decode_answer(input: &str) -> Result<(usize, Option<Response<()>>), UpgradeError> {
    ResponseDecoder::new(&Limits::default()).decode(input.as_bytes())
}
