//! `framewire serve` as a user has it: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

/// Makes a test of each function, for each engine: what the clients see is the same.
macro_rules! with_each_engine {
    ($($test:ident),+ $(,)?) => {
        with_each_engine! { @ blocking, &["--engine", "blocking"], $($test),+ }
        with_each_engine! { @ tokio, &["--engine", "tokio"], $($test),+ }
        with_each_engine! { @ tokio_threads, &["--engine", "tokio", "--threads", "2"], $($test),+ }
        with_each_engine! { @ poll, &["--engine", "poll"], $($test),+ }
    };
    (@ $engine:ident, $options:expr, $($test:ident),+) => {
        mod $engine {
            $(
                #[test]
                fn $test() {
                    super::$test($options);
                }
            )+
        }
    };
}

mod echo;
mod end;
mod full;
mod hostile;
mod http;
mod log;
mod options;
mod server;
mod stall;
mod tls;
