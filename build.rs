//! Lists what the binary carries, so that it works from any folder and a new one of each needs no Rust: the device
//! catalogue, the benchmarks, the shipped checkpoints and the bundled datasets.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    list("configs/devices", "catalogue.rs")?;
    list("configs/benchmarks", "benchmarks.rs")?;
    // Model cards and records of how a checkpoint was made are in its folder too; the manifest names what it consists of.
    list_folders("checkpoints", "checkpoints.rs", |folder| {
        let manifest = fs::read_to_string(folder.join("checkpoint.json"))?;
        Ok(files_of(folder)?
            .into_iter()
            .filter(|file| name_of(file) == "checkpoint.json" || manifest.contains(&format!("\"{}\"", name_of(file))))
            .collect())
    })?;
    list_folders("datasets", "datasets.rs", |folder| {
        let mut files = files_of(folder)?;
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "csv" || extension == "toml")
        });
        Ok(files)
    })
}

/// Writes an array of the path and text of every TOML file in a folder, in order of path.
fn list(folder: &str, target: &str) -> io::Result<()> {
    println!("cargo::rerun-if-changed={folder}");
    let mut files = files_of(Path::new(folder))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
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
    write(target, &code)
}

/// Writes an array of the name of every folder in a folder, in order of name, with the name and content of its files.
fn list_folders(folder: &str, target: &str, files: impl Fn(&Path) -> io::Result<Vec<PathBuf>>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={folder}");
    let mut code = String::from("&[\n");
    for inner in entries_of(Path::new(folder))?.into_iter().filter(|path| path.is_dir()) {
        code.push_str(&format!("    ({:?}, &[\n", name_of(&inner)));
        for file in files(&inner)? {
            let absolute = file.canonicalize()?;
            code.push_str(&format!(
                "        ({:?}, include_bytes!({absolute:?})),\n",
                name_of(&file)
            ));
        }
        code.push_str("    ]),\n");
    }
    code.push_str("]\n");
    write(target, &code)
}

/// Everything in a folder, in order of path.
fn entries_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    Ok(entries)
}

/// The files of a folder, in order of path.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = entries_of(folder)?;
    files.retain(|file| file.is_file());
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn write(target: &str, code: &str) -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo did not set OUT_DIR"))?;
    fs::write(Path::new(&out).join(target), code)
}
