//! Which devices are scored, and which of them count in means: a mean over settings of one board, over the same measurements
//! twice, or over sums of block tables says little about the next device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::predict::Predictor;
use crate::space::InputSize;

/// Devices to score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Positions in the dataset.
    pub devices: Vec<usize>,
    /// Ids of those among them whose hardware unit the checkpoint was trained on: their scores say nothing about unseen
    /// devices.
    pub known: Vec<String>,
}

/// The devices named, as ids or hardware units, or without names all whose unit the predictor was not trained on.
///
/// # Errors
/// [`Error::Unknown`] for a name that the dataset lacks, [`Error::Invalid`] where no name is given and all are known.
pub fn choose_devices(predictor: &Predictor, dataset: &Dataset, names: &[String]) -> Result<Chosen> {
    let units = predictor.known_units();
    let is_known = |device: &usize| units.contains(&dataset.devices[*device].unit.as_str());
    if names.is_empty() {
        let devices: Vec<usize> = (0..dataset.devices.len()).filter(|device| !is_known(device)).collect();
        return if devices.is_empty() {
            Err(Error::Invalid {
                what: "devices to evaluate on".into(),
                expected: "a dataset with devices that the checkpoint was not trained on".into(),
                found: "only devices that it was trained on".into(),
                hint: "Leave some devices out of training, or name known devices to score them all the same.".into(),
            })
        } else {
            Ok(Chosen {
                devices,
                known: Vec::new(),
            })
        };
    }
    let devices = dataset.resolve_devices(names)?;
    let known = devices.iter().filter(|device| is_known(device));
    Ok(Chosen {
        known: known.map(|&device| dataset.devices[device].id.clone()).collect(),
        devices,
    })
}

/// A scored device, and what decides whether it counts in means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredDevice {
    /// Device id.
    #[serde(rename = "device")]
    pub id: String,
    /// Hardware unit.
    pub unit: String,
    /// Where its values come from; of several origins the one furthest from a measurement.
    pub origin: Origin,
    /// The scored device before it that has the same measurements.
    pub duplicate_of: Option<String>,
    /// Whether it counts in means.
    pub counted: bool,
}

impl ScoredDevice {
    /// Why it does not count in means, in a few words for tables.
    pub fn left_out(&self) -> Option<String> {
        match &self.duplicate_of {
            _ if self.counted => None,
            Some(other) => Some(format!("the same measurements as {other}")),
            None => Some(format!("{} values", self.origin.name())),
        }
    }

    /// The id, with the origin of its values where they are predicted.
    pub fn label(&self) -> String {
        match self.origin {
            Origin::Predicted => format!("{} (predicted values)", self.id),
            Origin::Measured | Origin::Simulated | Origin::Proxy => self.id.clone(),
        }
    }
}

/// Which of these devices count in means, from its rows at one input size or at all. Values of origin `predicted` count only
/// `with_predicted`; a second device with the same measurements never does.
pub fn scored_devices(
    dataset: &Dataset,
    devices: &[usize],
    input: Option<InputSize>,
    with_predicted: bool,
) -> Vec<ScoredDevice> {
    let duplicates = dataset.duplicated_devices();
    let same = |a: &str, b: &str| {
        (duplicates.iter()).any(|pair| (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a))
    };
    let ids: Vec<&str> = devices
        .iter()
        .map(|&device| dataset.devices[device].id.as_str())
        .collect();
    let scored = |(place, &device): (usize, &usize)| {
        let origin = dataset.origin_of(device, input).unwrap_or_default();
        let duplicate_of = ids[..place].iter().find(|other| same(other, ids[place]));
        ScoredDevice {
            id: ids[place].into(),
            unit: dataset.devices[device].unit.clone(),
            origin,
            duplicate_of: duplicate_of.map(ToString::to_string),
            counted: duplicate_of.is_none() && (with_predicted || origin != Origin::Predicted),
        }
    };
    devices.iter().enumerate().map(scored).collect()
}

/// The values of the devices that count, in one group per hardware unit. `values` are in the order of `scored`.
pub(super) fn by_unit<T>(scored: &[ScoredDevice], values: impl IntoIterator<Item = Vec<T>>) -> Vec<Vec<T>> {
    let mut groups: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (device, values) in scored.iter().zip(values) {
        if device.counted {
            groups.entry(&device.unit).or_default().extend(values);
        }
    }
    groups.into_values().collect()
}

/// A sentence for below a table: over what the means are, and which devices they leave out. Nothing of no devices.
pub fn what_counts(scored: &[ScoredDevice]) -> String {
    if scored.is_empty() {
        return String::new();
    }
    let units = by_unit(scored, scored.iter().map(|one| vec![one.id.as_str()]));
    let counted = units.iter().map(Vec::len).sum();
    let mut text = format!("Means are over {}", plural(units.len(), "hardware unit"));
    if counted != units.len() {
        text += &format!(" ({})", plural(counted, "device"));
    }
    let left_out: Vec<String> = scored
        .iter()
        .filter_map(|one| Some(format!("{} ({})", one.id, one.left_out()?)))
        .collect();
    if !left_out.is_empty() {
        text += &format!(" without {}", left_out.join(", "));
    }
    text + "."
}

/// `1 device`, `2 devices`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::space::{Enumerable, NasBench201, SearchSpace};

    /// Two settings of a GPU, a phone, the phone's measurements again, and a board whose values are sums of block tables.
    fn dataset() -> Dataset {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("dataset.toml", "space = \"nasbench201\"\norigin = \"measured\"\n");
        write(
            "devices.csv",
            "id,unit\ngpu_1,gpu\ngpu_32,gpu\nphone,phone\nphone-again,phone-again\nboard,board\n",
        );
        let mut rows = "device,architecture,input,latency_ms,origin\n".to_string();
        for index in 0..30_usize {
            let architecture = NasBench201.print(&NasBench201.at(500 * index));
            for (device, latency, origin) in [
                ("gpu_1", 1.0 + (index % 7) as f64, "measured"),
                ("gpu_32", 9.0 + (index % 5) as f64, "measured"),
                ("phone", 20.0 + index as f64, "measured"),
                ("phone-again", 20.0 + index as f64, "measured"),
                (
                    "board",
                    300.0 - index as f64,
                    if index == 3 { "predicted" } else { "measured" },
                ),
            ] {
                let input = if device == "board" { "16x16" } else { "32x32" };
                writeln!(rows, "{device},{architecture},{input},{latency},{origin}").unwrap();
            }
        }
        write("measurements.csv", &rows);
        Dataset::read(folder.path()).unwrap()
    }

    #[test]
    fn a_duplicate_counts_once_and_predicted_values_only_when_asked_for() {
        let dataset = dataset();
        let counted = |with_predicted: bool| -> Vec<bool> {
            let found = scored_devices(&dataset, &[0, 1, 2, 3, 4], None, with_predicted);
            found.iter().map(|one| one.counted).collect()
        };
        assert_eq!(counted(false), [true, true, true, false, false]);
        assert_eq!(counted(true), [true, true, true, false, true]);
        let found = scored_devices(&dataset, &[3, 2, 4], None, false);
        assert_eq!(found[0].duplicate_of, None, "the first of those scored counts");
        assert_eq!(found[1].duplicate_of.as_deref(), Some("phone-again"));
        assert_eq!(
            (found[2].origin, found[2].label().as_str()),
            (Origin::Predicted, "board (predicted values)")
        );
    }

    #[test]
    fn only_rows_at_the_input_size_say_where_values_come_from() {
        let input = InputSize { width: 32, height: 32 };
        assert_eq!(
            scored_devices(&dataset(), &[4], Some(input), false)[0].origin,
            Origin::Measured
        );
    }

    #[test]
    fn settings_of_one_unit_are_one_group() {
        let found = scored_devices(&dataset(), &[0, 1, 2, 3, 4], None, false);
        let groups = by_unit(&found, [vec![1], vec![2, 3], vec![4], vec![5], vec![6]]);
        assert_eq!(groups, [vec![1, 2, 3], vec![4]]);
        assert_eq!(
            what_counts(&found),
            "Means are over 2 hardware units (3 devices) without phone-again (the same measurements as phone), board \
             (predicted values)."
        );
        assert_eq!(what_counts(&found[2..3]), "Means are over 1 hardware unit.");
        assert_eq!(what_counts(&[]), "");
    }
}
