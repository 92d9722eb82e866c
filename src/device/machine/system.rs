//! Reads what a Linux kernel tells in `/proc` and `/sys`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::files::read_bounded;

/// Longest file read: `/proc/cpuinfo` of a thousand cores is about a mebibyte.
const MAX_BYTES: u64 = 16 << 20;

/// The files in which a kernel describes the machine. What is not there is unknown: containers, virtual machines and other
/// systems hide or lack any of them.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
}

impl Default for System {
    /// Of the machine that this runs on.
    fn default() -> System {
        System::at("/")
    }
}

impl System {
    /// Reads below this folder instead of `/`.
    pub fn at(root: impl AsRef<Path>) -> System {
        System {
            root: root.as_ref().to_path_buf(),
        }
    }

    /// Where a file such as `proc/stat` is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text of a file without white space around it; `None` where it cannot be read.
    pub fn text(&self, name: &str) -> Option<String> {
        self.read(name).ok()
    }

    /// As [`System::text`], with the reason.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io).
    pub fn read(&self, name: &str) -> Result<String> {
        let bytes = read_bounded(&self.path(name), MAX_BYTES)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_string())
    }

    /// The number in a file that holds nothing else.
    pub fn number(&self, name: &str) -> Option<f64> {
        let number: f64 = self.text(name)?.parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// The names in a folder, sorted; none where it cannot be read.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let read = || -> io::Result<Vec<String>> {
            fs::read_dir(self.path(folder))?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect()
        };
        let mut names = read().unwrap_or_default();
        names.sort();
        names
    }

    /// The folders of the cores that are there: `sys/devices/system/cpu/cpu0` and so on, in order of number.
    pub fn cores(&self) -> Vec<String> {
        const FOLDER: &str = "sys/devices/system/cpu";
        let number = |name: &String| name.strip_prefix("cpu")?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = self.names(FOLDER).iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.iter().map(|number| format!("{FOLDER}/cpu{number}")).collect()
    }

    /// The first value of a key of `/proc/cpuinfo`, such as `model name`.
    pub fn cpuinfo(&self, key: &str) -> Option<String> {
        let text = self.text("proc/cpuinfo")?;
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_string())
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder with these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        let folder = tree(&[
            (
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fma avx2\nempty:\n",
            ),
            ("sys/devices/system/cpu/cpu10/x", "1\n"),
            ("sys/devices/system/cpu/cpu2/x", " 2.5 \n"),
            ("sys/devices/system/cpu/cpufreq/x", "nan"),
        ]);
        let system = System::at(folder.path());
        assert_eq!(system.cpuinfo("model name").as_deref(), Some("Some CPU"));
        assert_eq!(system.cpuinfo("empty"), None);
        assert_eq!(
            system.cores(),
            ["sys/devices/system/cpu/cpu2", "sys/devices/system/cpu/cpu10"]
        );
        assert_eq!(system.number("sys/devices/system/cpu/cpu2/x"), Some(2.5));
        assert_eq!(system.number("sys/devices/system/cpu/cpufreq/x"), None);
        assert_eq!(system.text("proc/stat"), None);
        assert!(system.read("proc/stat").unwrap_err().to_string().contains("proc/stat"));
        assert!(system.names("sys/class/powercap").is_empty());
    }
}
