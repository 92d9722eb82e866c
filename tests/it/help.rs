//! The help texts: their examples run on what a clone holds, and the options of every verb stand apart.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use edgefit::cli::Cli;

use crate::driver::{Run, program};
use crate::trained::TINY;

/// The examples of a command and those below it, in the order of the help.
fn examples(command: &clap::Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let own = text.lines().filter_map(|line| line.strip_prefix("  edgefit "));
    let below = command.get_subcommands().flat_map(examples);
    own.map(str::to_string).chain(below).collect()
}

/// A folder with what the examples name of a clone.
#[cfg(unix)]
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["datasets", "examples"] {
        std::os::unix::fs::symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("tiny.toml"), TINY).unwrap();
    fs::write(folder.path().join("few-steps.toml"), "steps = 60\n").unwrap();
    folder
}

/// One after the other, as they build on each other; trainings and measurements are cut short, which changes nothing else.
#[cfg(unix)]
#[test]
fn examples_run_in_a_clone() {
    let folder = clone();
    // The first ones are those of the whole program, which stand under their commands again.
    let all = examples(&Cli::command());
    assert!(all.len() >= 20, "{all:?}");
    for example in all {
        let short = match example.split(' ').take(2).collect::<Vec<_>>()[..] {
            // Nothing is trained.
            ["train", "predictor"] if example.contains("--from") => "",
            ["train", "predictor"] | ["evaluate", "accuracy"] => " --config tiny.toml",
            ["train", "optimizer"] => " --config few-steps.toml",
            ["tune", _] if example.contains("--precisions") => " --seconds 0.01 --warmup-seconds 0.01",
            ["measure", _] => " --seconds 0.01 --warmup-seconds 0.01",
            _ => "",
        };
        let line = format!("'{}' {example}{short}", program().display());
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let run = Run::of(output);
        assert_eq!(run.status, 0, "{line}: {}", run.stderr);
    }
}

#[test]
fn options_of_every_verb_stand_apart() {
    let output = Command::new(program()).args(["design", "--help"]).output().unwrap();
    let help = Run::of(output).succeeded().stdout;
    let (own, global) = help.split_once("Global options:").unwrap();
    for option in ["--backend", "--seed", "--quiet"] {
        assert!(global.contains(option) && !own.contains(option), "{help}");
    }
    assert!(own.contains("--max-latency-ms"), "{help}");
}
