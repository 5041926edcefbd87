//! What the other programs print: one JSON object for each line.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::results::{Role, Subject};
use crate::words::size;

/// An echo or a server that a program names.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    name: String,
    #[serde(rename = "crate")]
    krate: Option<String>,
    version: Option<String>,
    #[serde(rename = "loop")]
    kind: Option<String>,
    role: Role,
    #[serde(flatten)]
    pub(crate) abilities: Abilities,
}

/// What a server can do beside echoing.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of what is printed"
)]
pub(crate) struct Abilities {
    pub(crate) handshake: bool,
    pub(crate) tls: bool,
    pub(crate) deflate: bool,
    /// Compression of each message after those before it.
    pub(crate) takeover: bool,
    pub(crate) broadcast: bool,
    /// Echoing as a client.
    pub(crate) client: bool,
}

impl Abilities {
    /// All that a server can do which is a server alone.
    pub(crate) const SERVER: Self = Self {
        handshake: true,
        tls: true,
        deflate: true,
        takeover: true,
        broadcast: true,
        client: false,
    };
}

impl From<Listed> for Subject {
    fn from(listed: Listed) -> Self {
        Self {
            name: listed.name,
            krate: listed.krate.unwrap_or_default(),
            version: listed.version.unwrap_or_default(),
            kind: listed.kind.unwrap_or_default(),
            role: listed.role,
            foreign: false,
        }
    }
}

/// Times of an echo in memory, one for each round.
#[derive(Debug, Deserialize)]
pub(crate) struct Timed {
    pub(crate) name: String,
    pub(crate) ns: Vec<f64>,
}

/// Times of one case of a bench of the library: ours, and bare loops over the same bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) cell: String,
    pub(crate) ours: Vec<f64>,
    /// By their names.
    pub(crate) bare: Vec<(String, Vec<f64>)>,
}

impl Compared {
    /// Takes an object apart: `ns` or `ours_ns` are ours, `NAME_ns` those of bare loops, and all else says what was
    /// done.
    pub(crate) fn of(object: &Map<String, Value>) -> Option<Self> {
        let times = |value: &Value| -> Option<Vec<f64>> {
            value.as_array()?.iter().map(Value::as_f64).collect()
        };
        let mut cell = object.get("bench")?.as_str()?.to_owned();
        let mut bare = Vec::new();
        for (key, value) in object {
            match (key.strip_suffix("_ns"), value) {
                (Some("ours"), _) => {}
                (Some(name), value) => bare.push((name.to_owned(), times(value)?)),
                (None, Value::String(text)) if key != "bench" => {
                    let _ = write!(cell, ", {key} {text}");
                }
                (None, Value::Bool(true)) => {
                    let _ = write!(cell, ", {key}");
                }
                (None, Value::Number(number)) => {
                    let number = number
                        .as_u64()
                        .and_then(|number| usize::try_from(number).ok());
                    let _ = write!(cell, ", {key} {}", size(number?));
                }
                _ => {}
            }
        }
        let ours = times(object.get("ns").or_else(|| object.get("ours_ns"))?)?;
        Some(Self { cell, ours, bare })
    }
}

/// What a load cost a server.
#[derive(Debug, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) load_cpu: f64,
    pub(crate) server_user_ns: f64,
    pub(crate) server_system_ns: f64,
    pub(crate) rss_kib: f64,
    pub(crate) latency_ns: Option<Percentiles>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Loaded {
    /// Returns how many messages there were with those of the warm-up, which takes a quarter of the time that is
    /// measured.
    pub(crate) fn with_warm_up(&self) -> f64 {
        self.messages as f64 * 1.25
    }
}

/// The memory of connections at rest.
#[derive(Debug, Deserialize)]
pub(crate) struct AtRest {
    pub(crate) bytes_each: f64,
}

/// Where a server listens.
#[derive(Debug, Deserialize)]
struct Listening {
    address: String,
}

/// Returns the objects of a kind among the lines. Lines that are anything else are left out.
pub(crate) fn parse<T: DeserializeOwned>(output: &str) -> Vec<T> {
    let lines = output.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Returns the address in the first line of a server: an object with it, or `listening on URL`.
pub(crate) fn address(line: &str) -> Option<String> {
    if let Ok(listening) = serde_json::from_str::<Listening>(line) {
        return Some(listening.address);
    }
    let (_, rest) = line.strip_prefix("listening on ")?.split_once("://")?;
    Some(rest.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_leave_fields_out_and_add_some() {
        let listed = r#"{"name":"bare-loop","role":"floor","since":1}
not JSON
{"name":"tungstenite","crate":"tungstenite","version":"0.30.0","loop":"simple","role":"peer"}"#;
        let subjects: Vec<Subject> = parse::<Listed>(listed)
            .into_iter()
            .map(Subject::from)
            .collect();
        assert_eq!(subjects[0].krate, "");
        assert_eq!(subjects[0].role, Role::Floor);
        assert_eq!(subjects[1].version, "0.30.0");
    }

    #[test]
    fn latency_is_there_for_an_open_loop_alone() {
        let line = r#"{"bench":"echo","connections":10,"messages":5,"seconds":1.0,"load_cpu":0.71,
            "server_user_ns":100.0,"server_system_ns":200,"rss_kib":4096"#;
        let line = line.replace('\n', "");
        assert!(
            parse::<Loaded>(&format!("{line}}}"))[0]
                .latency_ns
                .is_none()
        );
        let open = format!(r#"{line},"latency_ns":{{"p50":1,"p99":2,"p999":3}}}}"#);
        assert!(parse::<Loaded>(&open)[0].latency_ns.is_some());
    }

    #[test]
    fn a_case_of_the_library_is_named_by_its_fields() {
        let line = r#"{"bench":"mask","payload":"binary","bytes":1024,"text":false,"ours_ns":[1,2.5],"memcpy_ns":[3]}"#;
        let compared = Compared::of(&parse(line)[0]).unwrap();
        let expected = Compared {
            cell: "mask, bytes 1 Ki, payload binary".to_owned(),
            ours: vec![1.0, 2.5],
            bare: vec![("memcpy".to_owned(), vec![3.0])],
        };
        assert_eq!(compared, expected);
        assert_eq!(Compared::of(&parse(r#"{"bench":"mask"}"#)[0]), None);
    }

    #[test]
    fn servers_say_where_they_listen_in_two_ways() {
        let expected = Some("127.0.0.1:80".to_owned());
        assert_eq!(address(r#"{"address":"127.0.0.1:80"}"#), expected);
        assert_eq!(address("listening on wss://127.0.0.1:80/"), expected);
        assert_eq!(address("panic"), None);
    }
}
