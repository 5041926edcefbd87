//! The examples over tokio do what they say.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use framewire::tokio::WebSocket;
use framewire::{CloseCode, Opcode, Side};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(dead_code, reason = "its main is for the command line")]
        mod $name;
    };
}
example!(axum_https, "../../crates/framewire/examples/axum_https.rs");
example!(chat, "../../crates/framewire/examples/tokio/chat.rs");
// It has tests of its own, which run here.
example!(
    chat_rooms,
    "../../crates/framewire/examples/tokio/chat_rooms.rs"
);
example!(echo, "../../crates/framewire/examples/tokio/echo.rs");
example!(
    graceful_shutdown,
    "../../crates/framewire/examples/tokio/graceful_shutdown.rs"
);
example!(
    stream_file,
    "../../crates/framewire/examples/tokio/stream_file.rs"
);
example!(
    tls_client,
    "../../crates/framewire/examples/tokio/tls_client.rs"
);
example!(tunnel, "../../crates/framewire/examples/tokio/tunnel.rs");

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let uri = format!("ws://{address}/");
    framewire::tokio::connect_stream(stream, &uri)
        .await
        .unwrap()
}

async fn in_time<T>(job: impl Future<Output = T>) -> T {
    timeout(PATIENCE, job).await.unwrap()
}

/// Messages of all sizes there and back, a Ping in between.
async fn assert_echoes(websocket: &mut WebSocket<TcpStream>) {
    for len in [0, 1, 125, 126, 5_000, 70_000, 1_000_000] {
        let sent = vec![b'a'; len];
        websocket.write((Opcode::Text, &sent)).await.unwrap();
        websocket.ping(b"?").await.unwrap();
        let message = websocket.next_message().await.unwrap().unwrap();
        assert_eq!(message.opcode(), Opcode::Text);
        assert!(message.payload() == sent, "{len}");
    }
}

#[tokio::test]
async fn echo_echoes() {
    let (listener, address) = listener().await;
    tokio::spawn(echo::run(listener));
    in_time(async {
        let mut websocket = connect(address).await;
        assert_echoes(&mut websocket).await;
        assert!(websocket.shutdown(PATIENCE).await.unwrap().clean);
    })
    .await;
}

#[tokio::test]
async fn chat_gives_what_anyone_says_to_everyone() {
    let (listener, address) = listener().await;
    tokio::spawn(chat::run(listener));
    in_time(async {
        let mut members = Vec::new();
        for number in 0..4 {
            // Whoever hears itself is in the room.
            let mut member = connect(address).await;
            let text = format!("{number} is here");
            let said = member.write(&text);
            said.await.unwrap();
            while member.next_message().await.unwrap().unwrap().text() != Some(&text) {}
            members.push(member);
        }
        drop(members.swap_remove(1));
        let all = members[0].write("to all");
        all.await.unwrap();
        for member in &mut members {
            while member.next_message().await.unwrap().unwrap().text() != Some("to all") {}
        }
    })
    .await;
}

#[tokio::test]
async fn graceful_shutdown_closes_all_with_1001_and_ends() {
    let (listener, address) = listener().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(graceful_shutdown::run(listener, stop.clone()));
    in_time(async {
        let mut websockets = Vec::new();
        for _ in 0..10 {
            let mut websocket = connect(address).await;
            assert_echoes(&mut websocket).await;
            websockets.push(websocket);
        }
        stop.cancel();
        for websocket in &mut websockets {
            assert!(websocket.next_message().await.unwrap().is_none());
            let closed = websocket.closed().unwrap();
            assert_eq!(closed.code(), CloseCode::GOING_AWAY);
            assert_eq!(closed.by, Side::Peer);
            assert!(websocket.shutdown(PATIENCE).await.unwrap().clean);
        }
        server.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    })
    .await;
}

/// One answers nothing, one does not even read, and one that is as it should be has its end all the same.
#[tokio::test]
async fn graceful_shutdown_ends_after_its_grace_whatever_peers_do() {
    let (listener, address) = listener().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(graceful_shutdown::run(listener, stop.clone()));
    in_time(async {
        let mut good = connect(address).await;
        let mut silent = connect(address).await;
        assert_echoes(&mut silent).await;
        let mut deaf = connect(address).await;
        // Time passes while nobody has anything to do, and only then.
        tokio::time::pause();
        let flood = vec![0; 1 << 16];
        let moment = Duration::from_secs(1);
        while let Ok(sent) = timeout(moment, deaf.write(&flood)).await {
            sent.unwrap();
        }
        let stopped = Instant::now();
        stop.cancel();
        assert!(good.shutdown(PATIENCE).await.unwrap().clean);
        server.await.unwrap().unwrap();
        let taken = stopped.elapsed();
        let grace = graceful_shutdown::GRACE;
        assert!(grace <= taken && taken < 2 * grace, "{taken:?}");
        assert!(silent.next_message().await.unwrap().is_none());
        assert_eq!(silent.closed().unwrap().code(), CloseCode::GOING_AWAY);
    })
    .await;
}

#[tokio::test]
async fn tunnel_carries_a_tcp_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const SAID: usize = 300_000;

    let (service, service_address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = service.accept().await.unwrap();
        let mut said = vec![0; SAID];
        stream.read_exact(&mut said).await.unwrap();
        stream.write_all(&said.repeat(2)).await.unwrap();
        stream.write_all(b"goodbye").await.unwrap();
    });
    let (far, far_address) = listener().await;
    tokio::spawn(async move { tunnel::serve(far, &service_address.to_string()).await });
    let (near, near_address) = listener().await;
    tokio::spawn(async move { tunnel::listen(near, &format!("ws://{far_address}/")).await });
    in_time(async {
        let mut stream = TcpStream::connect(near_address).await.unwrap();
        let said = vec![7; SAID];
        stream.write_all(&said).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert!(
            heard == [&said.repeat(2)[..], b"goodbye"].concat(),
            "{}",
            heard.len()
        );
    })
    .await;
}

/// A gibibyte, at both ends on this thread; blocking reads of the file are on another.
#[test]
fn stream_file_takes_a_gibibyte_in_constant_memory() {
    const LEN: u64 = 1 << 30;
    let directory = std::env::temp_dir();
    let file = directory.join(format!("framewire-stream-file-{}", std::process::id()));
    // Of nothing but zeros, which take no room.
    std::fs::File::create(&file).unwrap().set_len(LEN).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let mut fetched = 0;
    let allocated = allocation_counter::measure(|| {
        fetched = runtime.block_on(in_time(async {
            let (listener, address) = listener().await;
            let served = file.clone();
            tokio::spawn(async move { stream_file::serve(listener, &served).await });
            let uri = format!("ws://{address}/");
            stream_file::fetch(&uri, tokio::io::sink()).await.unwrap()
        }));
    });
    std::fs::remove_file(&file).unwrap();
    assert_eq!(fetched, LEN);
    assert!(allocated.bytes_max < 1 << 20, "{}", allocated.bytes_max);
}

#[tokio::test]
async fn tls_client_trusts_who_it_is_told_to_trust_and_axum_https_echoes() {
    use framewire::upgrade::Dialer;
    use rcgen::{CertificateParams, KeyPair};
    use tokio_rustls::rustls::{ServerConfig, crypto::ring};

    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let (listener, address) = listener().await;
    tokio::spawn(axum_https::run(listener, config));
    // One that says nothing delays no other.
    let _silent = TcpStream::connect(address).await.unwrap();
    let roots = std::env::temp_dir();
    let roots = roots.join(format!("framewire-tls-client-{}.pem", std::process::id()));
    std::fs::write(&roots, certificate.pem()).unwrap();
    let trusting = Dialer::new().tls(tls_client::trusting(&roots).unwrap());
    std::fs::remove_file(&roots).unwrap();
    let uri = format!("wss://{address}/echo");
    let texts = ["hello", "", "w\u{f6}rld"].map(str::to_owned);
    in_time(async {
        let answers = tls_client::run(&uri, &texts, trusting).await.unwrap();
        assert_eq!(answers, texts);
        let refused = tls_client::run(&uri, &texts, Dialer::new()).await;
        assert!(refused.is_err());
    })
    .await;
}
