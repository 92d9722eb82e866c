//! Parses the command line, runs it, and turns a failure into a message and an exit status.

use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use edgefit::cli::{Cli, printable};
use edgefit::error::Error;

/// Training asks for large tensors again and again, which the system's allocator takes from the kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when stderr is gone.
            let message = format!("error: {}{}", chain(&error), advice(&error));
            let _ = writeln!(io::stderr(), "{}", printable(&message));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Whoever reads our results, such as `head`, may stop when it has enough.
fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

/// How the command line helps with what the library only names.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Interrupted { state: Some(_) } => "; continue with `--resume`",
        Error::Occupied { .. } => " `--force` replaces it.",
        _ => "",
    }
}

/// The error and its causes, leaving out those whose words the error already holds.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}\ncaused by: {words}");
        }
        cause = error.source();
    }
    text
}
