//! How a tunnel ended, and what follows from that for both of its connections.

use std::fmt;
use std::io;
use std::time::Duration;

use framewire::{CloseCode, Closed, Error};

/// How a tunnel ended.
#[derive(Debug)]
pub(super) enum End {
    /// Each direction by itself.
    Both,
    /// The peer closed, whether or not this end did.
    Closed(Closed),
    WebSocket(Error),
    Tcp(io::Error),
    /// A text message where only binary ones may be.
    Text,
    /// Data after the end of their direction.
    TooMuch,
    Silent(Duration),
    /// The peer sent no data for this long, and no answer to the Close frame.
    Unanswered(Duration),
    /// The peer took nothing for this long.
    PeerStalled(Duration),
    /// TCP took nothing for this long.
    TcpStalled(Duration),
    /// The program is ending.
    Stopped,
}

impl End {
    /// Returns what this end says in its Close frame; `None` where it can say nothing.
    pub(super) fn farewell(&self) -> Option<(CloseCode, &'static str)> {
        Some(match self {
            Self::Both => (CloseCode::NORMAL, ""),
            Self::Tcp(_) => (CloseCode::INTERNAL_ERROR, "tcp connection failed"),
            Self::TcpStalled(_) => (CloseCode::INTERNAL_ERROR, "tcp took nothing for too long"),
            Self::Text => (CloseCode::UNSUPPORTED_DATA, "data are binary messages"),
            Self::TooMuch => (CloseCode::PROTOCOL_ERROR, "data after their end"),
            Self::Stopped => (CloseCode::GOING_AWAY, GOODBYE),
            Self::Closed(_)
            | Self::WebSocket(_)
            | Self::Silent(_)
            | Self::Unanswered(_)
            | Self::PeerStalled(_) => return None,
        })
    }

    /// Returns whether all bytes have come through, as far as the peer says.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Both => true,
            Self::Closed(closed) => {
                [CloseCode::NORMAL, CloseCode::NO_STATUS].contains(&closed.code())
            }
            _ => false,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both => f.write_str("both directions ended"),
            Self::Closed(closed) => closed.fmt(f),
            Self::WebSocket(error) => error.fmt(f),
            Self::Tcp(error) => write!(f, "tcp connection failed: {error}"),
            Self::Text => f.write_str("peer sent a text message"),
            Self::TooMuch => f.write_str("peer sent data after their end"),
            Self::Silent(interval) => write!(f, "nothing came for two pings, {interval:?} apart"),
            Self::Unanswered(time) => write!(f, "peer did not answer the close within {time:?}"),
            Self::PeerStalled(limit) => write!(f, "peer took nothing for {limit:?}"),
            Self::TcpStalled(limit) => write!(f, "tcp took nothing for {limit:?}"),
            Self::Stopped => f.write_str(GOODBYE),
        }
    }
}

/// The reason in the Close frame with which the program ends every tunnel.
pub(super) const GOODBYE: &str = "this end is shutting down";
