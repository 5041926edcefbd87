//! `framewire serve` as a user has it: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

/// Makes a test of each function, for each engine: what the clients see is the same.
macro_rules! with_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod blocking {
            $(
                #[test]
                fn $test() {
                    super::$test("blocking");
                }
            )+
        }
        mod tokio {
            $(
                #[test]
                fn $test() {
                    super::$test("tokio");
                }
            )+
        }
        mod poll {
            $(
                #[test]
                fn $test() {
                    super::$test("poll");
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
mod options;
mod server;
mod tls;
