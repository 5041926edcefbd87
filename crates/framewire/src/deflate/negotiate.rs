//! Negotiation: the parameters of RFC 7692 7.1, offered, answered and checked.

use std::fmt::{self, Write as _};

use crate::extension_list::{Extension, Extensions};
use crate::protocol::Role;

/// What one end is ready to use.
///
/// A server compares offers with it. A client offers it.
///
/// # Examples
/// ```
/// use framewire::deflate::DeflateConfig;
///
/// let config = DeflateConfig::default().level(6).threshold(64);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// Whether the server compresses each message without the earlier ones. Less memory, worse compression. Default:
    /// `false`; a client that offers it makes it `true`.
    pub server_no_context_takeover: bool,
    /// Whether the client compresses each message without the earlier ones. Default: `false`; a server that answers it
    /// makes it `true`.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window, 9 to 15. Default: 15.
    pub server_max_window_bits: u8,
    /// The base-2 logarithm of the client's window, 9 to 15. Default: 15. A server can ask for less only where the
    /// client offers it.
    pub client_max_window_bits: u8,
    /// How hard to compress, 0 to 9 in the engine's terms. Default: [`BEST_SPEED`], 1.
    pub level: u8,
    /// How much memory to compress with, 1 to 9; the [module](super) says how much. Default: 8.
    pub memory_level: u8,
    /// The least length in bytes of a message that is compressed. Streamed messages, whose length is not known, always
    /// are. Default: 0, all are compressed.
    pub threshold: usize,
}

/// The lowest level that compresses.
pub const BEST_SPEED: u8 = 1;

impl DeflateConfig {
    /// Creates the default configuration. Unlike [`Default`], it works in constants too.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
            level: BEST_SPEED,
            memory_level: 8,
            threshold: 0,
        }
    }

    /// Sets whether the [server](field@Self::server_no_context_takeover) compresses each message without the earlier
    /// ones, by default `false`.
    #[must_use]
    pub const fn server_no_context_takeover(mut self, server_no_context_takeover: bool) -> Self {
        self.server_no_context_takeover = server_no_context_takeover;
        self
    }

    /// Sets whether the [client](field@Self::client_no_context_takeover) compresses each message without the earlier
    /// ones, by default `false`.
    #[must_use]
    pub const fn client_no_context_takeover(mut self, client_no_context_takeover: bool) -> Self {
        self.client_no_context_takeover = client_no_context_takeover;
        self
    }

    /// Sets the base-2 logarithm of the [server's window](field@Self::server_max_window_bits), 15 by default.
    #[must_use]
    pub const fn server_max_window_bits(mut self, server_max_window_bits: u8) -> Self {
        self.server_max_window_bits = server_max_window_bits;
        self
    }

    /// Sets the base-2 logarithm of the [client's window](field@Self::client_max_window_bits), 15 by default.
    #[must_use]
    pub const fn client_max_window_bits(mut self, client_max_window_bits: u8) -> Self {
        self.client_max_window_bits = client_max_window_bits;
        self
    }

    /// Sets [how hard](field@Self::level) to compress, 0 to 9, by default 1.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets [how much memory](field@Self::memory_level) to compress with, 1 to 9, by default 8.
    #[must_use]
    pub const fn memory_level(mut self, memory_level: u8) -> Self {
        self.memory_level = memory_level;
        self
    }

    /// Sets the [least length](field@Self::threshold) of a message that is compressed, in bytes, 0 by default.
    #[must_use]
    pub const fn threshold(mut self, threshold: usize) -> Self {
        self.threshold = threshold;
        self
    }

    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let bits = MIN_COMPRESSOR_WINDOW_BITS..=MAX_WINDOW_BITS;
        if !bits.contains(&self.server_max_window_bits) {
            return Err(InvalidConfig("server window bits are not 9 to 15"));
        }
        if !bits.contains(&self.client_max_window_bits) {
            return Err(InvalidConfig("client window bits are not 9 to 15"));
        }
        if self.level > 9 {
            return Err(InvalidConfig("compression level is not 0 to 9"));
        }
        if !(1..=9).contains(&self.memory_level) {
            return Err(InvalidConfig("memory level is not 1 to 9"));
        }
        Ok(())
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Which field of a [`DeflateConfig`] is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidConfig(&'static str);

impl InvalidConfig {
    /// Returns which field it is, and its range.
    pub(crate) fn reason(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidConfig {}

/// What both ends have agreed on.
///
/// By default both ends refer to earlier messages, with the largest window: what there is where no parameter was agreed
/// on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameters {
    /// RFC 7692 7.1.1.1.
    pub server_no_context_takeover: bool,
    /// RFC 7692 7.1.1.2.
    pub client_no_context_takeover: bool,
    /// RFC 7692 7.1.2.1; 15 where it was not agreed on.
    pub server_max_window_bits: u8,
    /// RFC 7692 7.1.2.2; 15 where it was not agreed on.
    pub client_max_window_bits: u8,
}

impl Parameters {
    /// Creates the default parameters. Unlike [`Default`], it works in constants too.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
        }
    }

    /// Sets whether the server compresses each message without the earlier ones (RFC 7692 7.1.1.1), by default `false`.
    #[must_use]
    pub const fn server_no_context_takeover(mut self, server_no_context_takeover: bool) -> Self {
        self.server_no_context_takeover = server_no_context_takeover;
        self
    }

    /// Sets whether the client compresses each message without the earlier ones (RFC 7692 7.1.1.2), by default `false`.
    #[must_use]
    pub const fn client_no_context_takeover(mut self, client_no_context_takeover: bool) -> Self {
        self.client_no_context_takeover = client_no_context_takeover;
        self
    }

    /// Sets the base-2 logarithm of the server's window (RFC 7692 7.1.2.1), 15 by default.
    #[must_use]
    pub const fn server_max_window_bits(mut self, server_max_window_bits: u8) -> Self {
        self.server_max_window_bits = server_max_window_bits;
        self
    }

    /// Sets the base-2 logarithm of the client's window (RFC 7692 7.1.2.2), 15 by default.
    #[must_use]
    pub const fn client_max_window_bits(mut self, client_max_window_bits: u8) -> Self {
        self.client_max_window_bits = client_max_window_bits;
        self
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a server's answer does not fit the client's offer: the client fails the connection (RFC 7692 7.1, RFC 6455
/// 4.1). The server is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not a list of extensions (RFC 6455 9.1).
    Malformed,
    /// An extension that was not offered, or one that was accepted twice.
    UnexpectedExtension,
    /// A parameter that RFC 7692 does not define, or one that was not offered.
    UnexpectedParameter,
    /// A parameter that appears twice.
    DuplicateParameter,
    /// A value that is missing, not allowed, or more than was offered.
    InvalidValue,
    /// A parameter that was offered and that the server must confirm, and did not.
    MissingParameter,
    /// A window of 2^8 bytes for the client's messages, which the engine cannot compress for: see
    /// [`Engine::fits_window_of_8_bits`](super::Engine::fits_window_of_8_bits).
    UnsupportedWindow,
}

impl DeflateConfig {
    /// Returns the parameters of the first offer that can be honoured, and the value of the answer's header.
    pub(super) fn accept<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
        least_bits: u8,
    ) -> Option<(Parameters, String)> {
        let offers = values.into_iter().flat_map(Extensions::new);
        offers
            .filter_map(Result::ok)
            .filter(|offer| offer.name.eq_ignore_ascii_case(NAME))
            .find_map(|offer| Offer::parse(&offer).ok()?.accept(self, least_bits))
    }

    /// Returns the value of a client's header.
    pub(super) fn offer(&self) -> String {
        let mut offer = NAME.to_owned();
        if self.server_no_context_takeover {
            push(&mut offer, SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            push(&mut offer, CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if self.server_max_window_bits < MAX_WINDOW_BITS {
            let bits = Some(self.server_max_window_bits);
            push(&mut offer, SERVER_MAX_WINDOW_BITS, bits);
        }
        // Always: without it a server could not ask for a smaller window (RFC 7692 7.1.2.2).
        let bits = self.client_max_window_bits;
        let bits = (bits < MAX_WINDOW_BITS).then_some(bits);
        push(&mut offer, CLIENT_MAX_WINDOW_BITS, bits);
        offer
    }

    /// Returns the parameters of a server's answer; `None` where it declined.
    pub(super) fn check_answer<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
        least_bits: u8,
    ) -> Result<Option<Parameters>, AnswerError> {
        let mut agreed = None;
        for extension in values.into_iter().flat_map(Extensions::new) {
            let extension = extension.map_err(|_| AnswerError::Malformed)?;
            if agreed.is_some() || !extension.name.eq_ignore_ascii_case(NAME) {
                return Err(AnswerError::UnexpectedExtension);
            }
            agreed = Some(Offer::parse(&extension)?.check(self, least_bits)?);
        }
        Ok(agreed)
    }
}

impl Parameters {
    /// Returns whether one end keeps its context from message to message, and the window bits to ask an engine for: 9
    /// to 15, whatever an application has set here.
    pub(super) fn of(self, role: Role) -> (bool, u8) {
        let (no_context_takeover, window_bits) = match role {
            Role::Server => (self.server_no_context_takeover, self.server_max_window_bits),
            Role::Client => (self.client_no_context_takeover, self.client_max_window_bits),
        };
        let window_bits = window_bits.clamp(MIN_COMPRESSOR_WINDOW_BITS, MAX_WINDOW_BITS);
        (!no_context_takeover, window_bits)
    }
}

/// The parameters as a header has them.
#[derive(Debug, Clone, Copy, Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: ClientWindow,
}

/// `client_max_window_bits`, which an offer may have without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ClientWindow {
    #[default]
    Absent,
    WithoutValue,
    Bits(u8),
}

impl Offer {
    fn parse(extension: &Extension<'_>) -> Result<Self, AnswerError> {
        let mut offer = Self::default();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            let doubled = if name.eq_ignore_ascii_case(SERVER_NO_CONTEXT_TAKEOVER) {
                no_value(value)?;
                std::mem::replace(&mut offer.server_no_context_takeover, true)
            } else if name.eq_ignore_ascii_case(CLIENT_NO_CONTEXT_TAKEOVER) {
                no_value(value)?;
                std::mem::replace(&mut offer.client_no_context_takeover, true)
            } else if name.eq_ignore_ascii_case(SERVER_MAX_WINDOW_BITS) {
                let bits = window_bits(value.ok_or(AnswerError::InvalidValue)?)?;
                offer.server_max_window_bits.replace(bits).is_some()
            } else if name.eq_ignore_ascii_case(CLIENT_MAX_WINDOW_BITS) {
                let window = match value {
                    None => ClientWindow::WithoutValue,
                    Some(value) => ClientWindow::Bits(window_bits(value)?),
                };
                std::mem::replace(&mut offer.client_max_window_bits, window) != ClientWindow::Absent
            } else {
                return Err(AnswerError::UnexpectedParameter);
            };
            if doubled {
                return Err(AnswerError::DuplicateParameter);
            }
        }
        Ok(offer)
    }

    /// Returns a server's parameters and answer, where it can honour the offer. `least_bits` is the smallest window
    /// that the engine compresses for.
    fn accept(self, config: &DeflateConfig, least_bits: u8) -> Option<(Parameters, String)> {
        let server_bits = self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS);
        if server_bits < least_bits {
            return None;
        }
        let parameters = Parameters {
            server_no_context_takeover: self.server_no_context_takeover
                || config.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || config.client_no_context_takeover,
            server_max_window_bits: server_bits.min(config.server_max_window_bits),
            // RFC 7692 7.1.2.2: not in the answer unless it was in the offer.
            client_max_window_bits: match self.client_max_window_bits {
                ClientWindow::Absent => MAX_WINDOW_BITS,
                ClientWindow::WithoutValue => config.client_max_window_bits,
                ClientWindow::Bits(bits) => bits.min(config.client_max_window_bits),
            },
        };
        let mut answer = NAME.to_owned();
        if parameters.server_no_context_takeover {
            push(&mut answer, SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if parameters.client_no_context_takeover {
            push(&mut answer, CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        // RFC 7692 7.1.2.1: an offered limit is accepted by confirming it.
        if self.server_max_window_bits.is_some()
            || parameters.server_max_window_bits < MAX_WINDOW_BITS
        {
            let bits = Some(parameters.server_max_window_bits);
            push(&mut answer, SERVER_MAX_WINDOW_BITS, bits);
        }
        if parameters.client_max_window_bits < MAX_WINDOW_BITS {
            let bits = Some(parameters.client_max_window_bits);
            push(&mut answer, CLIENT_MAX_WINDOW_BITS, bits);
        }
        Some((parameters, answer))
    }

    /// Checks a server's answer for a client.
    fn check(self, config: &DeflateConfig, least_bits: u8) -> Result<Parameters, AnswerError> {
        if config.server_no_context_takeover && !self.server_no_context_takeover {
            return Err(AnswerError::MissingParameter);
        }
        let server_bits = match self.server_max_window_bits {
            Some(bits) if bits <= config.server_max_window_bits => bits,
            Some(_) => return Err(AnswerError::InvalidValue),
            None if config.server_max_window_bits == MAX_WINDOW_BITS => MAX_WINDOW_BITS,
            None => return Err(AnswerError::MissingParameter),
        };
        let client_bits = match self.client_max_window_bits {
            ClientWindow::Absent => config.client_max_window_bits,
            // RFC 7692 7.1.2.2: an answer has a value.
            ClientWindow::WithoutValue => return Err(AnswerError::InvalidValue),
            ClientWindow::Bits(bits) if bits < least_bits => {
                return Err(AnswerError::UnsupportedWindow);
            }
            ClientWindow::Bits(bits) => bits.min(config.client_max_window_bits),
        };
        Ok(Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || config.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        })
    }
}

fn no_value(value: Option<&str>) -> Result<(), AnswerError> {
    match value {
        None => Ok(()),
        Some(_) => Err(AnswerError::InvalidValue),
    }
}

/// RFC 7692 7.1.2: a decimal integer without leading zeros between 8 and 15.
fn window_bits(value: &str) -> Result<u8, AnswerError> {
    match value {
        "8" => Ok(8),
        "9" => Ok(9),
        "10" => Ok(10),
        "11" => Ok(11),
        "12" => Ok(12),
        "13" => Ok(13),
        "14" => Ok(14),
        "15" => Ok(15),
        _ => Err(AnswerError::InvalidValue),
    }
}

fn push(header: &mut String, name: &str, bits: Option<u8>) {
    header.push_str("; ");
    header.push_str(name);
    if let Some(bits) = bits {
        // Writing to a string cannot fail.
        let _ = write!(header, "={bits}");
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "answer is not a list of extensions",
            Self::UnexpectedExtension => "answer has an extension that was not offered",
            Self::UnexpectedParameter => "answer has a parameter that was not offered",
            Self::DuplicateParameter => "answer has a parameter twice",
            Self::InvalidValue => "answer has a parameter with a value that is not allowed",
            Self::MissingParameter => "answer lacks a parameter that was offered",
            Self::UnsupportedWindow => {
                "answer asks for a window of 8 bits, which the engine does not compress for"
            }
        })
    }
}

impl std::error::Error for AnswerError {}

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The largest window, in bits, which is also the one where nothing was agreed on (RFC 7692 7.1.2).
pub(super) const MAX_WINDOW_BITS: u8 = 15;
/// The smallest window that engines are asked for, in bits, where 8 were agreed on too.
pub(super) const MIN_COMPRESSOR_WINDOW_BITS: u8 = 9;
