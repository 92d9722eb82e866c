//! Which devices are known by name? Those of `configs/devices/`, one TOML per hardware unit, carried in the binary.

use std::path::Path;

use super::file::UnitFile;
use super::{CLASSES, Device};
use crate::error::{Error, Result};
use crate::space::Precision;

/// Path and text of every catalogue file, in order of path.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Every device of the catalogue in every setting, in order of file.
///
/// # Errors
/// A catalogue file that does not parse; the tests keep that from being shipped.
pub fn all() -> Result<Vec<Device>> {
    let mut devices = Vec::new();
    for file in files()? {
        devices.extend(file.devices()?);
    }
    Ok(devices)
}

/// Those of the `devices` whose id, unit, class or runtime holds `text`, whatever its case, and that are of this class, if one is
/// given.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name for a class that does not exist.
pub fn search(mut devices: Vec<Device>, text: &str, class: Option<&str>) -> Result<Vec<Device>> {
    if let Some(class) = class.filter(|class| !CLASSES.contains(class)) {
        return Err(Error::Unknown {
            kind: "class",
            name: class.into(),
            known: CLASSES.iter().map(ToString::to_string).collect(),
        });
    }
    let text = text.to_lowercase();
    let holds = |value: &str| value.to_lowercase().contains(&text);
    devices.retain(|device| {
        let named = [
            Some(&device.id),
            Some(&device.unit),
            device.class.as_ref(),
            device.runtime.as_ref(),
        ];
        named.into_iter().flatten().any(|value| holds(value))
            && class.is_none_or(|class| device.class.as_deref() == Some(class))
    });
    Ok(devices)
}

/// The device with this id or alias, or of this hardware unit where the unit has one setting only.
///
/// A device found by an alias carries the catalogue's own id.
///
/// # Errors
/// [`Error::Unknown`] with the nearest ids, and [`Error::Invalid`] for a unit with several settings, naming them.
pub fn find(name: &str) -> Result<Device> {
    let files = files()?;
    for file in &files {
        if let Some(device) = file.find(name)? {
            return Ok(device);
        }
    }
    if let Some(file) = files.iter().find(|file| file.unit() == Some(name)) {
        let ids: Vec<String> = file.devices()?.into_iter().map(|device| device.id).collect();
        return Err(Error::Invalid {
            what: format!("device `{name}`"),
            expected: "one device".into(),
            found: format!("a hardware unit with {} settings", ids.len()),
            hint: format!("Name one of them: {}.", ids.join(", ")),
        });
    }
    Err(Error::Unknown {
        kind: "device",
        name: name.into(),
        known: all()?.into_iter().map(|device| device.id).collect(),
    })
}

/// The device whose hardware is called so, in its first setting: the one all words of whose name, past its maker's, are in `name`.
///
/// # Errors
/// As [`all`].
pub(super) fn named(name: &str) -> Result<Option<Device>> {
    let words = |text: &str| -> Vec<String> {
        let text = text.to_lowercase();
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).map(String::from).collect()
    };
    let given = words(name);
    for file in files()? {
        // What stands in brackets explains.
        let own = file
            .name()
            .and_then(|name| name.split('(').next())
            .map(words)
            .unwrap_or_default();
        if own.len() > 1 && own.iter().all(|word| given.contains(word)) {
            return Ok(file.devices()?.into_iter().next());
        }
    }
    Ok(None)
}

/// Peak throughput of a hardware unit at a precision, in GFLOP/s (GOP/s of integers); `None` where the catalogue does not say it.
///
/// # Errors
/// As [`all`].
pub fn peak(unit: &str, precision: Precision) -> Result<Option<f64>> {
    let files = files()?;
    let file = files.iter().find(|file| file.unit() == Some(unit));
    Ok(file.and_then(|file| file.peak_at(precision)))
}

/// Number formats that a hardware unit has arithmetic for; none where the catalogue does not say.
///
/// # Errors
/// As [`all`].
pub fn precisions(unit: &str) -> Result<Vec<Precision>> {
    let files = files()?;
    let file = files.iter().find(|file| file.unit() == Some(unit));
    Ok(file.map(UnitFile::precisions).unwrap_or_default())
}

/// Where the values of a hardware unit come from: datasheets, pages, papers.
///
/// # Errors
/// [`Error::Unknown`] with the nearest unit.
pub fn sources(unit: &str) -> Result<Vec<String>> {
    let files = files()?;
    match files.iter().find(|file| file.unit() == Some(unit)) {
        Some(file) => Ok(file.sources().to_vec()),
        None => Err(Error::Unknown {
            kind: "hardware unit",
            name: unit.into(),
            known: files.iter().filter_map(UnitFile::unit).map(String::from).collect(),
        }),
    }
}

fn files() -> Result<Vec<UnitFile>> {
    FILES
        .iter()
        .map(|(path, text)| UnitFile::parse(text, Path::new(path)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::device::CLASSES;

    #[test]
    fn every_file_parses_is_plausible_and_names_its_sources() {
        for file in files().unwrap() {
            let devices = file.devices().unwrap();
            assert!(!devices.is_empty());
            assert!(!file.sources().is_empty(), "{:?} names no source", file.unit());
            for device in devices {
                device.check().unwrap();
                assert!(
                    device.peak_gflops.is_some(),
                    "{} has no peak at its precision",
                    device.id
                );
            }
        }
    }

    #[test]
    fn ids_units_and_aliases_are_unique() {
        let files = files().unwrap();
        let mut names: Vec<String> = files.iter().flat_map(UnitFile::names).collect();
        let units: BTreeSet<_> = files.iter().map(UnitFile::unit).collect();
        assert_eq!(units.len(), files.len());
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_class_and_the_published_identifiers_are_there() {
        let devices = all().unwrap();
        let classes: BTreeSet<_> = devices.iter().filter_map(|device| device.class.clone()).collect();
        assert_eq!(classes, CLASSES.iter().map(|class| class.to_string()).collect());
        let units: BTreeSet<_> = devices.iter().map(|device| device.unit.clone()).collect();
        assert!(units.len() >= 30, "{} units", units.len());
        for gpu in ["1080ti", "2080ti", "titanx", "titanxp", "titan_rtx"] {
            for batch in [1, 32, 64, 256] {
                let device = find(&format!("{gpu}_{batch}")).unwrap();
                assert_eq!((device.unit.as_str(), device.batch_size), (gpu, Some(f64::from(batch))));
            }
        }
        for id in "silver_4114 silver_4210r gold_6226 gold_6240 samsung_a50 samsung_s7 essential_ph_1 pixel2 pixel3 \
                   raspi4 fpga eyeriss"
            .split_whitespace()
        {
            assert_eq!(find(id).unwrap().id, id);
        }
    }

    #[test]
    fn devices_say_what_they_have_arithmetic_for() {
        let bitfusion = find("bitfusion").unwrap();
        assert_eq!(bitfusion.precisions, [Precision::Int8, Precision::Int4]);
        assert!(bitfusion.computes_below_eight_bits());
        let edgetpu = find("edgetpu").unwrap();
        assert!(!edgetpu.computes_below_eight_bits(), "{:?}", edgetpu.precisions);
        // Whoever says nothing may have all; the catalogue knows by the name of the unit.
        let named = |unit: &str| super::super::Device {
            unit: unit.into(),
            ..super::super::Device::named("mine")
        };
        assert!(named("edgetpu").computes_below_eight_bits());
        assert!(!named("edgetpu").with_precisions().unwrap().computes_below_eight_bits());
        assert!(
            named("nobody knows")
                .with_precisions()
                .unwrap()
                .computes_below_eight_bits()
        );
        assert_eq!(peak("bitfusion", Precision::Int4).unwrap(), Some(2048.0));
        assert_eq!(peak("bitfusion", Precision::Fp32).unwrap(), None);
    }

    /// What NVIDIA states, in TOP/s: at the announcement of the TITAN X, in the whitepapers of Turing, Ampere and Ada,
    /// and of Xavier 22.6 TOP/s for 64 tensor cores at 1.377 GHz, of which the NX has 48 at 1.1 GHz. Ratios are by what
    /// one instruction does.
    #[test]
    fn peaks_at_few_bits_are_those_that_vendors_state() {
        for (unit, precision, tops) in [
            ("titanx", Precision::Int8, 44.0),
            ("2080ti", Precision::Fp16, 107.6),
            ("2080ti", Precision::Int8, 215.2),
            ("2080ti", Precision::Int4, 430.3),
            ("titan_rtx", Precision::Fp16, 130.5),
            ("rtx3090", Precision::Int8, 284.7),
            ("rtx4090", Precision::Int4, 1321.2),
            ("jetson_xavier_nx", Precision::Int8, 13.5),
        ] {
            let found = peak(unit, precision).unwrap().unwrap() / 1000.0;
            assert!((found / tops - 1.0).abs() < 0.005, "{unit} at {precision}: {found}");
        }
        let ratio = |unit: &str| {
            let at = |precision| peak(unit, precision).unwrap().unwrap();
            at(Precision::Int8) / at(Precision::Fp32)
        };
        for (unit, expected) in [
            ("gold_6240", 4.0),
            ("silver_4114", 4.0 / 3.0),
            ("v100", 4.0),
            ("pixel4", 4.0),
            ("raspi4", 2.0),
        ] {
            assert!((ratio(unit) - expected).abs() < 1e-3, "{unit}: {}", ratio(unit));
        }
        // Hopper's tensor cores have no four-bit integers, and nothing is known of the Exynos M1.
        assert_eq!(peak("h100", Precision::Int4).unwrap(), None);
        assert_eq!(precisions("samsung_s7").unwrap(), [Precision::Fp32]);
    }

    #[test]
    fn a_unit_with_one_setting_an_alias_and_a_misspelling() {
        assert_eq!(find("zc706").unwrap().id, "fpga");
        assert_eq!(find("true_vpu").unwrap().id, "myriadx");
        let several = find("1080ti").unwrap_err().to_string();
        assert!(several.contains("1080ti_1, 1080ti_32"), "{several}");
        let misspelt = find("pixle3").unwrap_err().to_string();
        assert!(misspelt.contains("did you mean `pixel3`?"), "{misspelt}");
    }

    #[test]
    fn processors_are_found_by_the_names_that_systems_give_them() {
        let unit = |name: &str| named(name).unwrap().map(|device| device.unit);
        assert_eq!(
            unit("Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz").as_deref(),
            Some("silver_4114")
        );
        assert_eq!(
            unit("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz").as_deref(),
            Some("i7_8700k")
        );
        assert_eq!(unit("Raspberry Pi 4 Model B Rev 1.4").as_deref(), Some("raspi4"));
        assert_eq!(unit("AMD EPYC"), None);
    }

    /// NVIDIA states 11.3 TFLOP/s for the 1080 Ti at boost (3584 lanes x 2 x 1.582 GHz = 11.34) and 484 GB/s: the roofline's
    /// ridge is at 11340 / 484 = 23.4 FLOP per byte.
    #[test]
    fn the_ridge_of_a_known_roofline() {
        let device = find("1080ti_32").unwrap();
        let ridge = device.peak_gflops.unwrap() / device.memory_bandwidth_gb_s.unwrap();
        assert!((ridge - 23.4).abs() < 0.1, "{ridge}");
    }
}
