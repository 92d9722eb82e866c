//! Writes a dataset folder; its files change together.

use std::io;
use std::path::Path;

use super::Dataset;
use super::devices::{DEVICES_FILE, write_devices};
use super::manifest::{MANIFEST_FILE, Manifest};
use super::read::{ACCURACY_COLUMNS, ACCURACY_FILE, MEASUREMENT_COLUMNS, MEASUREMENTS_FILE};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::files::{LockedFolder, hexadecimal};
use crate::metric::Metric;

impl Dataset {
    /// Writes the four files of a dataset folder, making the folder if there is none. `manifest` names the space of
    /// this dataset. A dataset that was there before is replaced as a whole, and untouched on failure.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) naming the file; [`Error::Locked`](crate::error::Error::Locked) for a folder
    /// that another process writes to.
    pub fn write(&self, folder: &Path, manifest: &Manifest) -> Result<()> {
        self.write_to(&LockedFolder::open(folder)?, manifest)
    }

    /// As [`Dataset::write`], to a folder that was locked before what it held was read.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) naming the file.
    pub fn write_to(&self, folder: &LockedFolder, manifest: &Manifest) -> Result<()> {
        let architectures: Vec<String> = self
            .architectures
            .iter()
            .map(|architecture| self.space.print(architecture))
            .collect();
        let mut files = folder.replacement();
        files.add(MANIFEST_FILE, |out| {
            let text = toml::to_string_pretty(manifest).map_err(io::Error::other)?;
            out.write_all(text.as_bytes())
        })?;
        files.add(DEVICES_FILE, |out| write_devices(&self.devices, out))?;
        files.add(MEASUREMENTS_FILE, |out| self.write_measurements(&architectures, out))?;
        files.add(ACCURACY_FILE, |out| self.write_accuracies(&architectures, out))?;
        files.commit()
    }

    /// A hash of everything in it, in hexadecimal: another dataset has another one.
    pub fn digest(&self) -> String {
        let architectures: Vec<String> = self.architectures.iter().map(|one| self.space.print(one)).collect();
        let mut hash = Sha256::new();
        let hashed = write_devices(&self.devices, &mut hash)
            .and_then(|()| self.write_measurements(&architectures, &mut hash))
            .and_then(|()| self.write_accuracies(&architectures, &mut hash));
        // A hash takes whatever is written to it.
        debug_assert!(hashed.is_ok(), "{hashed:?}");
        hexadecimal(&hash.finalize())
    }

    fn write_measurements(&self, architectures: &[String], out: &mut dyn io::Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(MEASUREMENT_COLUMNS)?;
        for row in &self.measurements {
            writer.write_field(&self.devices[row.device as usize].id)?;
            writer.write_field(&architectures[row.architecture as usize])?;
            writer.write_field(row.precision.to_string())?;
            let architecture = &self.architectures[row.architecture as usize];
            let input = self.space.input(architecture, self.inputs[usize::from(row.input)]);
            writer.write_field(input.to_string())?;
            for metric in Metric::OF_DEVICE {
                writer.write_field(cell(row.value(metric)))?;
            }
            writer.write_field(row.origin.name())?;
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    }

    fn write_accuracies(&self, architectures: &[String], out: &mut dyn io::Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(ACCURACY_COLUMNS)?;
        for row in &self.accuracies {
            writer.write_record([
                self.tasks[usize::from(row.task)].as_str(),
                &architectures[row.architecture as usize],
                &row.precision.to_string(),
                &row.accuracy_percent.to_string(),
                row.origin.name(),
            ])?;
        }
        writer.flush()
    }
}

fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
