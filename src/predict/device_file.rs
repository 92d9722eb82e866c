//! A device on disk: what adapting to it gave, for the checkpoint that it was adapted with.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AdaptOptions, DeviceModel, MeasuredOnce, Predictor};
use crate::error::{Error, Result};
use crate::files::{read_bounded, write_bytes};
use crate::seed::Seed;
use crate::space::{InputSize, SearchSpace};

/// Version of the format; a file of another one is refused.
const FORMAT: u32 = 2;
/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    device: &'a DeviceModel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "format")]
    _format: u32,
    device: DeviceModel,
}

/// The version alone, which is looked at before the rest is understood.
#[derive(Deserialize)]
struct Version {
    format: Option<u32>,
}

impl DeviceModel {
    /// Writes the device as JSON.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_bytes(path, &self.to_json()?)
    }

    /// What [`DeviceModel::write`] writes.
    ///
    /// # Errors
    /// [`Error::Io`] for numbers that JSON cannot hold.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let written = Written {
            format: FORMAT,
            device: self,
        };
        serde_json::to_vec(&written).map_err(|error| Error::io("write", &self.id)(error.into()))
    }

    /// The input size that networks of a search space were measured at for a device on disk; `None` for a device of other spaces and
    /// for what [`DeviceModel::read`] refuses.
    pub fn input_in(path: &Path, space: &dyn SearchSpace) -> Option<InputSize> {
        let bytes = read_bounded(path, MAX_FILE_BYTES).ok()?;
        let Read { device, .. } = serde_json::from_slice(&bytes).ok()?;
        let input = device.input?;
        let is_measured = |one: &MeasuredOnce| one.space == space.id() && one.input == input;
        let edges = 1..=InputSize::MAX_EDGE;
        let (width, height) = input;
        (device.measured.iter().any(is_measured) && edges.contains(&width) && edges.contains(&height))
            .then_some(InputSize { width, height })
    }

    /// Reads a device that was adapted to. One that was adapted to with another predictor, of whatever search space, is adapted to
    /// again with this one, from what was measured on it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] for a file that is no device, is of another format version, or holds numbers that
    /// cannot be predicted with; [`Error::Invalid`] for a device of another predictor on which nothing was measured; and as
    /// [`Predictor::adapt_again`].
    pub fn read(path: &Path, predictor: &Predictor) -> Result<DeviceModel> {
        let bytes = read_bounded(path, MAX_FILE_BYTES)?;
        let malformed =
            |line: Option<usize>, column: Option<String>, expected: String, found: String| Error::Malformed {
                path: path.to_path_buf(),
                line: line.map(|line| line as u64),
                column,
                expected,
                found,
                hint: "Adapt to the device again.".into(),
            };
        let no_device = |error: serde_json::Error| {
            let expected = "a device that was adapted to".into();
            malformed(Some(error.line()), None, expected, error.to_string())
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(no_device)?;
        if version.format != Some(FORMAT) {
            let found = version
                .format
                .map_or_else(|| "none".into(), |format| format.to_string());
            return Err(malformed(
                None,
                Some("format".into()),
                format!("version {FORMAT}"),
                found,
            ));
        }
        let Read { device, .. } = serde_json::from_slice(&bytes).map_err(no_device)?;
        let is_elsewhere =
            device.predictor != predictor.id || device.input.is_some_and(|input| input != predictor.input());
        if is_elsewhere && !device.measured.is_empty() {
            return predictor.adapt_again(&device, &[], None, &AdaptOptions::measured_before(Seed(0)));
        }
        if device.predictor != predictor.id {
            return Err(Error::Invalid {
                what: format!("device {}", path.display()),
                expected: format!("one adapted with this checkpoint ({})", predictor.id),
                found: format!("one adapted with {}", device.predictor),
                hint: "Adapt to the device with this checkpoint.".into(),
            });
        }
        device
            .check(predictor)
            .map_err(|flaw| malformed(None, Some(flaw.what), flaw.expected, flaw.found))?;
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::device::Device;
    use crate::predict::tests::predictor;

    type Change = fn(&mut Value);

    /// Where a device is changed, and to what; the exit status, and what is told.
    const FLAWS: [(&str, Change, i32, &str); 10] = [
        ("/format", |format| *format = json!(0), 1, "version 2, found 0"),
        ("/format", |format| *format = json!(null), 1, "version 2, found none"),
        ("/device/predictor", |id| *id = json!("0000"), 2, "adapted with 0000"),
        (
            "/device/metrics/latency/calibration/quantiles",
            |all| *all = json!([]),
            1,
            "calibration of the latency",
        ),
        (
            "/device/metrics/latency/calibration/quantiles",
            |all| all[3] = json!(1e9),
            1,
            "rising quantiles",
        ),
        (
            // Of a profile with other kinds of work.
            "/device/metrics/latency/posterior/prices",
            |prices| *prices = json!([vec![1.0; 80], 80, null]),
            1,
            "prices of the latency",
        ),
        (
            "/device/metrics/latency/posterior/mean",
            |mean| *mean = json!([[1.0], 1, null]),
            1,
            "mean of the latency",
        ),
        (
            "/device/metrics/latency/posterior/root",
            |root| *root = json!([[1.0], 1, 1]),
            1,
            "root of the latency",
        ),
        (
            "/device/metrics/latency/posterior/mean/0/0",
            |one| *one = json!(1e39),
            1,
            "finite numbers",
        ),
        (
            "/device/metrics/latency/posterior/noise_variance",
            |one| *one = json!(-1.0),
            1,
            "0 or more",
        ),
    ];

    fn written() -> (tempfile::TempDir, DeviceModel) {
        let folder = tempfile::tempdir().unwrap();
        let device = predictor().adapt(&Device::named("phone"), &[], Seed(0)).unwrap();
        device.write(&folder.path().join("phone.json")).unwrap();
        (folder, device)
    }

    #[test]
    fn a_device_comes_back_as_it_was_written() {
        let (folder, device) = written();
        assert_eq!(
            DeviceModel::read(&folder.path().join("phone.json"), predictor()).unwrap(),
            device
        );
    }

    #[test]
    fn what_cannot_be_predicted_with_is_refused() {
        let (folder, _) = written();
        let path = folder.path().join("phone.json");
        let text = fs::read_to_string(&path).unwrap();
        for (place, change, status, told) in FLAWS {
            let mut device: Value = serde_json::from_str(&text).unwrap();
            change(device.pointer_mut(place).unwrap());
            fs::write(&path, serde_json::to_vec(&device).unwrap()).unwrap();
            let refused = DeviceModel::read(&path, predictor()).unwrap_err();
            assert_eq!(i32::from(refused.exit_code()), status, "{place}: {refused}");
            let message = refused.to_string();
            assert!(
                message.contains("phone.json") && message.contains(told),
                "{place}: {message}"
            );
        }
        fs::write(&path, "{\"id\": \"phone\"}").unwrap();
        let old = DeviceModel::read(&path, predictor()).unwrap_err().to_string();
        assert!(old.contains("version 2, found none"), "{old}");
    }

    /// 2^32 rows of 2^32 numbers are 2^64, which the product of two sizes loses: none. With overflow checks the product panics.
    #[cfg(not(debug_assertions))]
    #[test]
    fn sizes_whose_product_is_lost_are_refused() {
        let (folder, _) = written();
        let path = folder.path().join("phone.json");
        let mut device: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        device["device"]["metrics"]["latency"]["posterior"]["root"] = json!([[], 1_u64 << 32, 1_u64 << 32]);
        fs::write(&path, serde_json::to_vec(&device).unwrap()).unwrap();
        let refused = DeviceModel::read(&path, predictor()).unwrap_err().to_string();
        assert!(refused.contains("root of the latency"), "{refused}");
    }
}
