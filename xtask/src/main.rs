//! The chores of this repository, one subcommand each.

fn main() {}
