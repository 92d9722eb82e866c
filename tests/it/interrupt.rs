//! Ctrl-C, where no state is kept to resume from.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::driver::program;

/// Once the first line of results is there, Ctrl-C ends the command at once and says what is kept.
#[test]
fn the_first_one_ends_quickstart_and_says_how_to_go_on() {
    let mut child = Command::new(program())
        .args(["quickstart"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("1. The shipped checkpoint"), "{line}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // As shells count: 128 and the number of the signal.
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(
        told.contains("interrupted; quickstart keeps nothing; run it again"),
        "{told}"
    );
}
