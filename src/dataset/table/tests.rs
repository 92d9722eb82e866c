use std::fs;

use super::*;

const COLUMNS: Columns<'_> = Columns {
    known: &["device", "latency_ms"],
    required: &["device"],
    strict: true,
};

fn read(text: &str) -> std::result::Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, text).unwrap();
    let mut rows = 0;
    let visited = Table::open(&path, &COLUMNS, &Silent).and_then(|table| {
        table.visit(|row| {
            row.positive(1)?;
            rows += 1;
            Ok(())
        })
    });
    visited.map(|()| rows).map_err(|error| error.to_string())
}

#[test]
fn long_files_of_short_rows_are_read() {
    let text = format!("device,latency_ms\n{}", "board,1.5\n".repeat(300_000));
    assert_eq!(read(&text), Ok(300_000));
}

/// A row without an end, once as one cell, once as many, once because a quote is never closed.
#[test]
fn rows_and_cells_are_bounded() {
    let long = |row: &str| read(&format!("device,latency_ms\nboard,1\n{row}\n")).unwrap_err();
    for row in [
        "x".repeat(3 << 20),
        "x,".repeat(2 << 20),
        format!("\"{}", "x\n".repeat(2 << 20)),
    ] {
        let message = long(&row);
        assert!(
            message.contains("table.csv:3") && message.contains("1048576 bytes"),
            "{message}"
        );
    }
    let message = long(&format!("{},1", "x".repeat(20_000)));
    assert!(
        message.contains("16384 bytes") && message.contains("found 20000"),
        "{message}"
    );
    let message = read(&"x".repeat(20_000)).unwrap_err();
    assert!(message.contains("table.csv:1") && message.len() < 400, "{message}");
}

#[test]
fn messages_do_not_repeat_long_cells() {
    let message = read(&format!("device,latency_ms\nboard,{}\n", "9x".repeat(5_000))).unwrap_err();
    assert!(message.contains("(latency_ms)") && message.len() < 700, "{message}");
}

#[cfg(unix)]
#[test]
fn devices_and_folders_are_not_files() {
    for path in ["/dev/zero", "/tmp"] {
        assert!(matches!(
            Table::open(Path::new(path), &COLUMNS, &Silent),
            Err(Error::Io { .. })
        ));
    }
}
