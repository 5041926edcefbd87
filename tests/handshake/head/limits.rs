//! The limits on a head, and that a long one is parsed in one pass.

use framewire::upgrade::{Limits, ResponseDecoder, UpgradeErrorKind};
use http::StatusCode;
use support::http_text::REQUEST;

use super::{decode, decode_cut};

#[test]
fn head_of_exactly_the_limit_is_accepted() {
    let limits = Limits::default().head_bytes(REQUEST.len());
    assert!(decode(&limits, REQUEST.as_bytes()).unwrap().is_some());
    assert!(
        decode_cut(&limits, REQUEST.as_bytes(), 1..REQUEST.len())
            .unwrap()
            .is_some()
    );
}

#[test]
fn head_that_cannot_end_within_the_limit_is_refused_at_the_limit() {
    let limits = Limits::default().head_bytes(REQUEST.len() - 1);
    let head = &REQUEST.as_bytes()[..REQUEST.len() - 1];
    let error = decode(&limits, head).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(
        error.status(),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    assert_eq!(
        error.to_string(),
        format!("head exceeds the limit of {} bytes", head.len())
    );
    assert!(decode(&limits, &head[..head.len() - 1]).unwrap().is_none());
}

#[test]
fn default_limit_is_16_kib() {
    let head = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16 * 1024));
    assert!(
        decode(&Limits::default(), &head.as_bytes()[..16 * 1024 - 1])
            .unwrap()
            .is_none()
    );
    assert!(decode(&Limits::default(), &head.as_bytes()[..16 * 1024]).is_err());
}

#[test]
fn bytes_after_the_head_do_not_count() {
    let limits = Limits::default().head_bytes(REQUEST.len());
    let input = [REQUEST.as_bytes(), &vec![0; 100_000]].concat();
    assert_eq!(decode(&limits, &input).unwrap().unwrap().0, REQUEST.len());
}

#[test]
fn request_line_over_the_limit_is_414() {
    let limits = Limits::default().head_bytes(100);
    let error = decode(&limits, "GET /".repeat(20).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(error.status(), Some(StatusCode::URI_TOO_LONG));
}

#[test]
fn target_longer_than_a_uri_can_be_is_an_error() {
    let limits = Limits::default().head_bytes(usize::MAX);
    let decode_target = |length: usize| {
        let target = format!("/{}", "a".repeat(length - 1));
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        decode(&limits, head.as_bytes())
    };
    let (_, longest) = decode_target(65_534).unwrap().unwrap();
    assert_eq!(longest.uri().path().len(), 65_534);
    let error = decode_target(65_535).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(error.status(), Some(StatusCode::URI_TOO_LONG));
}

#[test]
fn empty_lines_in_front_count_as_well() {
    let limits = Limits::default().head_bytes(100);
    let error = decode(&limits, "\r\n".repeat(50).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
}

#[test]
fn headers_are_counted_as_they_come() {
    let limits = Limits::default().headers(2);
    let two = "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n";
    assert!(
        decode(&limits, format!("{two}\r\n").as_bytes())
            .unwrap()
            .is_some()
    );
    // The first byte of a third is enough.
    let error = decode(&limits, format!("{two}Y").as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
    assert_eq!(
        error.status(),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    assert_eq!(
        error.to_string(),
        "head exceeds the limit of 2 header lines"
    );
}

#[test]
fn default_limit_is_100_headers() {
    let head = |count| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: a\r\n".repeat(count)
        )
    };
    assert!(
        decode(&Limits::default(), head(99).as_bytes())
            .unwrap()
            .is_some()
    );
    assert!(decode(&Limits::default(), head(100).as_bytes()).is_err());
}

#[test]
fn more_headers_than_a_map_can_hold_are_an_error_and_no_panic() {
    let limits = Limits::default().head_bytes(usize::MAX).headers(usize::MAX);
    for count in [24_575, 24_576, 24_577, 32_768, 40_000] {
        let lines: String = (0..count).fold(String::new(), |lines, line| {
            lines + &format!("x{line}: a\r\n")
        });
        for first in [
            "GET http://a/ HTTP/1.0\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
        ] {
            let head = format!("{first}{lines}\r\n");
            if let Err(error) = decode(&limits, head.as_bytes()) {
                assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
                assert_eq!(error.status().unwrap(), 431);
            } else {
                assert!(count < 24_577);
            }
        }
    }
}

#[test]
fn many_headers_of_one_name_are_no_trouble() {
    let limits = Limits::default().head_bytes(usize::MAX).headers(usize::MAX);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: a\r\n".repeat(50_000)
    );
    let (_, request) = decode(&limits, head.as_bytes()).unwrap().unwrap();
    assert_eq!(request.headers().get_all("x").iter().count(), 50_000);
}

/// With a second look at every byte each time, this would be 2 million million steps.
#[test]
fn megabytes_fed_byte_by_byte_are_looked_at_once() {
    let limits = Limits::default().head_bytes(usize::MAX);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(2 << 20)
    );
    let (used, _) = decode_cut(&limits, head.as_bytes(), 1..head.len())
        .unwrap()
        .unwrap();
    assert_eq!(used, head.len());
}

#[test]
fn folded_lines_count_as_lines_and_bytes() {
    let limits = Limits::default().headers(3);
    let decode = |lines: &str| {
        let input = format!("HTTP/1.1 101 x\r\n{lines}\r\n");
        ResponseDecoder::new(&limits).decode(input.as_bytes())
    };
    assert!(decode("X: a\r\n b\r\n c\r\n").unwrap().1.is_some());
    let error = decode("X: a\r\n b\r\n c\r\n d\r\n").unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
}

#[test]
fn endless_interim_answers_end_at_the_limit() {
    let mut decoder = ResponseDecoder::new(&Limits::default());
    let hint = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let error = (0..1000).find_map(|_| decoder.decode(hint).err()).unwrap();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
}
