//! Any bytes are a head or an error, and the same however they are cut.

use framewire::upgrade::{Limits, ResponseDecoder, UpgradeError};
use http::Request;
use proptest::prelude::*;
use support::http_text::REQUEST;

use super::{decode, decode_cut};

/// What a test can compare: the request, how much was used, or the error.
fn outcome(result: Result<Option<(usize, Request<()>)>, UpgradeError>) -> String {
    match result {
        Ok(Some((used, request))) => format!("{used} {request:?}"),
        Ok(None) => "more".to_owned(),
        Err(error) => format!("{error:?} {:?}", error.response()),
    }
}

fn any_head() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "GET",
        " ",
        "/",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r",
        "\n",
        ":",
        "Host",
        "a",
        "X",
        "\t",
        "http://",
        "é",
        "\0",
        "#",
        "@",
        "Upgrade",
        ",",
        "Content-Length",
        "5",
        "\r\n\r\n",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes())
}

/// A sound request in which a few bytes were changed.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0..REQUEST.len(), any::<u8>()), 0..4).prop_map(|changes| {
        let mut request = REQUEST.as_bytes().to_vec();
        for (index, byte) in changes {
            request[index] = byte;
        }
        request.extend_from_slice(b"leftover");
        request
    })
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any_head(),
        nearly_a_request()
    ]
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_give_the_same(
        input in any_input(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let limits = Limits::default().head_bytes(300).headers(6);
        let whole = outcome(decode(&limits, &input));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&whole, &outcome(decode_cut(&limits, &input, cuts)));
        prop_assert_eq!(&whole, &outcome(decode_cut(&limits, &input, 1..input.len())));
    }

    #[test]
    fn any_answer_is_an_answer_or_an_error(input in any_input()) {
        let answer = [b"HTTP/1.1 101 x\r\n", &input[..], b"\r\n\r\n"].concat();
        let mut decoder = ResponseDecoder::new(&Limits::default());
        let result = decoder.decode(&answer);
        prop_assert!(result.is_err() || result.unwrap().1.is_some());
    }
}
