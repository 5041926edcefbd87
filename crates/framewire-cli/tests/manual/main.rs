//! What the program says of itself.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Output, Stdio};

fn framewire(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_framewire"));
    program.args(arguments).stdin(Stdio::null());
    program.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// The names of the commands, as `framewire help` lists them.
fn commands() -> Vec<String> {
    let output = framewire(&["--help"]);
    let help = text(&output.stdout);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn exit_codes_are_told_and_kept() {
    let output = framewire(&["--help"]);
    assert!(text(&output.stdout).contains("Exit codes: 0 "));
    for (arguments, code) in [
        (&["--version"][..], 0),
        (&["fly"], 2),
        (&["connect"], 2),
        (&["serve", "--listen", "nowhere"], 2),
        (&["serve", "--listen", "nowhere.invalid:80"], 1),
        (&["connect", "ws://127.0.0.1:1/"], 1),
        (&["man", "/dev/null/man"], 1),
    ] {
        let output = framewire(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = framewire(&["completions", shell]);
        assert!(output.status.success());
        let script = text(&output.stdout);
        for command in commands() {
            assert!(script.contains(&command), "{shell} does not know {command}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let directory = std::env::temp_dir().join(format!("framewire-man-{}", std::process::id()));
    let output = framewire(&["man", directory.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for command in commands() {
        let page = directory.join(format!("framewire-{command}.1"));
        let page = fs::read_to_string(page).unwrap_or_else(|error| {
            assert_eq!(command, "help", "no page: {error}");
            String::new()
        });
        if command == "help" {
            continue;
        }
        assert!(page.contains(".SH OPTIONS"), "{command}");
        let synopsis = format!(".SH SYNOPSIS\nframewire {command} ");
        assert!(page.contains(&synopsis), "{command}: {page}");
        assert!(!page.contains('`'), "{command}");
    }
    let page = |name| fs::read_to_string(directory.join(name)).unwrap();
    assert!(page("framewire.1").contains(".SH EXIT STATUS\n0 "));
    let examples = ".SH EXAMPLES\n.nf\n  framewire connect ws://localhost:9001/\n";
    assert!(page("framewire-connect.1").contains(examples));
    fs::remove_dir_all(directory).unwrap();
}
