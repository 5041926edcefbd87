//! `framewire serve` as a user has it: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

/// Makes a test of each function, for each engine: what the clients see is the same.
macro_rules! with_each_engine {
    ($($test:ident),+ $(,)?) => {
        with_each_engine! { @ blocking, 0, $($test),+ }
        with_each_engine! { @ tokio, 1, $($test),+ }
        with_each_engine! { @ tokio_threads, 2, $($test),+ }
        with_each_engine! { @ poll, 3, $($test),+ }
    };
    (@ $engine:ident, $index:literal, $($test:ident),+) => {
        mod $engine {
            $(
                #[test]
                fn $test() {
                    super::$test(crate::server::ENGINES[$index]);
                }
            )+
        }
    };
}

/// Makes a test of each function, which runs it with all engines at once: for those that mostly wait.
macro_rules! with_all_engines_at_once {
    ($($test:ident),+ $(,)?) => {
        mod all_engines {
            $(
                #[test]
                fn $test() {
                    crate::server::with_all_engines(super::$test);
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
#[path = "../shared/process.rs"]
mod process;
mod server;
mod stall;
mod tls;
