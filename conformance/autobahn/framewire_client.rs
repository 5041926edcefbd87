//! The client under test: it echoes what the suite sends, case by case.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Connector;
use framewire::{Config, Limits, WebSocket};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::front_end::{self, FrontEnd};
use crate::server::MAX_MESSAGE;

/// Asks the suite how many cases there are, runs them all and has the reports written.
pub(crate) fn run_all_cases(
    front_end: FrontEnd,
    suite: SocketAddr,
    agent: &str,
    deadline: Instant,
) -> Result<()> {
    let suite = Suite::new(suite)?;
    let client: &dyn Client = match front_end {
        FrontEnd::Tokio => &Tokio(suite, front_end::runtime()?),
        FrontEnd::Blocking => &Blocking(suite),
    };
    let count = client.read_one("/getCaseCount")?;
    let count: u32 = std::str::from_utf8(&count)?
        .parse()
        .context("number of cases")?;
    for case in 1..=count {
        ensure!(
            Instant::now() < deadline,
            "the suite was at case {case} of {count} when its time was over"
        );
        let target = format!("/runCase?case={case}&agent={agent}");
        let result = client.echo_until_closed(&target);
        result.with_context(|| format!("case {case} of {count}"))?;
    }
    println!("client, {front_end}: {count} cases");
    client.echo_until_closed(&format!("/updateReports?agent={agent}"))
}

/// What the suite asks of a client, by one front end.
trait Client {
    /// Connects to a target and reads a message.
    fn read_one(&self, target: &str) -> Result<Vec<u8>>;

    /// Connects to a target and echoes until the connection ends. Whether it ended as it should is
    /// for the suite to say.
    fn echo_until_closed(&self, target: &str) -> Result<()>;
}

struct Blocking(Suite);

impl Blocking {
    fn connect(&self, target: &str) -> Result<WebSocket<TcpStream>> {
        let Self(suite) = self;
        let stream = TcpStream::connect(suite.address)?;
        stream.set_nodelay(true)?;
        let uri = suite.uri(target);
        let websocket =
            framewire::connect_stream_with(stream, &uri, &suite.connector, suite.config)?;
        websocket.stream().set_read_timeout(Some(SILENCE))?;
        websocket.stream().set_write_timeout(Some(SILENCE))?;
        Ok(websocket)
    }
}

impl Client for Blocking {
    fn read_one(&self, target: &str) -> Result<Vec<u8>> {
        let mut message = Vec::new();
        self.connect(target)?.append_message(&mut message)?;
        Ok(message)
    }

    fn echo_until_closed(&self, target: &str) -> Result<()> {
        let mut websocket = self.connect(target)?;
        while let Ok(Some((message, writer))) = websocket.next_message_and_writer() {
            if writer.feed(message).is_err() {
                break;
            }
        }
        let _ = websocket.shutdown(END);
        Ok(())
    }
}

struct Tokio(Suite, Runtime);

impl Tokio {
    async fn connect(
        &self,
        target: &str,
    ) -> Result<framewire::tokio::WebSocket<framewire::tokio::Stream>> {
        let Self(suite, _) = self;
        let uri = suite.uri(target);
        let connected = framewire::tokio::connect_with(&uri, &suite.connector, suite.config);
        Ok(connected.await?)
    }
}

impl Client for Tokio {
    fn read_one(&self, target: &str) -> Result<Vec<u8>> {
        self.1.block_on(async {
            let mut message = Vec::new();
            let mut websocket = self.connect(target).await?;
            timeout(SILENCE, websocket.append_message(&mut message)).await??;
            Ok(message)
        })
    }

    fn echo_until_closed(&self, target: &str) -> Result<()> {
        self.1.block_on(async {
            let mut websocket = self.connect(target).await?;
            loop {
                let echo = async {
                    let read = websocket.next_message_and_writer().await;
                    let (message, writer) = read.ok().flatten()?;
                    writer.feed(message).await.ok()
                };
                if !matches!(timeout(SILENCE, echo).await, Ok(Some(()))) {
                    break;
                }
            }
            let _ = websocket.shutdown(END).await;
            Ok(())
        })
    }
}

/// The suite, and how to connect to it.
struct Suite {
    address: SocketAddr,
    connector: Connector,
    config: Config,
}

impl Suite {
    fn new(address: SocketAddr) -> Result<Self> {
        let config = Config::default().limits(Limits::default().message(MAX_MESSAGE as u64));
        Ok(Self {
            address,
            connector: Connector::new().deflate(Deflate::new(DeflateConfig::default())?),
            config,
        })
    }

    fn uri(&self, target: &str) -> String {
        format!("ws://{}{target}", self.address)
    }
}

/// The suite's longest pauses are a few seconds.
const SILENCE: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(5);
