use super::*;

fn told(path: &str) -> [String; 3] {
    [path.into(), "expected".into(), "hint".into()]
}

#[test]
fn what_is_long_is_shortened() {
    let long = "a".repeat(100_000);
    let unknown = Error::Unknown {
        kind: "device",
        name: long.clone(),
        known: vec![long.clone()],
    };
    let invalid = Error::Invalid {
        what: "device".into(),
        expected: "one".into(),
        found: format!("`{long}`"),
        hint: "Correct it.".into(),
    };
    for error in [unknown, invalid] {
        assert!(error.to_string().len() < 2000, "{error}");
    }
    assert_eq!(short(&"\u{e9}".repeat(400)), "\u{e9}".repeat(400));
    assert_eq!(short(&long).len(), 403);
}

#[test]
fn every_kind_of_failure_has_its_exit_status() {
    let malformed = || {
        let [found, expected, hint] = told("found");
        Error::Malformed {
            path: "a.csv".into(),
            line: Some(3),
            column: Some("latency_ms".into()),
            expected,
            found,
            hint,
        }
    };
    let [what, expected, hint] = told("what");
    let invalid = Error::Invalid {
        what,
        expected,
        found: "found".into(),
        hint,
    };
    let [what, expected, hint] = told("what");
    let insufficient = Error::Insufficient {
        what,
        expected,
        found: "found".into(),
        hint,
    };
    let missing = Error::io("read", "a.toml")(io::ErrorKind::NotFound.into());
    let cases = [
        (1, malformed()),
        (2, malformed().in_configuration()),
        (2, invalid),
        (1, insufficient),
        // A file that is missing is not a mistake in what it says, whatever it would have said.
        (1, missing.in_configuration()),
        (
            2,
            Error::Unknown {
                kind: "device",
                name: "pixle3".into(),
                known: vec!["pixel3".into()],
            },
        ),
        (
            1,
            Error::Diverged {
                what: "the towers in epoch 3".into(),
                loss: f32::NAN,
            },
        ),
        (1, Error::Locked { path: "folder".into() }),
        (1, Error::Interrupted { state: None }),
    ];
    for (status, error) in cases {
        assert_eq!(error.exit_code(), status, "{error}");
    }
}
