//! The devices that a command is about, and the architectures.

use std::io::Read;
use std::path::Path;

use clap::Args;

use super::Global;
use crate::advisor::Advisor;
use crate::dataset::Dataset;
use crate::device::read_toml_at;
use crate::error::{Error, Result};
use crate::evaluate::devices::choose_devices;
use crate::files::read_bounded;
use crate::predict::{DeviceModel, Knowledge, Predictor, architecture_list, design_list};
use crate::space::{Architecture, Design, InputSize, QuantPolicy, SearchSpace};

/// Largest list of architectures that is read, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// What some editors begin a text in UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The device called `name`, with a note where nothing was measured on it, and the advisor at the input size of its probes.
pub(crate) fn resolve(name: &str, advisor: Advisor, global: &Global) -> Result<(Advisor, DeviceModel)> {
    let advisor = at_input_of(name, advisor);
    let device = device(name, &advisor, global)?;
    Ok((advisor, device))
}

/// The device called `name`, with a note where nothing was measured on it.
fn device(name: &str, advisor: &Advisor, global: &Global) -> Result<DeviceModel> {
    let device = advisor.device(name)?;
    if device.knowledge == Knowledge::Prior {
        let from = match advisor.datasheet(name)?.class {
            Some(_) => "its datasheet",
            None => "what the known devices have in common, since its datasheet names no class",
        };
        global.say(format!(
            "note: nothing was measured on {}, so its predictions follow from {from}, with wide intervals; measure a few \
             architectures (`edgefit probes`) and run `edgefit adapt`",
            device.id
        ));
    }
    if let Some(measured) = advisor.predictor().measured_at(&device.id) {
        global.say(format!(
            "note: {} was measured at {measured}; what is said of {} is predicted from that and from its specifications, with wide \
             intervals",
            device.id, device.precision
        ));
    }
    Ok(device)
}

/// Settings of one machine.
#[derive(Debug, Args)]
pub(crate) struct SettingArgs {
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json); several settings of one machine, separated by commas, are
    /// answered for together, and the better design is taken
    #[arg(long = "device", required = true, value_delimiter = ',')]
    names: Vec<String>,
    /// Precisions to answer for, such as fp32,int8: where no device named is in one, it is predicted from the first that is in one
    /// everywhere, and its specifications [default: those of the devices]
    #[arg(long, value_delimiter = ',')]
    precisions: Vec<QuantPolicy>,
}

impl SettingArgs {
    /// The settings, with notes as of [`resolve`], and the advisor at the input size of the first.
    pub(crate) fn resolve(&self, advisor: Advisor, global: &Global) -> Result<(Advisor, Vec<DeviceModel>)> {
        let mut advisor = advisor;
        let mut named = Vec::new();
        for (position, name) in self.names.iter().enumerate() {
            if position == 0 {
                advisor = at_input_of(name, advisor);
            }
            named.push(device(name, &advisor, global)?);
        }
        if self.precisions.is_empty() {
            return Ok((advisor, named));
        }
        let mut settings: Vec<DeviceModel> = Vec::new();
        for (position, &precision) in self.precisions.iter().enumerate() {
            if self.precisions[..position].contains(&precision) {
                continue;
            }
            let at_precision = named.iter().filter(|one| one.precision == precision);
            let before = settings.len();
            settings.extend(at_precision.cloned());
            if settings.len() == before {
                settings.push(self.predicted(&named, precision, &advisor, global)?);
            }
        }
        Ok((advisor, settings))
    }

    /// The first of the devices that is in one precision everywhere, in another one.
    fn predicted(
        &self,
        named: &[DeviceModel],
        policy: QuantPolicy,
        advisor: &Advisor,
        global: &Global,
    ) -> Result<DeviceModel> {
        let is_uniform = |device: &DeviceModel| matches!(device.precision, QuantPolicy::Uniform(_));
        let position = named.iter().position(is_uniform).unwrap_or_default();
        let first = &named[position];
        let path = self.names.get(position).filter(|name| name.ends_with(".toml"));
        let peak = match (policy, path) {
            (QuantPolicy::Uniform(precision), Some(path)) => {
                // Refused before the file is asked for a peak that it does not have.
                first.datasheet.at_precision(precision)?;
                read_toml_at(Path::new(path), policy)?.peak_gflops
            }
            _ => None,
        };
        let setting = advisor.at_precision(first, policy, peak)?;
        if setting.knowledge == Knowledge::Specifications {
            global.say(format!(
                "note: {} was measured at {}; what is said of {policy} is predicted from that and from its specifications, with wide \
                 intervals",
                first.id, first.precision
            ));
        }
        Ok(setting)
    }
}

/// The advisor at the input size that a device was probed at, where `name` is that of its file.
pub(crate) fn at_input_of(name: &str, advisor: Advisor) -> Advisor {
    let is_file = name.ends_with(".json");
    let input = is_file
        .then(|| DeviceModel::input_in(Path::new(name), advisor.space()))
        .flatten();
    match input {
        Some(input) => advisor.at_input(input),
        None => advisor,
    }
}

/// The advisor at an input size that the user chose.
pub(crate) fn at_chosen_input(advisor: Advisor, input: Option<InputSize>) -> Result<Advisor> {
    match input {
        Some(given) if advisor.space().resolution_is_a_gene() => Err(own_resolutions(advisor.space(), given)),
        Some(given) => Ok(advisor.at_input(given)),
        None => Ok(advisor),
    }
}

/// An input size was given where architectures say theirs.
pub(crate) fn own_resolutions(space: &dyn SearchSpace, given: InputSize) -> Error {
    Error::Invalid {
        what: "input size".into(),
        expected: format!(
            "none, since the networks of {} have resolutions of their own",
            space.id()
        ),
        found: given.to_string(),
        hint: "Leave it out, or change the resolutions of the architectures.".into(),
    }
}

/// The devices to score, with a warning about those that the checkpoint was trained on.
pub(crate) fn unseen(
    predictor: &Predictor,
    dataset: &Dataset,
    names: &[String],
    trust_units: bool,
    global: &Global,
) -> Result<Vec<usize>> {
    let chosen = choose_devices(predictor, dataset, names)?;
    if !trust_units {
        dataset.check_units(&chosen.devices)?;
    }
    for id in &chosen.known {
        global.say(format!(
            "warning: the checkpoint was trained on {id}; its scores say nothing about unseen devices"
        ));
    }
    Ok(chosen.devices)
}

/// Reads architectures, one per line, from a file or, for `-`, from stdin. Empty lines are passed over; of a CSV file with
/// a column `architecture` that column is taken.
pub(crate) fn read_architectures(from: &str, space: &dyn SearchSpace) -> Result<Vec<Architecture>> {
    architecture_list(&read_text(from)?, Path::new(from), space)
}

/// As [`read_architectures`], of designs: architectures with or without a policy, or the JSON that designs are printed as.
pub(crate) fn read_designs(from: &str, space: &dyn SearchSpace, default: QuantPolicy) -> Result<Vec<Design>> {
    design_list(&read_text(from)?, Path::new(from), space, default)
}

/// The text of a file or, for `-`, of stdin, without the byte-order mark that some editors begin it with.
pub(crate) fn read_text(from: &str) -> Result<String> {
    let path = Path::new(from);
    let bytes = match from {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(MAX_FILE_BYTES)
                .read_to_end(&mut bytes)
                .map_err(Error::io("read", "stdin"))?;
            bytes
        }
        _ => read_bounded(path, MAX_FILE_BYTES)?,
    };
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::metric::Metric;
    use crate::predict::read_probes;
    use crate::space::{NasBench201, Precision};

    #[test]
    fn byte_order_marks_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells");
        let [one, other] = [1, 2].map(|gene| Architecture(vec![gene; 6]));
        let cells = [&one, &other].map(|cell| NasBench201.print(cell)).join("\n");
        for text in [&cells, &format!("architecture\n{cells}")] {
            fs::write(&path, format!("\u{feff}{text}\n")).unwrap();
            let read = read_architectures(&path.to_string_lossy(), &NasBench201).unwrap();
            assert_eq!(read, [one.clone(), other.clone()]);
        }
        let printed = format!(
            "\u{feff}[{{\"architecture\": \"{}\", \"quantization\": \"int8\"}}]",
            NasBench201.print(&one)
        );
        fs::write(&path, printed).unwrap();
        let read = read_designs(&path.to_string_lossy(), &NasBench201, Precision::Fp32.into()).unwrap();
        assert_eq!(read, [Design::uniform(one.clone(), Precision::Int8)]);
        let probes = format!("\u{feff}architecture,latency_ms\n{},1.5\n", NasBench201.print(&one));
        fs::write(&path, probes).unwrap();
        let read = read_probes(&path, &NasBench201, Precision::Fp32.into()).unwrap();
        assert_eq!(
            (&read[0].design.architecture, read[0].values.get(Metric::Latency)),
            (&one, Some(&1.5))
        );
    }
}
