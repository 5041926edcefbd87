use crate::server::{Engine, Server};

with_each_engine! {
    get_of_the_root_is_the_page_with_its_limit,
    head_of_the_root_is_the_same_without_the_page,
    other_paths_and_methods_are_refused,
    an_upgrade_without_a_key_is_refused,
}

fn get_of_the_root_is_the_page_with_its_limit(engine: Engine) {
    let server = Server::start(engine, &["--max-message", "1MiB"]);
    let answer = server.answer("GET /?from=here HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: text/html; charset=utf-8"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(body.contains("name=\"framewire-max-message\" content=\"1048576\""));
}

fn head_of_the_root_is_the_same_without_the_page(engine: Engine) {
    let server = Server::start(engine, &[]);
    let get = server.answer("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = server.answer("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(head, get[..get.find("\r\n\r\n").unwrap() + 4]);
}

fn other_paths_and_methods_are_refused(engine: Engine) {
    let server = Server::start(engine, &[]);
    let status = |request: &str| server.answer(request)[..12].to_owned();
    assert_eq!(
        status("GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "HTTP/1.1 404"
    );
    let post = server.answer("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert!(
        post.to_ascii_lowercase().contains("allow: get, head\r\n"),
        "{post}"
    );
    assert_eq!(status("nonsense\r\n\r\n"), "HTTP/1.1 400");
}

fn an_upgrade_without_a_key_is_refused(engine: Engine) {
    let server = Server::start(engine, &[]);
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\n\r\n";
    assert!(server.answer(request).starts_with("HTTP/1.1 400 "));
}
