//! Any `Sec-WebSocket-Extensions` to accept and to check. Nothing panics, a server answers the first sound
//! offer with what RFC 7692 7.1 allows, and a client takes exactly the answers to its offer.
//!
//! The input: three bytes each for the server's and the client's policy, and then header values, one for each
//! line.

use std::collections::BTreeMap;

use crate::Input;
use framewire::deflate::{AnswerError, Deflate, DeflateConfig, Parameters};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let server = policy(&mut input);
    let client = policy(&mut input);
    let Ok(text) = std::str::from_utf8(input.rest()) else {
        return;
    };
    let values: Vec<_> = text.split('\n').collect();

    let accepted = accept(&values, server);
    let checked = check(&values, client);
    // The oracle does not read quoted values.
    if !text.contains('"') {
        let mut offers = values.iter().flat_map(|value| value.split(','));
        let offer = offers.find_map(parse);
        assert_eq!(offer.is_some(), accepted.is_some());
        if let (Some(offer), Some((parameters, answer))) = (offer, &accepted) {
            check_answer(&offer, &server, *parameters, answer);
        }
        assert_eq!(checked.ok(), expected_of_client(&values, &client));
    }
    if let Some((parameters, answer)) = accepted {
        let answer = parse(&answer).expect("an answer is sound");
        assert_eq!(parameters, meaning(&answer));
    }

    // Our own client's offer is always accepted, and so is our own server's answer.
    let offer = deflate(client).offer();
    let (of_server, answer) = accept(&[&offer], server).expect("an offer that is always sound");
    let of_client = check(&[&answer], client)
        .expect("an answer that is always sound")
        .expect("the server has not declined");
    assert_fitting(of_server, of_client);
}

fn policy(input: &mut Input<'_>) -> DeflateConfig {
    let takeover = input.byte();
    DeflateConfig::default()
        .server_no_context_takeover(takeover & 1 != 0)
        .client_no_context_takeover(takeover & 2 != 0)
        .server_max_window_bits(9 + input.byte() % 7)
        .client_max_window_bits(9 + input.byte() % 7)
}

fn deflate(policy: DeflateConfig) -> Deflate {
    Deflate::new(policy).expect("a legal configuration")
}

fn accept(values: &[&str], server: DeflateConfig) -> Option<(Parameters, String)> {
    let accepted = deflate(server).accept(values.iter().copied());
    accepted.map(|(negotiated, answer)| (*negotiated.parameters(), answer))
}

fn check(values: &[&str], client: DeflateConfig) -> Result<Option<Parameters>, AnswerError> {
    let checked = deflate(client).check(values.iter().copied());
    checked.map(|negotiated| negotiated.map(|negotiated| *negotiated.parameters()))
}

type Values = BTreeMap<String, Option<u8>>;

/// Reads one offer or answer without quotes. `None` unless it is permessage-deflate and all of its parameters
/// are those of RFC 7692 7.1, each once and with a value that it may have.
fn parse(element: &str) -> Option<Values> {
    let mut parts = element.split(';').map(trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut values = Values::new();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (trim(name), Some(trim(value))),
            None => (part, None),
        };
        let name = name.to_ascii_lowercase();
        let value = match (&*name, value) {
            (SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER | CLIENT_WINDOW, None) => None,
            (SERVER_WINDOW | CLIENT_WINDOW, Some(value)) => {
                let bits = (8..=15).find(|bits: &u8| bits.to_string() == value);
                Some(bits?)
            }
            _ => return None,
        };
        if values.insert(name, value).is_some() {
            return None;
        }
    }
    Some(values)
}

fn trim(part: &str) -> &str {
    part.trim_matches([' ', '\t'])
}

fn meaning(answer: &Values) -> Parameters {
    let bits = |name| answer.get(name).copied().flatten().unwrap_or(15);
    Parameters::default()
        .server_no_context_takeover(answer.contains_key(SERVER_NO_CONTEXT_TAKEOVER))
        .client_no_context_takeover(answer.contains_key(CLIENT_NO_CONTEXT_TAKEOVER))
        .server_max_window_bits(bits(SERVER_WINDOW))
        .client_max_window_bits(bits(CLIENT_WINDOW))
}

fn check_answer(offer: &Values, server: &DeflateConfig, parameters: Parameters, answer: &str) {
    let answer = parse(answer).expect("an answer is sound");
    // RFC 7692 7.1.1.1: accepted by including it.
    let forgets = offer.contains_key(SERVER_NO_CONTEXT_TAKEOVER);
    assert_eq!(
        answer.contains_key(SERVER_NO_CONTEXT_TAKEOVER),
        forgets || server.server_no_context_takeover
    );
    // RFC 7692 7.1.2.1: accepted by including it, with the same or a smaller value.
    if let Some(&Some(most)) = offer.get(SERVER_WINDOW) {
        assert!(matches!(answer.get(SERVER_WINDOW), Some(&Some(bits)) if bits <= most));
    }
    // RFC 7692 7.1.2.2: never if it was not offered, and not without a value or over the value offered.
    if let Some(bits) = answer.get(CLIENT_WINDOW) {
        let most = offer.get(CLIENT_WINDOW).expect("it was offered");
        assert!(bits.expect("an answer has a value") <= most.unwrap_or(15));
    }
    assert!(parameters.server_max_window_bits <= server.server_max_window_bits);
    // If the client accepts a bound on its window, it sends nothing that the server cannot read.
    assert!(
        !offer.contains_key(CLIENT_WINDOW)
            || parameters.client_max_window_bits <= server.client_max_window_bits
    );
}

/// Returns what a client with this policy must make of answers without quotes; `None` fails the connection.
#[allow(clippy::option_option, reason = "declined is not refused")]
fn expected_of_client(values: &[&str], client: &DeflateConfig) -> Option<Option<Parameters>> {
    let answers = values.iter().flat_map(|value| value.split(','));
    let answers: Vec<_> = answers.filter(|answer| !trim(answer).is_empty()).collect();
    let answer = match &answers[..] {
        [] => return Some(None),
        [answer] => parse(answer)?,
        _ => return None,
    };
    let parameters = meaning(&answer);
    let is_answer = (!client.server_no_context_takeover || parameters.server_no_context_takeover)
        && parameters.server_max_window_bits <= client.server_max_window_bits
        && answer.get(CLIENT_WINDOW) != Some(&None);
    is_answer.then_some(Some(
        parameters
            .client_no_context_takeover(
                parameters.client_no_context_takeover || client.client_no_context_takeover,
            )
            .client_max_window_bits(
                parameters
                    .client_max_window_bits
                    .min(client.client_max_window_bits),
            ),
    ))
}

/// Checks that each end can read what the other compresses.
fn assert_fitting(server: Parameters, client: Parameters) {
    assert!(server.server_max_window_bits <= client.server_max_window_bits);
    assert!(client.client_max_window_bits <= server.client_max_window_bits);
    assert!(server.server_no_context_takeover || !client.server_no_context_takeover);
    assert!(client.client_no_context_takeover || !server.client_no_context_takeover);
}

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";
