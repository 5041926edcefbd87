//! HTTP/1.1 Upgrade to a protocol that is not WebSocket, with Python's own HTTP and curl at the other
//! end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use framewire::upgrade::{self, Limits, Rewind, UpgradeError};
use http::{HeaderMap, Request};

use crate::process::{self, Running};
use crate::project::Project;
use crate::tally::Tally;

/// Starts a server of ours, and returns where it is.
pub(crate) fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let address = listener.local_addr()?;
    // Ends with this process.
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    Ok(address)
}

/// Echoes to whoever asks for it, and says one line to those who ask for that.
fn answer(stream: TcpStream) {
    thread::spawn(move || {
        // What went wrong the client says.
        let Ok(pending) = upgrade::receive(stream, &Limits::default()) else {
            return;
        };
        let Ok(upgraded) = pending.accept(&[PROTOCOL], HeaderMap::new()) else {
            return;
        };
        let says_line = upgraded.request().uri().path() == "/line";
        let mut stream = upgraded.into_rewind();
        let _ = if says_line {
            stream.write_all(LINE)
        } else {
            echo(stream)
        };
    });
}

fn echo(mut stream: Rewind<TcpStream>) -> io::Result<()> {
    let mut piece = [0; 16 << 10];
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            len => stream.write_all(&piece[..len])?,
        }
    }
}

pub(crate) fn python_client(project: &Project, address: SocketAddr) -> Result<Tally> {
    let mut python = script(project);
    python.args(["client", "127.0.0.1", &address.port().to_string()]);
    Tally::of_script(&mut python, SUITE)
}

/// curl prints what comes after the 101.
pub(crate) fn curl(address: SocketAddr) -> Result<Tally> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--no-buffer", "--http1.1"])
        .args(["--max-time", "10", "--noproxy", "*"])
        .args(["--header", "Connection: Upgrade"])
        .args(["--header", &format!("Upgrade: {PROTOCOL}")])
        .arg(format!("http://{address}/line"));
    let line = process::output(&mut curl, SUITE)?;
    ensure!(line.as_bytes() == LINE, "curl printed {line:?}");
    Ok(Tally::passed(1))
}

pub(crate) fn python_server(project: &Project) -> Result<Tally> {
    let server = Running::spawn(script(project).arg("server").stdout(Stdio::piped()))?;
    let (line, _stdout) = server.first_line(START)?;
    let address: SocketAddr = line.parse().with_context(|| format!("address {line:?}"))?;
    let ask = |target: &str| {
        let stream = TcpStream::connect_timeout(&address, START)?;
        let request = Request::get(format!("http://{address}{target}"))
            .header("upgrade", PROTOCOL)
            .body(())?;
        let validate = |_: &_| Ok::<(), UpgradeError>(());
        anyhow::Ok(upgrade::request(
            stream,
            request,
            &Limits::default(),
            validate,
        ))
    };

    let upgraded = ask("/echo")??;
    ensure!(upgraded.protocol() == PROTOCOL, "{:?}", upgraded.response());
    let mut stream = upgraded.into_rewind();
    stream.get_ref().set_read_timeout(Some(START))?;
    let said = b"anything at all";
    stream.write_all(said)?;
    stream.get_ref().shutdown(Shutdown::Write)?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard)?;
    ensure!(heard == [GREETING, said].concat(), "heard {heard:?}");

    let Err(refusal) = ask("/refuse")? else {
        bail!("a refusal was taken for an upgrade");
    };
    let body = refusal.response().map(http::Response::body);
    ensure!(
        refusal.status().is_some_and(|status| status == 403)
            && body.is_some_and(|body| body.ends_with(b"</html>\n")),
        "refused with {refusal:?}"
    );
    Ok(Tally::passed(2))
}

fn script(project: &Project) -> Command {
    let mut python = Command::new("python3");
    python
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(project.path("conformance/interop/upgrade.py"));
    python
}

const PROTOCOL: &str = "myproto/1";
const LINE: &[u8] = b"a line of another protocol\n";
/// What the server in Python says first.
const GREETING: &[u8] = b"welcome\n";
const START: Duration = Duration::from_secs(10);
const SUITE: Duration = Duration::from_secs(60);
