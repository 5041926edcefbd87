//! How each end came to its end, and what both must agree on.

use framewire::blocking::Shutdown;
use framewire::{Closed, Error, ErrorKind};

use crate::plan::{Closing, Plan, Trouble};
use crate::world::World;

/// How an end came to its end.
#[derive(Debug)]
pub enum Outcome {
    /// The calls that read say that it was closed.
    Closed(Closed),
    /// It was shut down.
    Shutdown(Shutdown),
    /// It failed.
    Failed(Error),
    /// It left, as planned.
    Left,
    /// It has waited long enough, for the rest of a closing handshake or for anything.
    GaveUp { is_closing: bool },
}

impl Outcome {
    /// Returns which one it is, and why it failed.
    pub fn name(&self) -> String {
        match self {
            Self::Closed(_) => "closed".to_owned(),
            Self::Shutdown(_) => "shut down".to_owned(),
            Self::Failed(error) => error.to_string(),
            Self::Left => "left".to_owned(),
            Self::GaveUp { .. } => "gave up".to_owned(),
        }
    }
}

/// Checks what the ends say against each other, and against what went wrong.
pub fn check(world: &World, plan: &Plan, outcomes: [Outcome; 2]) {
    for (side, outcome) in outcomes.iter().enumerate() {
        check_one(plan, side, outcome, &outcomes);
    }
    if !plan.ends_cleanly() {
        return;
    }
    for side in [0, 1] {
        // Who shuts the connection down drops what comes meanwhile.
        if plan.ends[1 - side].closing != Closing::Shutdown {
            world.ledgers[side].borrow().check_all_arrived();
        }
    }
    match outcomes {
        [Outcome::Closed(client), Outcome::Closed(server)] => {
            assert_eq!(client.local, server.peer, "what the client sent");
            assert_eq!(server.local, client.peer, "what the server sent");
            assert!(client.local.is_some() && server.local.is_some());
        }
        [Outcome::Shutdown(shutdown), Outcome::Closed(other)]
        | [Outcome::Closed(other), Outcome::Shutdown(shutdown)] => {
            let close = other.local.expect("it has answered");
            assert_eq!((shutdown.code, shutdown.reason), (close.code, close.reason));
        }
        _ => {}
    }
}

fn check_one(plan: &Plan, side: usize, outcome: &Outcome, both: &[Outcome; 2]) {
    let is_clean = match outcome {
        Outcome::Closed(_) => true,
        Outcome::Shutdown(shutdown) => shutdown.clean,
        Outcome::Left => plan.ends[side].closing == Closing::Leave,
        Outcome::GaveUp { is_closing } => {
            let is_silent = matches!(plan.trouble, Trouble::Silence(_));
            // No Ping follows a Close frame.
            let is_watched = plan.ends[side].has_heartbeat && !is_closing;
            assert!(is_silent, "{side} waits, and nothing has gone wrong");
            assert!(
                !is_watched,
                "{side} waits, and its heartbeat does not say so"
            );
            false
        }
        Outcome::Failed(error) => {
            let kind = error.kind();
            assert!(
                !matches!(kind, ErrorKind::Violation(_)),
                "{side} says that the other end broke the protocol: {error}"
            );
            if let ErrorKind::NoPong = kind {
                let is_silent = matches!(plan.trouble, Trouble::Silence(_));
                assert!(is_silent, "{side} has no Pong, and nothing has gone wrong");
            }
            false
        }
    };
    assert!(
        is_clean || !plan.ends_cleanly(),
        "{side} did not end cleanly: {both:?}"
    );
}
