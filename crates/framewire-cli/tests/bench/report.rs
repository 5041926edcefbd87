//! The page.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process;

use framewire::CloseCode;

use crate::program::{Bench, echo, open, server};

/// A file that is removed when this is dropped.
struct Page(PathBuf);

impl Page {
    fn new(name: &str) -> Self {
        let name = format!("framewire-bench-{}-{name}.html", process::id());
        Self(env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_page_needs_nothing_else() {
    let (url, served) = server(1, |stream| echo(open(stream), |_| {}));
    let page = Page::new("alone");
    let options = [
        "-c1",
        "-d0.3",
        "-H",
        "X-Secret: hush",
        "--report",
        page.path(),
    ];
    let ended = Bench::start(&url, &options).end();
    served.join().unwrap();
    assert_eq!(ended.code, 0, "{}", ended.notes);
    assert!(ended.notes.contains(page.path()), "{}", ended.notes);
    let html = page.read();
    for part in [
        "src=", "href=", "<script", "<link", "url(", "http:", "https:", "@import", "hush",
    ] {
        assert!(!html.contains(part), "{part}");
    }
    let version = concat!("framewire ", env!("CARGO_PKG_VERSION"));
    for part in [
        &url[..],
        "</html>",
        "--connections 1",
        "x-secret: …",
        version,
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert_eq!(html.matches("<svg").count(), 4);
    assert_eq!(html.matches("</svg>").count(), 4);
}

#[test]
fn a_server_writes_no_element_into_a_page() {
    let (url, served) = server(1, |stream| {
        let mut websocket = open(stream);
        websocket
            .close(CloseCode::POLICY_VIOLATION, "<script>alert(1)</script>")
            .unwrap();
        while websocket.next_message().unwrap().is_some() {}
    });
    let page = Page::new("hostile");
    let options = ["-c1", "-d1000", "--report", page.path()];
    let ended = Bench::start(&url, &options).end();
    served.join().unwrap();
    assert_eq!(ended.code, 2);
    let html = page.read();
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
    assert!(!html.contains("<script"), "{html}");
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_the_run() {
    let options = ["-d1000", "--report", "/nowhere/at/all.html"];
    let ended = Bench::start("ws://127.0.0.1:1/", &options).end();
    assert_eq!((ended.code, &ended.output[..]), (1, ""));
    assert!(
        ended.notes.contains("cannot write /nowhere"),
        "{}",
        ended.notes
    );
}
