//! permessage-deflate in the handshake: what is offered, answered and checked (RFC 7692 5 and 7.1).

use framewire::deflate::{
    AnswerError, Compressor, Decompressor, Deflate, DeflateConfig, Engine, Parameters, ZlibRs,
};
use proptest::prelude::*;

const OPEN: DeflateConfig = DeflateConfig::new();

/// Each differs from the default in one thing.
const SMALL_SERVER: DeflateConfig = OPEN.server_max_window_bits(10);
const SMALL_CLIENT: DeflateConfig = OPEN.client_max_window_bits(11);
const FORGETFUL_SERVER: DeflateConfig = OPEN.server_no_context_takeover(true);
const FORGETFUL_CLIENT: DeflateConfig = OPEN.client_no_context_takeover(true);

fn parameters(server_keeps: bool, client_keeps: bool, server: u8, client: u8) -> Parameters {
    Parameters::default()
        .server_no_context_takeover(!server_keeps)
        .client_no_context_takeover(!client_keeps)
        .server_max_window_bits(server)
        .client_max_window_bits(client)
}

fn deflate(config: DeflateConfig) -> Deflate {
    Deflate::new(config).unwrap()
}

fn accepted(values: &[&str], config: DeflateConfig) -> Option<(Parameters, String)> {
    let accepted = deflate(config).accept(values.iter().copied());
    accepted.map(|(negotiated, answer)| (*negotiated.parameters(), answer))
}

fn checked(values: &[&str], config: DeflateConfig) -> Result<Option<Parameters>, AnswerError> {
    let checked = deflate(config).check(values.iter().copied());
    checked.map(|negotiated| negotiated.map(|negotiated| *negotiated.parameters()))
}

#[track_caller]
fn accepts(values: &[&str], config: DeflateConfig, expected: &str, agreed: Parameters) {
    let (parameters, answer) =
        accepted(values, config).unwrap_or_else(|| panic!("{values:?} was declined"));
    assert_eq!(answer, expected, "{values:?}");
    assert_eq!(parameters, agreed, "{values:?}");
}

#[track_caller]
fn declines(values: &[&str], config: DeflateConfig) {
    assert_eq!(accepted(values, config), None, "{values:?}");
}

#[test]
fn a_server_answers_what_is_offered() {
    for (offer, answer, agreed) in [
        (
            "permessage-deflate",
            "permessage-deflate",
            parameters(true, true, 15, 15),
        ),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
            parameters(true, true, 15, 15),
        ),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
            parameters(true, true, 10, 15),
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=8",
            parameters(true, true, 15, 8),
        ),
        (
            "permessage-deflate; client_max_window_bits=12",
            "permessage-deflate; client_max_window_bits=12",
            parameters(true, true, 15, 12),
        ),
    ] {
        accepts(&[offer], OPEN, answer, agreed);
    }
}

#[test]
fn a_server_asks_for_what_its_policy_says() {
    let plain = "permessage-deflate";
    let full = "permessage-deflate; client_max_window_bits";
    for (offer, config, answer, agreed) in [
        (
            plain,
            SMALL_SERVER,
            "permessage-deflate; server_max_window_bits=10",
            parameters(true, true, 10, 15),
        ),
        (
            full,
            SMALL_CLIENT,
            "permessage-deflate; client_max_window_bits=11",
            parameters(true, true, 15, 11),
        ),
        (
            plain,
            FORGETFUL_SERVER,
            "permessage-deflate; server_no_context_takeover",
            parameters(false, true, 15, 15),
        ),
        (
            plain,
            FORGETFUL_CLIENT,
            "permessage-deflate; client_no_context_takeover",
            parameters(true, false, 15, 15),
        ),
        // The smaller of what both say.
        (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
            SMALL_SERVER,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
            parameters(true, true, 10, 9),
        ),
        (
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=14",
            SMALL_CLIENT,
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=11",
            parameters(true, true, 9, 11),
        ),
    ] {
        accepts(&[offer], config, answer, agreed);
    }
}

#[test]
fn rfc7692_7_1_1_1_a_server_confirms_that_it_keeps_no_context() {
    let offer = "permessage-deflate; server_no_context_takeover";
    accepts(&[offer], OPEN, offer, parameters(false, true, 15, 15));
}

#[test]
fn rfc7692_7_1_1_2_a_server_confirms_that_a_client_keeps_no_context() {
    let offer = "permessage-deflate; client_no_context_takeover";
    accepts(&[offer], OPEN, offer, parameters(true, false, 15, 15));
}

#[test]
fn rfc7692_7_1_2_1_a_server_confirms_a_window_or_a_smaller_one() {
    for bits in 9..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        accepts(&[&offer], OPEN, &offer, parameters(true, true, bits, 15));
        let less = bits.min(10);
        let answer = format!("permessage-deflate; server_max_window_bits={less}");
        let agreed = parameters(true, true, less, 15);
        accepts(&[&offer], SMALL_SERVER, &answer, agreed);
    }
}

#[test]
fn rfc7692_7_1_2_2_a_server_asks_for_no_smaller_window_that_was_not_offered() {
    let plain = "permessage-deflate";
    accepts(
        &[plain],
        SMALL_CLIENT,
        plain,
        parameters(true, true, 15, 15),
    );
}

#[test]
fn the_first_offer_that_can_be_honoured_wins() {
    let nine = "permessage-deflate; server_max_window_bits=9";
    let agreed = parameters(true, true, 9, 15);
    for values in [
        // RFC 7692 5.2.1 and 7.1.3: alternatives in one header, …
        &["permessage-deflate; server_max_window_bits=9, permessage-deflate"][..],
        // … in several, which are one list (RFC 6455 9.1), …
        &[
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate",
        ],
        // … and past those that cannot be honoured.
        &[
            "permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9",
        ],
        &[
            "permessage-deflate; use_y",
            "permessage-deflate; server_max_window_bits=9",
        ],
        &["permessage-bzip2, x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=9"],
        &["mux; max-channels=4; flow-control, permessage-deflate; server_max_window_bits=9"],
        &[
            "permessage-deflate; client_max_window_bits=7, permessage-deflate; server_max_window_bits=9",
        ],
        &["x; y=\"permessage-deflate\", permessage-deflate; server_max_window_bits=9"],
        &[
            "",
            " ",
            ",,",
            "permessage-deflate; server_max_window_bits=9",
        ],
    ] {
        accepts(values, OPEN, nine, agreed);
    }
}

#[test]
fn case_spaces_and_quotes_do_not_matter() {
    for offer in [
        "permessage-deflate;server_max_window_bits=9",
        "permessage-deflate ;\t server_max_window_bits = 9",
        "  permessage-deflate  ;  server_max_window_bits=9  ",
        "permessage-deflate; server_max_window_bits=\"9\"",
        "permessage-deflate; server_max_window_bits=\"\\9\"",
        "PerMessage-Deflate; Server_Max_Window_Bits=9",
        ", permessage-deflate; server_max_window_bits=9,",
    ] {
        let answer = "permessage-deflate; server_max_window_bits=9";
        accepts(&[offer], OPEN, answer, parameters(true, true, 9, 15));
    }
}

/// Parameters that RFC 7692 7.1 does not allow, at either end.
const BAD: [&str; 47] = [
    "server_max_window_bits",
    "server_max_window_bits=",
    "server_max_window_bits=\"\"",
    "server_max_window_bits=0",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=09",
    "server_max_window_bits=+9",
    "server_max_window_bits=-9",
    "server_max_window_bits=9.0",
    "server_max_window_bits=0x9",
    "server_max_window_bits=1e1",
    "server_max_window_bits=10a",
    "server_max_window_bits=265",
    "server_max_window_bits=18446744073709551625",
    "server_max_window_bits=\"10 \"",
    "server_max_window_bits=\"1\\\"0\"",
    "server_max_window_bits=\"abc\"",
    "server_max_window_bits=\"10",
    "server_max_window_bits=9=9",
    "client_max_window_bits=",
    "client_max_window_bits=\"\"",
    "client_max_window_bits=0",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=08",
    "client_max_window_bits=\"\\\"\"",
    "client_max_window_bits=true",
    "client_max_window_bits; client_max_window_bits",
    "client_max_window_bits; client_max_window_bits=9",
    "client_max_window_bits=9; client_max_window_bits=9",
    "server_max_window_bits=9; server_max_window_bits=9",
    "server_max_window_bits=9; Server_Max_Window_Bits=10",
    "server_no_context_takeover=1",
    "server_no_context_takeover=true",
    "server_no_context_takeover=\"\"",
    "server_no_context_takeover=",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover=0",
    "client_no_context_takeover=\"x\"",
    "client_no_context_takeover; client_no_context_takeover",
    "unknown",
    "unknown=1",
    "no_context_takeover",
    "server_max_window_bits =10 11",
    ";",
];

#[test]
fn rfc7692_7_1_a_server_declines_bad_parameters() {
    for bad in BAD {
        let offer = format!("permessage-deflate; {bad}");
        declines(&[&offer], OPEN);
        declines(&[&format!("{offer}; client_max_window_bits=10")], OPEN);
        // The next one stands.
        let next = "permessage-deflate";
        let agreed = parameters(true, true, 15, 15);
        accepts(&[&offer, next], OPEN, next, agreed);
        if bad.matches('"').count() % 2 == bad.matches('\\').count() % 2 {
            accepts(&[&format!("{offer}, {next}")], OPEN, next, agreed);
        }
    }
}

#[test]
fn rfc7692_5_1_a_server_declines_what_is_no_offer() {
    for values in [
        &[][..],
        &[""],
        &["permessage-bzip2"],
        &["permessage-deflate2"],
        &["permessage deflate"],
        &["\"permessage-deflate\""],
        &["x; permessage-deflate"],
        &["=", "; permessage-deflate"],
        &["\u{e9}"],
    ] {
        declines(values, OPEN);
    }
}

#[test]
fn rfc7692_7_1_2_a_window_of_8_bits_is_taken_where_the_engine_fits_it() {
    let fitting = Deflate::new(OPEN).unwrap();
    let other = Deflate::with_engine(OPEN, Unfit, 1).unwrap();
    for offer in ["8", "\"8\""] {
        let offer = format!("permessage-deflate; server_max_window_bits={offer}");
        let (agreed, answer) = fitting.accept([&*offer]).unwrap();
        assert_eq!(answer, "permessage-deflate; server_max_window_bits=8");
        assert_eq!(agreed.parameters().server_max_window_bits, 8);
        assert!(other.accept([&*offer]).is_none());
    }
    let answer = ["permessage-deflate; client_max_window_bits=8"];
    let agreed = fitting.check(answer).unwrap().unwrap();
    assert_eq!(agreed.parameters().client_max_window_bits, 8);
    let refused = other.check(answer).map(drop);
    assert_eq!(refused, Err(AnswerError::UnsupportedWindow));
    // What the other end compresses is no matter of the engine's.
    let offer = ["permessage-deflate; client_max_window_bits=8"];
    let (agreed, _) = other.accept(offer).unwrap();
    assert_eq!(agreed.parameters().client_max_window_bits, 8);
}

/// An engine that says nothing of a window of 8 bits.
#[derive(Debug)]
struct Unfit;

impl Engine for Unfit {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        ZlibRs.compressor(level, window_bits, memory_level)
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        ZlibRs.decompressor(window_bits)
    }
}

#[test]
fn a_client_offers_what_its_policy_says() {
    for (config, offer) in [
        (OPEN, "permessage-deflate; client_max_window_bits"),
        (
            SMALL_SERVER,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
        ),
        (
            SMALL_CLIENT,
            "permessage-deflate; client_max_window_bits=11",
        ),
        (
            FORGETFUL_SERVER,
            "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        ),
        (
            FORGETFUL_CLIENT,
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
        ),
    ] {
        assert_eq!(deflate(config).offer(), offer);
    }
}

#[test]
fn a_client_takes_an_answer_to_its_offer() {
    for (config, answer, agreed) in [
        (OPEN, "permessage-deflate", parameters(true, true, 15, 15)),
        // RFC 7692 7.1.1: a server may ask for these unasked.
        (
            OPEN,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            parameters(false, false, 15, 15),
        ),
        (
            OPEN,
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9",
            parameters(true, true, 8, 9),
        ),
        (
            SMALL_SERVER,
            "permessage-deflate; server_max_window_bits=9",
            parameters(true, true, 9, 15),
        ),
        (
            SMALL_CLIENT,
            "permessage-deflate",
            parameters(true, true, 15, 11),
        ),
        (
            FORGETFUL_CLIENT,
            "permessage-deflate",
            parameters(true, false, 15, 15),
        ),
        (
            OPEN,
            " PERMESSAGE-DEFLATE ; client_max_window_bits=\"10\"",
            parameters(true, true, 15, 10),
        ),
    ] {
        assert_eq!(checked(&[answer], config), Ok(Some(agreed)), "{answer}");
    }
    assert_eq!(checked(&[], OPEN), Ok(None));
    assert_eq!(checked(&[""], OPEN), Ok(None));
}

#[test]
fn rfc7692_7_1_a_client_rejects_what_it_did_not_offer() {
    use AnswerError as E;
    for (config, answer, error) in [
        (OPEN, "permessage-bzip2", E::UnexpectedExtension),
        (
            OPEN,
            "permessage-deflate, permessage-deflate",
            E::UnexpectedExtension,
        ),
        (OPEN, "permessage-deflate, mux", E::UnexpectedExtension),
        (OPEN, "permessage-deflate; x", E::UnexpectedParameter),
        (
            OPEN,
            "permessage-deflate; server_max_window_bits=16",
            E::InvalidValue,
        ),
        (
            OPEN,
            "permessage-deflate; server_no_context_takeover=1",
            E::InvalidValue,
        ),
        (
            OPEN,
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            E::DuplicateParameter,
        ),
        (OPEN, "permessage-deflate;", E::Malformed),
        (OPEN, "=", E::Malformed),
        (OPEN, "permessage-deflate deflate", E::Malformed),
    ] {
        assert_eq!(checked(&[answer], config), Err(error), "{answer}");
    }
    for bad in BAD {
        let answer = format!("permessage-deflate; {bad}");
        assert!(checked(&[&answer], OPEN).is_err(), "{answer} was taken");
    }
}

#[test]
fn rfc7692_7_1_1_1_a_client_rejects_a_context_that_it_forbade() {
    let answer = ["permessage-deflate"];
    let missing = Err(AnswerError::MissingParameter);
    assert_eq!(checked(&answer, FORGETFUL_SERVER), missing);
}

#[test]
fn rfc7692_7_1_2_1_a_client_rejects_a_larger_window_than_it_offered() {
    let missing = Err(AnswerError::MissingParameter);
    assert_eq!(checked(&["permessage-deflate"], SMALL_SERVER), missing);
    for bits in 11..=15 {
        let answer = format!("permessage-deflate; server_max_window_bits={bits}");
        let invalid = Err(AnswerError::InvalidValue);
        assert_eq!(checked(&[&answer], SMALL_SERVER), invalid);
    }
}

#[test]
fn rfc7692_7_1_2_2_a_client_rejects_a_window_without_a_value() {
    let answer = ["permessage-deflate; client_max_window_bits"];
    let invalid = Err(AnswerError::InvalidValue);
    assert_eq!(checked(&answer, OPEN), invalid);
}

#[test]
fn a_policy_out_of_range_is_none() {
    type Setter = fn(DeflateConfig, u8) -> DeflateConfig;
    let setters: [(Setter, _); 4] = [
        (DeflateConfig::server_max_window_bits, 9..=15),
        (DeflateConfig::client_max_window_bits, 9..=15),
        (DeflateConfig::level, 0..=9),
        (DeflateConfig::memory_level, 1..=9),
    ];
    for (set, range) in setters {
        for value in 0..=255 {
            let config = set(OPEN, value);
            let is_made = Deflate::new(config).is_ok();
            assert_eq!(is_made, range.contains(&value), "{config:?}");
        }
    }
}

#[test]
fn a_policy_out_of_range_says_which_field_it_is() {
    let invalid = Deflate::new(OPEN.level(10)).unwrap_err();
    assert_eq!(invalid.to_string(), "compression level is not 0 to 9");
    let error = framewire::Error::from(invalid).to_string();
    assert!(error.contains("compression level is not 0 to 9"), "{error}");
}

#[test]
fn what_is_wrong_with_an_answer_has_a_text() {
    let refused = AnswerError::MissingParameter.to_string();
    assert_eq!(refused, "answer lacks a parameter that was offered");
}

fn configs() -> impl Strategy<Value = DeflateConfig> {
    (any::<bool>(), any::<bool>(), 9_u8..=15, 9_u8..=15).prop_map(
        |(server_no_context_takeover, client_no_context_takeover, server, client)| {
            OPEN.server_no_context_takeover(server_no_context_takeover)
                .client_no_context_takeover(client_no_context_takeover)
                .server_max_window_bits(server)
                .client_max_window_bits(client)
        },
    )
}

/// Text out of the grammar's own pieces, in any order.
fn almost_offers() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "permessage-deflate",
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        ";",
        "; ",
        "=",
        ",",
        " ",
        "\"",
        "\\",
        "8",
        "9",
        "15",
        "16",
        "\u{e9}",
        "x",
    ]);
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_header_is_answered_or_declined(
        values in proptest::collection::vec(prop_oneof![".*", almost_offers()], 0..4),
        config in configs(),
    ) {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        let _ = checked(&values, config);
        if let Some((parameters, answer)) = accepted(&values, config) {
            // Whatever was offered, the answer is one that a client can read.
            let open = checked(&[&answer], OPEN);
            let unsupported = parameters.client_max_window_bits == 8;
            prop_assert!(open == Ok(Some(parameters)) || unsupported, "{answer}");
        }
    }

    #[test]
    fn any_two_policies_agree(client in configs(), server in configs()) {
        let offer = deflate(client).offer();
        let (at_server, answer) = accepted(&[&offer], server).unwrap();
        let at_client = checked(&[&answer], client).unwrap().unwrap();
        // Each end's compressor keeps to what the other's decompressor has.
        prop_assert_eq!(at_client.server_max_window_bits, at_server.server_max_window_bits);
        prop_assert!(at_client.client_max_window_bits <= at_server.client_max_window_bits);
        prop_assert_eq!(at_client.server_no_context_takeover, at_server.server_no_context_takeover);
        prop_assert_eq!(at_client.client_no_context_takeover, at_server.client_no_context_takeover);
        for smaller in [&client, &server] {
            prop_assert!(at_client.server_max_window_bits <= smaller.server_max_window_bits);
            prop_assert!(at_client.client_max_window_bits <= smaller.client_max_window_bits);
        }
    }
}
