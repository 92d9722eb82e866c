//! What did a predictor not learn that is missed later? Told when it was trained, not when somebody stands before an answer.

use std::collections::BTreeSet;

use super::Predictor;

/// Hardware units below which calibrated intervals rest on too few devices left out to be relied on.
const FEW_UNITS: usize = 6;
/// Hardware units below which none can be left out to calibrate intervals.
pub(super) const MIN_CALIBRATION_UNITS: usize = 3;

/// Something that a predictor lacks, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shortcoming {
    /// No accuracies were learned.
    #[error("without accuracies it predicts latency and energy only, and chooses no designs; accuracy.csv holds them")]
    NoAccuracies,
    /// Devices of which nothing is said but their ids.
    #[error(
        "without datasheets of {} in devices.csv, a new device is not known to be like them: wide intervals until \
         it is measured", .devices.join(", ")
    )]
    NoDatasheets {
        /// Their ids.
        devices: Vec<String>,
    },
    /// Too few hardware units to leave any out.
    #[error(
        "{units} hardware units are too few to calibrate intervals of new devices, which takes {MIN_CALIBRATION_UNITS}: \
         they may be too narrow or too wide"
    )]
    Uncalibrated {
        /// How many.
        units: usize,
    },
    /// Few hardware units.
    #[error("intervals of new devices are calibrated on {units} hardware units only: expect them to be off for some")]
    FewUnits {
        /// How many.
        units: usize,
    },
}

impl Predictor {
    /// What it lacks for what comes later.
    pub fn shortcomings(&self) -> Vec<Shortcoming> {
        let mut found = Vec::new();
        if self.accuracy.is_none() {
            found.push(Shortcoming::NoAccuracies);
        }
        let devices = self.without_datasheet();
        if !devices.is_empty() {
            found.push(Shortcoming::NoDatasheets { devices });
        }
        // Intervals are calibrated once, in training.
        let known = self.metrics.latency().prior.known.iter();
        let trained = known.filter(|device| device.output.is_some());
        let units: BTreeSet<&str> = trained.map(|device| device.unit.as_str()).collect();
        match units.len() {
            units if units < MIN_CALIBRATION_UNITS => found.push(Shortcoming::Uncalibrated { units }),
            units if units < FEW_UNITS => found.push(Shortcoming::FewUnits { units }),
            _ => {}
        }
        found
    }

    fn without_datasheet(&self) -> Vec<String> {
        let known = &self.metrics.latency().prior.known;
        let unknown = known.iter().filter(|device| device.datasheet.is_unknown());
        unknown.map(|device| device.id.clone()).collect()
    }
}
