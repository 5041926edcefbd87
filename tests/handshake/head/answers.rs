//! What the decoder of answers refuses, and what it gives.

use framewire::upgrade::{Limits, ResponseDecoder, UpgradeErrorKind};

use super::{ANSWER, decode_answer};

#[test]
fn malformed_answers_are_errors_without_an_answer() {
    for (input, kind) in [
        ("HTTP/1.1 101\n\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 10 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 1010 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 099 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/2.0 101 x\r\n\r\n", UpgradeErrorKind::Version),
        ("SSH-2.0-OpenSSH\r\n\r\n", UpgradeErrorKind::Version),
        (
            "HTTP/1.1 101 x\r\nX : a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\n X: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "\r\nHTTP/1.1 101 x\r\n X: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "\r\n\r\nHTTP/1.1 101 x\r\n\tX: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\r\n \0\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\0\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\rb\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
    ] {
        let error = decode_answer(input).unwrap_err();
        assert_eq!(error.kind(), kind, "{input:?}");
        assert!(error.response().is_none());
    }
    let error = decode_answer(&format!("HTTP/1.1 101 {}", "a".repeat(20_000))).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (UpgradeErrorKind::HeadTooLarge, None)
    );
}

#[test]
fn rfc9112_4_words_after_a_status_may_be_any_or_none() {
    for words in ["", " ", " Not Found", " \u{e9}\t!"] {
        let head = format!("HTTP/1.1 101{words}\r\nX: a\r\n\r\n");
        let (used, response) = decode_answer(&head).unwrap();
        assert_eq!(used, head.len(), "{words:?}");
        assert_eq!(response.unwrap().status(), 101, "{words:?}");
    }
}

/// RFC 9112 5.2: a user agent replaces each fold with spaces before it looks at the value.
#[test]
fn rfc9112_5_2_folded_lines_of_an_answer_are_put_together() {
    for (lines, value) in [
        ("X: a\r\n b", "a   b"),
        ("X: a\r\n\tb", "a  \tb"),
        ("X: a\r\n b\r\n c", "a   b   c"),
        ("X:\r\n a", "a"),
        ("X: a\r\n ", "a"),
        ("Y: b\r\nX: a\r\n \t ", "a"),
    ] {
        let input = format!("HTTP/1.1 101 x\r\n{lines}\r\n\r\n");
        let (used, response) = decode_answer(&input).unwrap();
        assert_eq!(used, input.len());
        assert_eq!(response.unwrap().headers()["x"], value, "{lines:?}");

        let mut decoder = ResponseDecoder::new(&Limits::default());
        let mut bytes = input.as_bytes().chunks(1);
        let response = bytes.find_map(|byte| decoder.decode(byte).unwrap().1);
        assert_eq!(response.unwrap().headers()["x"], value, "{lines:?}");
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let hint = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let input = format!("{hint}{ANSWER}rest");
    let (used, response) = decode_answer(&input).unwrap();
    assert_eq!(used, input.len() - 4);
    assert_eq!(response.unwrap().status(), 101);

    let mut decoder = ResponseDecoder::new(&Limits::default());
    let answers = input.as_bytes().iter().filter_map(|byte| {
        let (used, response) = decoder.decode(&[*byte]).unwrap();
        assert_eq!(used, 1);
        response
    });
    let answer = answers.take(1).next().unwrap();
    assert_eq!(answer.headers()["upgrade"], "echo");
    assert!(!answer.headers().contains_key("link"));
}
