//! Lists the device catalogue and the benchmarks, so that the binary carries them and a new one needs no Rust.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    list("configs/devices", "catalogue.rs")?;
    list("configs/benchmarks", "benchmarks.rs")
}

/// Writes an array of the path and text of every TOML file in a folder, in order of path.
fn list(folder: &str, target: &str) -> io::Result<()> {
    println!("cargo::rerun-if-changed={folder}");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let absolute = file.canonicalize()?;
        code.push_str(&format!(
            "    ({:?}, include_str!({:?})),\n",
            file.display().to_string(),
            absolute
        ));
    }
    code.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo did not set OUT_DIR"))?;
    fs::write(Path::new(&out).join(target), code)
}
