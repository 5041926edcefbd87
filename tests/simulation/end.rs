//! One end of a simulation: its plan, and what its tasks share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use framewire::deflate::{Negotiated, Parameters};
use framewire::protocol::Role;

use crate::outcome::Outcome;
use crate::plan::{EndPlan, Plan};
use crate::world::{Side, World};

#[derive(Clone)]
pub struct End {
    pub world: Rc<World>,
    pub side: Side,
    pub all: Rc<Plan>,
    pub outcome: Rc<RefCell<Option<Outcome>>>,
    /// Whether the heartbeat says that the peer is gone.
    pub is_dead: Rc<Cell<bool>>,
    pub has_left: Rc<Cell<bool>>,
}

impl End {
    pub fn new(world: &Rc<World>, side: Side, all: &Rc<Plan>) -> Self {
        Self {
            world: Rc::clone(world),
            side,
            all: Rc::clone(all),
            outcome: Rc::default(),
            is_dead: Rc::default(),
            has_left: Rc::default(),
        }
    }

    pub fn plan(&self) -> &EndPlan {
        &self.all.ends[self.side]
    }

    pub fn role(&self) -> Role {
        [Role::Client, Role::Server][self.side]
    }

    /// What a handshake would have agreed on.
    pub fn agreed(&self) -> Option<Negotiated> {
        let config = self.all.compression.as_ref()?;
        let parameters = Parameters::default()
            .server_no_context_takeover(config.server_no_context_takeover)
            .client_no_context_takeover(config.client_no_context_takeover)
            .server_max_window_bits(config.server_max_window_bits)
            .client_max_window_bits(config.client_max_window_bits);
        Some(self.all.deflate()?.negotiated(parameters))
    }

    pub fn ended(&self, outcome: Outcome) {
        self.world.tell(self.side, || format!("ended: {outcome:?}"));
        *self.outcome.borrow_mut() = Some(outcome);
    }

    pub fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }
}

/// Why a connection is closed.
pub const REASON: &str = "all is said";
/// How long an end waits for the other before it leaves.
pub const GIVES_UP: Duration = Duration::from_secs(600);
/// Between two Pings.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a Pong may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
