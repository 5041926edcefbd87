//! The client's end over a stream that blocks, and what is left of it.

use framewire::upgrade::{self, Limits, UpgradeError, Upgraded};
use http::Request;
use std::time::Duration;
use support::peer::ScriptedPeer;

const ANSWER: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n";

fn ask_within(
    stream: ScriptedPeer,
    limits: &Limits,
) -> Result<Upgraded<ScriptedPeer>, UpgradeError> {
    let request = Request::get("http://a.example/").header("upgrade", "echo/1");
    upgrade::request(stream, request.body(()).unwrap(), limits, |_| {
        Ok::<_, UpgradeError>(())
    })
}

#[test]
fn no_time_outs_are_left_behind() {
    let upgraded = ask_within(ScriptedPeer::new(ANSWER), &Limits::default()).unwrap();
    let timeouts = upgraded.get_ref().timeouts();
    assert_eq!((timeouts.read, timeouts.write), (None, None));
    let limits = Limits::default().time(Duration::MAX);
    assert_eq!(
        ask_within(ScriptedPeer::new(ANSWER), &limits)
            .unwrap()
            .get_ref()
            .calls()
            .timeouts,
        0
    );
}
