//! Device descriptions as TOML: a hardware unit with its settings, or one device written flat.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Device;
use crate::error::{Error, Result};
use crate::files::{parse_toml, read_toml as read};
use crate::space::{Precision, QuantPolicy};

/// Reads a user's own device: the keys of a catalogue file, with one `[[setting]]`, or with the setting's keys (`id`,
/// `batch-size`, `precision`, `runtime`) written at the top and `peak-gflops` as a number.
///
/// # Errors
/// [`Error::Io`]; [`Error::Configuration`] for broken TOML, more than one setting, or a key that does not exist, with the
/// nearest one; [`Error::Invalid`] for a value that no device has.
pub fn read_toml(path: &Path) -> Result<Device> {
    read_setting(path, None).map_err(Error::in_configuration)
}

/// As [`read_toml`], at a precision that the file need not name, with the peak that it gives for that precision.
///
/// # Errors
/// As [`read_toml`], and for a file with peaks of other precisions alone.
pub fn read_toml_at(path: &Path, precision: QuantPolicy) -> Result<Device> {
    read_setting(path, Some(precision)).map_err(Error::in_configuration)
}

fn read_setting(path: &Path, precision: Option<QuantPolicy>) -> Result<Device> {
    let mut unit: RawUnit = read(path)?;
    if precision.is_some() {
        unit.precision = precision;
        unit.setting
            .iter_mut()
            .for_each(|setting| setting.precision = precision);
    }
    let file = UnitFile {
        path: path.into(),
        unit,
    };
    let mut devices = file.devices()?;
    match (devices.pop(), devices.len()) {
        (Some(device), 0) => device.check().map(|()| device),
        (_, others) => Err(file.malformed(
            "setting",
            "one setting",
            &format!("{} settings", others + 1),
            "Keep one `[[setting]]`.",
        )),
    }
}

/// A parsed description of a hardware unit and the file that it comes from.
#[derive(Debug)]
pub(super) struct UnitFile {
    path: PathBuf,
    unit: RawUnit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawUnit {
    id: Option<String>,
    unit: Option<String>,
    name: Option<String>,
    class: Option<String>,
    peak_gflops: Option<Peak>,
    memory_bandwidth_gb_s: Option<f64>,
    on_chip_memory_mib: Option<f64>,
    cores: Option<f64>,
    clock_ghz: Option<f64>,
    tdp_w: Option<f64>,
    year: Option<f64>,
    precision: Option<QuantPolicy>,
    batch_size: Option<f64>,
    runtime: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    setting: Vec<Setting>,
}

/// Peak throughput: one number, or one per precision.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Peak {
    One(f64),
    PerPrecision(BTreeMap<Precision, f64>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Setting {
    id: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    batch_size: Option<f64>,
    precision: Option<QuantPolicy>,
    runtime: Option<String>,
}

impl UnitFile {
    /// Parses the text of the file at `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<UnitFile> {
        let unit = parse_toml(text, path)?;
        Ok(UnitFile {
            path: path.into(),
            unit,
        })
    }

    /// The name of the hardware, where the file gives one.
    pub(super) fn unit(&self) -> Option<&str> {
        self.unit.unit.as_deref()
    }

    /// The name of the hardware for people, where the file gives one.
    pub(super) fn name(&self) -> Option<&str> {
        self.unit.name.as_deref()
    }

    /// Where the values come from.
    pub(super) fn sources(&self) -> &[String] {
        &self.unit.source
    }

    /// The precisions that the file gives peaks for, if for several.
    pub(super) fn precisions(&self) -> Vec<Precision> {
        match &self.unit.peak_gflops {
            Some(Peak::PerPrecision(peaks)) => peaks.keys().copied().collect(),
            Some(Peak::One(_)) | None => Vec::new(),
        }
    }

    /// The peak at a precision, where the file gives peaks for several.
    pub(super) fn peak_at(&self, precision: Precision) -> Option<f64> {
        match &self.unit.peak_gflops {
            Some(Peak::PerPrecision(peaks)) => peaks.get(&precision).copied(),
            Some(Peak::One(_)) | None => None,
        }
    }

    /// Ids and aliases of all settings.
    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<String> {
        self.settings()
            .into_iter()
            .flat_map(|setting| setting.id.into_iter().chain(setting.aliases))
            .collect()
    }

    /// The unit in each of its settings.
    pub(super) fn devices(&self) -> Result<Vec<Device>> {
        self.settings()
            .into_iter()
            .map(|setting| self.device(setting))
            .collect()
    }

    /// The setting with this id or alias; or the only setting of the unit with this name.
    pub(super) fn find(&self, name: &str) -> Result<Option<Device>> {
        let mut settings = self.settings();
        let only = settings.len() == 1 && self.unit() == Some(name);
        settings.retain(|setting| {
            only || setting.id.as_deref() == Some(name) || setting.aliases.iter().any(|alias| alias == name)
        });
        settings.pop().map(|setting| self.device(setting)).transpose()
    }

    fn settings(&self) -> Vec<Setting> {
        if self.unit.setting.is_empty() {
            return vec![Setting {
                id: self.unit.id.clone(),
                aliases: self.unit.aliases.clone(),
                batch_size: self.unit.batch_size,
                precision: self.unit.precision,
                runtime: self.unit.runtime.clone(),
            }];
        }
        self.unit.setting.clone()
    }

    fn device(&self, setting: Setting) -> Result<Device> {
        let raw = &self.unit;
        let id = setting
            .id
            .or_else(|| raw.unit.clone())
            .ok_or_else(|| self.malformed("id", "a name", "none", "Name the device: id = \"my-board\"."))?;
        Ok(Device {
            unit: raw.unit.clone().unwrap_or_else(|| id.clone()),
            peak_gflops: self.peak(setting.precision)?,
            id,
            class: raw.class.clone(),
            memory_bandwidth_gb_s: raw.memory_bandwidth_gb_s,
            on_chip_memory_mib: raw.on_chip_memory_mib,
            cores: raw.cores,
            clock_ghz: raw.clock_ghz,
            tdp_w: raw.tdp_w,
            year: raw.year,
            precision: setting.precision,
            precisions: self.precisions(),
            batch_size: setting.batch_size,
            runtime: setting.runtime,
        })
    }

    fn peak(&self, precision: Option<QuantPolicy>) -> Result<Option<f64>> {
        match (&self.unit.peak_gflops, precision) {
            (None, _) => Ok(None),
            (Some(Peak::One(peak)), _) => Ok(Some(*peak)),
            (Some(Peak::PerPrecision(peaks)), Some(precision)) => match peaks.get(&precision.arithmetic()) {
                Some(peak) => Ok(Some(*peak)),
                None => Err(Error::Unknown {
                    kind: "precision among the device's peak-gflops",
                    name: precision.to_string(),
                    known: peaks.keys().map(Precision::to_string).collect(),
                }),
            },
            (Some(Peak::PerPrecision(peaks)), None) => Err(self.malformed(
                "precision",
                "one of the precisions of peak-gflops",
                "none",
                &format!(
                    "Add precision = \"{}\".",
                    peaks.keys().next().copied().unwrap_or(Precision::Fp32)
                ),
            )),
        }
    }

    fn malformed(&self, column: &str, expected: &str, found: &str, hint: &str) -> Error {
        Error::Malformed {
            path: self.path.clone(),
            line: None,
            column: Some(column.into()),
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> Result<Device> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.toml");
        std::fs::write(&path, text).unwrap();
        read_toml(&path)
    }

    #[test]
    fn a_flat_device_of_ones_own() {
        let device = described("id = \"my-board\"\nclass = \"board-cpu\"\npeak-gflops = 48\nbatch-size = 1\n").unwrap();
        assert_eq!((device.id.as_str(), device.unit.as_str()), ("my-board", "my-board"));
        assert_eq!((device.peak_gflops, device.memory_bandwidth_gb_s), (Some(48.0), None));
    }

    #[test]
    fn the_form_of_the_catalogue_with_one_setting() {
        let text =
            "unit = \"b\"\n[peak-gflops]\nfp32 = 10\nint8 = 40\n[[setting]]\nid = \"b_8\"\nprecision = \"int8\"\n";
        let device = described(text).unwrap();
        assert_eq!(
            (device.id.as_str(), device.unit.as_str(), device.peak_gflops),
            ("b_8", "b", Some(40.0))
        );
        let two = described(&format!("{text}[[setting]]\nid = \"b_9\"\nprecision = \"fp32\"\n"))
            .unwrap_err()
            .to_string();
        assert!(two.contains("one setting") && two.contains("2 settings"), "{two}");
    }

    #[test]
    fn mistakes_are_named() {
        let typo = described("id = \"b\"\nmemory-bandwith-gb-s = 3\n")
            .unwrap_err()
            .to_string();
        assert!(typo.contains("did you mean `memory-bandwidth-gb-s`?"), "{typo}");
        let setting = described("unit = \"b\"\n[[setting]]\nbatchsize = 3\n")
            .unwrap_err()
            .to_string();
        assert!(setting.contains("did you mean `batch-size`?"), "{setting}");
        let megabytes = described("id = \"b\"\nmemory-bandwidth-gb-s = 25600\n")
            .unwrap_err()
            .to_string();
        assert!(megabytes.contains("not MB/s"), "{megabytes}");
        let broken = described("id = \"b\"\ncores = = 3\n").unwrap_err().to_string();
        assert!(broken.contains("board.toml:2"), "{broken}");
        assert!(
            described("class = \"gpu\"\n")
                .unwrap_err()
                .to_string()
                .contains("Name the device")
        );
        let precision = described("id = \"b\"\nprecision = \"int8\"\n[peak-gflops]\nfp32 = 10\n")
            .unwrap_err()
            .to_string();
        assert!(precision.contains("int8") && precision.contains("fp32"), "{precision}");
        let unknown = described("id = \"b\"\nprecision = \"int9\"\n").unwrap_err().to_string();
        assert!(
            unknown.contains("board.toml:2") && unknown.contains("`int9` (did you mean"),
            "{unknown}"
        );
        let unknown = described("id = \"b\"\nprecision = \"int8\"\n[peak-gflops]\nint9 = 10\n");
        assert!(unknown.is_err());
    }
}
