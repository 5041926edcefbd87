//! What of a decoded head is not shown.

use framewire::upgrade::Limits;

use super::{ANSWER, decode, decode_answer};

#[test]
fn credentials_are_not_shown() {
    let credentials = "Authorization: secret\r\nProxy-Authorization: secret\r\nCookie: secret\r\n\
                       Set-Cookie: secret\r\nX-Mine: open\r\n\r\n";
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{credentials}");
    let (_, request) = decode(&Limits::default(), request.as_bytes())
        .unwrap()
        .unwrap();
    let answer = ANSWER.replace("\r\n\r\n", &format!("\r\n{credentials}"));
    let (_, answer) = decode_answer(&answer).unwrap();
    for (shown, headers) in [
        (format!("{request:?}"), request.headers()),
        (format!("{answer:?}"), answer.as_ref().unwrap().headers()),
    ] {
        assert!(
            !shown.contains("secret") && shown.contains("open"),
            "{shown}"
        );
        assert_eq!(headers["cookie"], "secret");
    }
}
