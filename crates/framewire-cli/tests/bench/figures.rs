//! What is told of a server that answers.

use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{env, fs, process};

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Acceptor;
use serde_json::Value;

use crate::program::{Bench, echo, errors, json, number, open, open_with, server};

#[test]
fn each_message_is_counted_once() {
    let (url, served) = server(3, |stream| echo(open(stream), |_| {}));
    let options = [
        "-c3",
        "-t2",
        "-d0.5",
        "--warm-up=0",
        "--depth=4",
        "--size=300",
    ];
    let (code, told) = json(&url, &options);
    let echoed: u64 = served.join().unwrap().iter().sum();
    assert_eq!((code, errors(&told)), (0, vec![]));
    assert_eq!(number(&told, "/messages/sent"), echoed);
    assert_eq!(number(&told, "/messages/answered"), echoed);
    assert_eq!(number(&told, "/messages/unanswered"), 0);
    assert_eq!(number(&told, "/latency/measured/count"), echoed);
    assert!(number(&told, "/latency/corrected/count") >= echoed);
    let slices = told["over_time"].as_array().unwrap();
    let sum = |what: &str| slices.iter().map(|slice| number(slice, what)).sum::<u64>();
    let answers = sum("/messages");
    // The last ones may have come after the time was over.
    assert!(
        (1..=echoed).contains(&answers) && echoed - answers <= 12,
        "{told}"
    );
    assert_eq!(sum("/bytes"), answers * 300);
    let per_second = told["messages_per_second"].as_f64().unwrap();
    let measured = told["measured_seconds"].as_f64().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let expected = answers as f64 / measured;
    assert!((per_second - expected).abs() < 1.0, "{told}");
    assert!((0.5 - measured).abs() < 0.01, "{told}");
}

#[test]
fn the_warm_up_counts_nowhere() {
    let (url, served) = server(1, |stream| echo(open(stream), |_| {}));
    let options = ["-c1", "-d0.2", "--warm-up=0.2", "--rate=500"];
    let (code, told) = json(&url, &options);
    let echoed: u64 = served.join().unwrap().iter().sum();
    assert_eq!((code, echoed), (0, 200));
    assert_eq!(number(&told, "/messages/sent"), 100);
}

#[test]
fn a_rate_is_kept_whatever_the_server_does() {
    // It stands still for the second quarter of the time.
    let (url, served) = server(4, |stream| {
        echo(open(stream), |number| {
            if number == 25 {
                thread::sleep(Duration::from_millis(300));
            }
        })
    });
    let options = ["-c4", "-t2", "-d1.2", "--warm-up=0", "--rate=400"];
    let (code, told) = json(&url, &options);
    let echoed = served.join().unwrap();
    assert_eq!((code, echoed), (0, vec![120; 4]), "{told}");
    assert_eq!(number(&told, "/messages/sent"), 480);
    assert_eq!(number(&told, "/messages/answered"), 480);
    // A quarter of all was due while it stood still.
    let p90 = number(&told, "/latency/corrected/p90");
    assert!(p90 >= 100_000_000, "{told}");
    assert_eq!(told.pointer("/options/rate").unwrap().as_f64(), Some(400.0));
    assert_eq!(told.pointer("/options/depth"), Some(&Value::Null));
}

#[test]
fn a_rate_that_nobody_can_keep_leaves_no_message_out() {
    let (url, served) = server(2, |stream| echo(open(stream), |_| {}));
    let options = [
        "-c2",
        "-d0.2",
        "--warm-up=0",
        "--rate=300000",
        "--answer-timeout=25",
    ];
    let (code, told) = json(&url, &options);
    let echoed: u64 = served.join().unwrap().iter().sum();
    assert_eq!((code, echoed), (0, 60_000), "{told}");
    assert_eq!(number(&told, "/messages/sent"), 60_000);
    assert_eq!(number(&told, "/latency/corrected/count"), 60_000);
}

#[test]
fn a_rate_that_the_bench_cannot_keep_is_no_failure_of_the_server() {
    let (url, served) = server(2, |stream| echo(open(stream), |_| {}));
    let options = [
        "-c2",
        "-d0.3",
        "--warm-up=0",
        "--rate=3000000",
        "--answer-timeout=2",
    ];
    let (code, told) = json(&url, &options);
    let echoed: u64 = served.join().unwrap().iter().sum();
    assert_eq!((code, errors(&told)), (0, vec![]), "{told}");
    let of = |what: &str| number(&told, &format!("/messages/{what}"));
    assert_eq!((of("sent"), of("answered")), (echoed, echoed), "{told}");
    // None is left out.
    assert_eq!(of("sent") + of("unsent"), 900_000, "{told}");
    assert_eq!(number(&told, "/latency/corrected/count"), 900_000);
}

#[test]
fn a_stall_shows_in_the_corrected_latency_though_nothing_was_sent_meanwhile() {
    let (url, served) = server(1, |stream| {
        echo(open(stream), |number| {
            if number == 20 {
                thread::sleep(Duration::from_millis(600));
            }
        })
    });
    let (code, told) = json(&url, &["-c1", "-d1", "--warm-up=0"]);
    served.join().unwrap();
    assert_eq!(code, 0, "{told}");
    assert!(
        number(&told, "/latency/measured/max") >= 600_000_000,
        "{told}"
    );
    // More than half of the time.
    assert!(
        number(&told, "/latency/corrected/p90") >= 300_000_000,
        "{told}"
    );
    assert!(
        number(&told, "/latency/measured/p90") < 300_000_000,
        "{told}"
    );
}

#[test]
fn a_long_message_deadlocks_nobody() {
    let (url, served) = server(1, |stream| {
        echo(open_with(stream, &Acceptor::new()), |_| {})
    });
    let options = [
        "-c1",
        "-d1",
        "--warm-up=0",
        "--size=4MiB",
        "--depth=8",
        "--binary",
        "--answer-timeout=25",
    ];
    let (code, told) = json(&url, &options);
    let echoed: u64 = served.join().unwrap().iter().sum();
    assert_eq!(
        (code, number(&told, "/messages/answered")),
        (0, echoed),
        "{told}"
    );
    assert!(echoed > 0, "{told}");
}

#[test]
fn compression_is_offered_and_told() {
    let (url, served) = server(1, |stream| {
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        let websocket = open_with(stream, &Acceptor::new().deflate(deflate));
        echo(websocket, |_| {})
    });
    let (code, told) = json(&url, &["-c1", "-d0.2", "--deflate"]);
    served.join().unwrap();
    assert_eq!(code, 0);
    let compression = told.pointer("/connections/compression").unwrap();
    assert!(
        compression
            .as_str()
            .unwrap()
            .starts_with("permessage-deflate")
    );
}

#[test]
fn a_signal_ends_the_run_early_with_the_results_so_far() {
    for signal in ["INT", "TERM", "HUP"] {
        let (sender, receiver) = mpsc::channel();
        let sender = Mutex::new(sender);
        let (url, served) = server(1, move |stream| {
            let sender = sender.lock().unwrap().clone();
            echo(open(stream), move |number| {
                if number == 50 {
                    sender.send(()).unwrap();
                }
            })
        });
        let page = env::temp_dir().join(format!("framewire-bench-{}-{signal}", process::id()));
        let report = page.to_str().unwrap();
        let options = ["-c1", "-d1000", "--warm-up=0", "--json", "--report", report];
        let bench = Bench::start(&url, &options);
        receiver.recv_timeout(crate::program::DEADLINE).unwrap();
        bench.signal(signal);
        let ended = bench.end();
        let echoed: u64 = served.join().unwrap().iter().sum();
        let told: Value = serde_json::from_str(&ended.output).unwrap();
        assert_eq!((ended.code, &told["interrupted"]), (0, &Value::Bool(true)));
        assert_eq!(number(&told, "/messages/answered"), echoed);
        let html = fs::read_to_string(&page).unwrap();
        fs::remove_file(&page).unwrap();
        assert!(html.contains("interrupted"), "{html}");
    }
}

#[test]
fn a_signal_before_the_measurement_measures_nothing() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let (url, served) = server(1, move |stream| {
        let sender = sender.lock().unwrap().clone();
        echo(open(stream), move |_| sender.send(()).unwrap())
    });
    let bench = Bench::start(&url, &["-c1", "--warm-up=1000"]);
    receiver.recv_timeout(crate::program::DEADLINE).unwrap();
    bench.signal("TERM");
    let ended = bench.end();
    served.join().unwrap();
    let expected = "measured   nothing: it was interrupted before that began";
    assert_eq!(ended.code, 0);
    assert!(ended.output.contains(expected), "{}", ended.output);
    assert!(!ended.output.contains("0 of 0 sent"), "{}", ended.output);
}

#[test]
fn a_summary_is_plain_text_where_nobody_looks() {
    let (url, served) = server(1, |stream| echo(open(stream), |_| {}));
    let ended = Bench::start(&url, &["-c1", "-d0.2"]).end();
    served.join().unwrap();
    assert_eq!((ended.code, &ended.notes[..]), (0, ""));
    let told = ended.output;
    for part in [
        "1 connection on 1 thread",
        "p99.9",
        "corrected",
        "measured",
        "connected  1 of 1",
        "█",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains('\x1b'), "{told}");
    let figures = told.lines().filter(|line| !line.contains("WARNING"));
    assert!(
        figures.into_iter().all(|line| line.chars().count() <= 80),
        "{told}"
    );
}

#[test]
fn options_that_do_not_fit_are_refused_at_once() {
    for options in [
        &["--rate", "5", "--depth", "2"][..],
        &["--connections", "0"],
        &["--rate", "0"],
        &["--threads", "0"],
        &["--size", "0"],
    ] {
        let ended = Bench::start("ws://127.0.0.1:1/", options).end();
        assert_eq!((ended.code, &ended.output[..]), (2, ""), "{options:?}");
    }
    let ended = Bench::start("http://127.0.0.1:1/", &[]).end();
    assert_eq!((ended.code, &ended.output[..]), (2, ""));
    let expected = "did you mean ws://127.0.0.1:1/";
    assert!(ended.notes.contains(expected), "{}", ended.notes);
}
