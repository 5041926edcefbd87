//! Options that are wrong, and what is said of them.

use crate::ends::program;
use crate::process::ended;

#[test]
fn options_that_do_not_fit_together_are_told() {
    let (client, server, web) = ("tcp://127.0.0.1:0", "ws://127.0.0.1:0", "ws://127.0.0.1:1/");
    for (arguments, words) in [
        (&["--listen", client][..], "--connect"),
        (&["--listen", client, "--connect", client], "--connect"),
        (
            &["--listen", client, "--connect", web, "--allow", "a:1"],
            "--allow",
        ),
        (
            &[
                "--listen",
                client,
                "--connect",
                web,
                "--require-header",
                "a: b",
            ],
            "--require-header",
        ),
        (
            &[
                "--listen",
                server,
                "--allow",
                "a:1",
                "--require-header",
                "a",
            ],
            "NAME: VALUE",
        ),
        (
            &["--listen", client, "--connect", web, "--target", "a"],
            "HOST:PORT",
        ),
        (
            &["--listen", client, "--connect", web, "--target", "a b:1"],
            "neither a name",
        ),
        (
            &["--listen", server, "--allow", "a:1", "--origin", "same"],
            "--allow-origin",
        ),
        (&["--listen", server], "nothing is allowed by default"),
        (&["--listen", server, "--connect", web], "tcp://"),
        (
            &["--listen", server, "--allow", "a:1", "--target", "a:1"],
            "--target",
        ),
        (
            &[
                "--listen",
                server,
                "--allow",
                "a:1",
                "--connect",
                "tcp://a:1",
            ],
            "--connect",
        ),
        (&["--listen", server, "--allow", "*:*"], "neither a name"),
        (
            &[
                "--listen",
                server,
                "--allow",
                "a:1",
                "--allow-origin",
                "same,any",
            ],
            "--allow-origin",
        ),
        (
            &["--listen", "ws://127.0.0.1:0/path", "--allow", "a:1"],
            "HOST:PORT",
        ),
        (
            &["--listen", "wss://127.0.0.1:0", "--allow", "a:1"],
            "--tls-cert",
        ),
        (
            &["--listen", "http://127.0.0.1:0", "--allow", "a:1"],
            "ws://",
        ),
        (&["--listen", "127.0.0.1:0", "--allow", "a:1"], "tcp://"),
    ] {
        let (code, text) = ended(program(arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}

#[test]
fn an_end_that_cannot_begin_ends_with_1() {
    let taken = crate::ends::listener();
    let listen = format!("tcp://{}", taken.local_addr().unwrap());
    for (arguments, words) in [
        (
            &["--listen", &listen, "--connect", "ws://127.0.0.1:1/"][..],
            "cannot listen on 127.0.0.1:",
        ),
        (
            &["--listen", "tcp://127.0.0.1:0", "--connect", "ws://"],
            "uri",
        ),
        (
            &[
                "--listen",
                "tcp://127.0.0.1:0",
                "--connect",
                "ws://a/",
                "--tls-ca",
                "/no/file",
            ],
            "/no/file",
        ),
        (
            &[
                "--listen",
                "wss://127.0.0.1:0",
                "--allow",
                "a:1",
                "--tls-cert",
                "/no/cert",
                "--tls-key",
                "/no/key",
            ],
            "/no/cert",
        ),
    ] {
        let (code, text) = ended(program(arguments));
        assert_eq!(code, Some(1), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}
