//! Which devices a predictor learns from.

use std::collections::BTreeSet;

use crate::dataset::{Dataset, unknown_device};
use crate::error::Result;

/// The devices named, or all.
pub(super) struct Chosen {
    /// Positions in the dataset.
    pub(super) own: Vec<usize>,
    /// Ids in datasets of other search spaces, of devices that the dataset may hold too.
    pub(super) elsewhere: BTreeSet<String>,
}

impl Chosen {
    /// The devices with these ids, or of hardware units with these names, in any of the datasets; all of them without names.
    ///
    /// # Errors
    /// [`crate::error::Error::Unknown`] for a name that none of the datasets has.
    pub(super) fn of(dataset: &Dataset, others: &[Dataset], names: &[String]) -> Result<Chosen> {
        let ids = |dataset: &Dataset| {
            dataset
                .devices
                .iter()
                .map(|device| device.id.clone())
                .collect::<Vec<_>>()
        };
        if names.is_empty() {
            return Ok(Chosen {
                own: (0..dataset.devices.len()).collect(),
                elsewhere: others.iter().flat_map(ids).collect(),
            });
        }
        let mut chosen = Chosen {
            own: Vec::new(),
            elsewhere: BTreeSet::new(),
        };
        for name in names {
            let own = dataset.devices_named(name);
            let named = |other: &Dataset| -> Vec<String> {
                let positions = other.devices_named(name).into_iter();
                positions.map(|position| other.devices[position].id.clone()).collect()
            };
            let elsewhere: Vec<String> = others.iter().flat_map(named).collect();
            if own.is_empty() && elsewhere.is_empty() {
                let known: BTreeSet<String> = std::iter::once(dataset).chain(others).flat_map(ids).collect();
                return Err(unknown_device(name, known.into_iter().collect()));
            }
            chosen.own.extend(
                own.into_iter()
                    .filter(|device| !chosen.own.contains(device))
                    .collect::<Vec<usize>>(),
            );
            chosen.elsewhere.extend(elsewhere);
        }
        Ok(chosen)
    }
}
