//! `framewire tunnel`: TCP connections through WebSocket connections, both ends.
//!
//! There is one WebSocket connection for each TCP connection: a stream that is not taken holds up no other, and what
//! bounds one connection bounds the tunnel. Both ends then do the same work, which is [`carry`].

mod allow;
mod carry;
mod end;
mod entrance;
mod exit;
mod listening;
mod log;
mod options;
mod place;
mod pulse;
mod query;
mod stop;
mod target;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args as _, Command};
use tokio::runtime::Builder;

pub(crate) use self::options::Options;

use self::allow::{AllowList, Rule};
use self::carry::Patience;
use self::entrance::Entrance;
use self::exit::Exit;
use self::place::{Place, WebAddress};
use self::stop::stop;
use crate::failure::Failure;
use crate::reach::Reach;
use crate::serve::{GRACE, on_signal};

/// Carries connections until SIGINT, SIGTERM or SIGHUP.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let end = match (&options.listen, &options.connect) {
        (Place::Tcp(address), Some(Place::Web(url))) => entrance(options, address, url)?,
        (Place::Web(url), target) => exit(options, url, target.as_ref())?,
        (Place::Tcp(_), _) => {
            return Err(misuse(
                "--listen tcp://… needs --connect with a URL that begins with ws:// or wss://",
            ));
        }
    };
    end.run().map_err(Failure::NoConnection)
}

/// One end that is ready to listen.
struct End {
    address: String,
    scheme: &'static str,
    side: Side,
}

enum Side {
    Client(Arc<Entrance>),
    Server(Arc<Exit>),
}

fn entrance(options: &Options, address: &str, url: &str) -> Result<End, Failure> {
    let server = &options.server;
    let lists = [
        server.allow.is_empty(),
        server.allow_origin.is_empty(),
        server.require_header.is_empty(),
    ];
    if lists.contains(&false) || server.tls.is_given() {
        return Err(misuse(
            "--allow, --allow-origin, --require-header and --tls-cert are for the server end, which listens on ws:// \
             or wss://",
        ));
    }
    Ok(End {
        address: address.to_owned(),
        scheme: "tcp",
        side: Side::Client(Arc::new(Entrance::new(options, url, patience(options))?)),
    })
}

fn exit(options: &Options, url: &str, target: Option<&Place>) -> Result<End, Failure> {
    if options.client.target.is_some() {
        return Err(misuse(
            "--target is for the client end: --allow says what the server end connects to",
        ));
    }
    if is_client(&options.reach) {
        return Err(misuse(
            "how the server is reached is for the client end: --allow-origin says which web pages may connect",
        ));
    }
    let rules = match target {
        Some(Place::Tcp(target)) => vec![Rule::parse(target).map_err(misuse)?],
        Some(Place::Web(_)) => return Err(misuse("one end listens on tcp:// or connects to it")),
        None => options.server.allow.clone(),
    };
    if rules.is_empty() {
        return Err(misuse(
            "the server end needs --allow HOST:PORT or --connect tcp://HOST:PORT: nothing is allowed by default",
        ));
    }
    let WebAddress { is_secure, address } = WebAddress::parse(url).map_err(misuse)?;
    if options.server.tls.is_given() != is_secure {
        return Err(misuse(
            "--tls-cert and --tls-key go with --listen wss://…, and only with it",
        ));
    }
    let tls = options.server.tls.config().map_err(Failure::NoConnection)?;
    let allowed = AllowList::new(rules);
    let exit = Exit::new(options, allowed, tls, patience(options)).map_err(misuse)?;
    Ok(End {
        address: address.to_owned(),
        scheme: if is_secure { "wss" } else { "ws" },
        side: Side::Server(Arc::new(exit)),
    })
}

/// Returns whether any option is given that means nothing where no server is connected to.
fn is_client(reach: &Reach) -> bool {
    let values = [
        reach.origin.is_some(),
        reach.connect_to.is_some(),
        reach.proxy.is_some(),
        reach.tls_ca.is_some(),
        reach.insecure,
        reach.follow > 0,
    ];
    values.contains(&true) || !reach.header.is_empty() || !reach.subprotocol.is_empty()
}

fn patience(options: &Options) -> Patience {
    let some = |time: Duration| (!time.is_zero()).then_some(time);
    Patience {
        ping_interval: some(options.ping_interval),
        write_timeout: some(options.reach.write_timeout),
        close_timeout: options.close_timeout,
    }
}

/// Returns the error for options that are well-formed but do not fit together.
fn misuse(message: impl fmt::Display) -> Failure {
    let mut command = Options::augment_args(Command::new("framewire tunnel"));
    Failure::Usage(command.error(ErrorKind::ArgumentConflict, message))
}

impl End {
    /// Listens until a signal comes, and then ends all tunnels.
    fn run(self) -> Result<(), String> {
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error: io::Error| format!("cannot start threads: {error}"))?;
        let (stopper, mut stop, mut gone) = stop();
        on_signal(move || stopper.stop())?;
        let result = runtime.block_on(async {
            let listener = listening::listen(&self.address).await?;
            let tail = if self.scheme == "tcp" { "" } else { "/" };
            listening::announce(&listener, self.scheme, tail)?;
            let held = stop.clone();
            let serve = async {
                match self.side {
                    Side::Client(entrance) => entrance.serve(listener, held).await,
                    Side::Server(exit) => exit.serve(listener, held).await,
                }
            };
            tokio::select! {
                () = serve => {}
                () = stop.wait() => {}
            }
            drop(stop);
            // Each tunnel may take this long to close, and what it does then takes a little.
            gone.wait(GRACE * 2).await;
            Ok(())
        });
        // The remaining tunnels have had their time.
        runtime.shutdown_background();
        result
    }
}
