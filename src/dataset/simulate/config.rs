//! What to simulate: a TOML such as `configs/fleet.toml`.

use std::path::Path;

use serde::Deserialize;

use crate::dataset::{Manifest, Origin, Source};
use crate::device::{Device, catalogue, read_toml as read_device};
use crate::error::{Error, Result};
use crate::files::read_configuration;
use crate::seed::Seed;
use crate::space::{self, InputSize, SearchSpace};

/// A fleet to simulate, checked.
pub struct FleetConfig {
    /// The space of the architectures.
    pub space: &'static dyn SearchSpace,
    /// The devices; none for accuracies alone.
    pub devices: Vec<Device>,
    /// Distinct architectures drawn for measuring.
    pub architectures: usize,
    /// Of these, how many each device gets; every device draws its own.
    pub architectures_per_device: usize,
    /// Input sizes to measure at.
    pub inputs: Vec<InputSize>,
    /// Outputs of the classifier.
    pub classes: u32,
    /// Standard deviation of the logarithm of the factor that measuring puts on a latency.
    pub latency_noise: f64,
    /// The same for energy.
    pub energy_noise: f64,
    /// The seed of every draw.
    pub seed: Seed,
    /// The simulated task, if any.
    pub accuracy: Option<AccuracyConfig>,
}

/// A simulated task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccuracyConfig {
    /// Its name; has to say that it is simulated.
    pub task: String,
    /// Distinct architectures that get an accuracy; the measured ones come first among them.
    pub architectures: usize,
    /// Standard deviation of the noise, in percentage points.
    pub noise_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    space: String,
    devices: Devices,
    architectures: usize,
    architectures_per_device: Option<usize>,
    inputs: Option<Vec<String>>,
    #[serde(default = "default_classes")]
    classes: u32,
    #[serde(default)]
    latency_noise: f64,
    #[serde(default)]
    energy_noise: f64,
    seed: u64,
    accuracy: Option<AccuracyConfig>,
}

/// `devices = "all"`, or a list of ids, units with one setting, and device files; an empty one for accuracies alone.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Devices {
    Word(String),
    List(Vec<String>),
}

fn default_classes() -> u32 {
    100
}

/// The input unless a configuration says otherwise.
const SMALL_INPUT: InputSize = InputSize::square(32);
/// Most architectures in spaces that cannot be listed.
const MAX_ARCHITECTURES: usize = 1_000_000;
/// Most rows: about 600 MB in memory.
const MAX_ROWS: usize = 5_000_000;
/// Most characters of a task's name.
const MAX_TASK: usize = 100;
/// Noise beyond this is no measuring noise: a factor of 1.6 either way is common at it.
const MAX_NOISE: f64 = 0.5;

impl FleetConfig {
    /// Reads and checks a configuration. Device files are looked for beside it.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Configuration`] for the file, with the nearest known key for an unknown one;
    /// [`Error::Unknown`] and [`Error::Invalid`] for its values.
    pub fn read(path: &Path) -> Result<FleetConfig> {
        let folder = path.parent().unwrap_or(Path::new("."));
        read_configuration::<Raw>(path)?.check(folder)
    }

    /// What the dataset says about itself.
    pub fn manifest(&self) -> Manifest {
        let note = "a formula of the architecture's shape and noise: no network was trained";
        let tasks = self
            .accuracy
            .iter()
            .map(|accuracy| (accuracy.task.clone(), note.into()))
            .collect();
        Manifest {
            space: self.space.id().into(),
            description: match self.devices.len() {
                0 => "Simulated accuracies. Nothing in it was measured.".into(),
                devices => format!("A simulated fleet of {devices} devices. Nothing in it was measured."),
            },
            origin: Origin::Simulated,
            input: self
                .inputs
                .first()
                .filter(|_| !self.space.resolution_is_a_gene())
                .map(ToString::to_string),
            tasks,
            sources: vec![Source {
                name: "edgefit's simulator".into(),
                url: String::new(),
                licence: "MIT OR Apache-2.0".into(),
                measured: self.provenance(),
            }],
        }
    }

    fn provenance(&self) -> String {
        if self.devices.is_empty() {
            return format!("Simulated accuracies, seed {}.", self.seed.0);
        }
        format!(
            "Simulated from datasheets: a roofline with overheads, log-normal noise of {} on latency and {} on energy, \
             seed {}.",
            self.latency_noise, self.energy_noise, self.seed.0
        )
    }
}

impl Raw {
    fn check(self, folder: &Path) -> Result<FleetConfig> {
        let space = space::by_id(&self.space)?;
        let per_device = self.architectures_per_device.unwrap_or(self.architectures);
        let most = space.enumerable().map_or(MAX_ARCHITECTURES, |listed| listed.size());
        within("architectures", self.architectures, 1, most)?;
        within("architectures-per-device", per_device, 1, self.architectures)?;
        within("classes", self.classes, 2, 100_000)?;
        within("latency-noise", self.latency_noise, 0.0, MAX_NOISE)?;
        within("energy-noise", self.energy_noise, 0.0, MAX_NOISE)?;
        if let Some(accuracy) = &self.accuracy {
            within("accuracy.architectures", accuracy.architectures, 1, most)?;
            within("accuracy.noise-percent", accuracy.noise_percent, 0.0, 20.0)?;
            named_simulated(&accuracy.task)?;
        }
        let inputs = inputs(space, self.inputs.as_deref())?;
        let devices = self.devices.resolve(folder)?;
        if devices.is_empty() && self.accuracy.is_none() {
            return Err(invalid(
                "devices",
                "at least one device, or accuracies without any",
                "none",
            ));
        }
        let rows = devices.len() * inputs.len();
        if rows.saturating_mul(per_device) > MAX_ROWS {
            return Err(invalid(
                "architectures-per-device",
                &format!("at most {MAX_ROWS} rows"),
                &format!(
                    "{per_device} for each of {} devices at {} input sizes",
                    devices.len(),
                    inputs.len()
                ),
            ));
        }
        Ok(FleetConfig {
            space,
            devices,
            architectures: self.architectures,
            architectures_per_device: per_device,
            inputs,
            classes: self.classes,
            latency_noise: self.latency_noise,
            energy_noise: self.energy_noise,
            seed: Seed(self.seed),
            accuracy: self.accuracy,
        })
    }
}

impl Devices {
    fn resolve(&self, folder: &Path) -> Result<Vec<Device>> {
        let devices: Vec<Device> = match self {
            Devices::Word(word) if word == "all" => catalogue::all()?,
            Devices::Word(word) => vec![device(word, folder)?],
            Devices::List(names) => names.iter().map(|name| device(name, folder)).collect::<Result<_>>()?,
        };
        let repeated = devices
            .iter()
            .enumerate()
            .find(|(position, device)| devices[..*position].iter().any(|other| other.id == device.id));
        match repeated {
            None => Ok(devices),
            Some((_, device)) => Err(invalid(
                "devices",
                "every device once",
                &format!("`{}` twice", device.id),
            )),
        }
    }
}

fn device(name: &str, folder: &Path) -> Result<Device> {
    if name.ends_with(".toml") {
        read_device(&folder.join(name))
    } else {
        catalogue::find(name)
    }
}

/// Reads the input sizes, which nobody chooses where the resolution is a gene.
fn inputs(space: &dyn SearchSpace, texts: Option<&[String]>) -> Result<Vec<InputSize>> {
    let Some(texts) = texts else {
        let usual = if space.resolution_is_a_gene() {
            space.default_input()
        } else {
            SMALL_INPUT
        };
        return Ok(vec![usual]);
    };
    if space.resolution_is_a_gene() {
        let expected = format!(
            "none, since the networks of {} have resolutions of their own",
            space.id()
        );
        return Err(invalid("inputs", &expected, &texts.join(", ")));
    }
    let inputs: Vec<InputSize> = texts.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    let repeated = (1..inputs.len()).find(|&position| inputs[..position].contains(&inputs[position]));
    match repeated {
        None if inputs.is_empty() => Err(invalid("inputs", "at least one input size", "none")),
        None => Ok(inputs),
        Some(position) => {
            let found = format!("`{}` twice", inputs[position]);
            Err(invalid("inputs", "every input size once", &found))
        }
    }
}

fn named_simulated(task: &str) -> Result<()> {
    if task.contains("simulated") && task.chars().count() <= MAX_TASK && !task.contains(char::is_control) {
        return Ok(());
    }
    let shown: String = task.chars().take(MAX_TASK).collect();
    Err(invalid(
        "accuracy.task",
        &format!("a name with `simulated` in it, of at most {MAX_TASK} characters"),
        &format!("`{}`", shown.escape_debug()),
    ))
}

fn within<T: PartialOrd + std::fmt::Display>(key: &str, value: T, low: T, high: T) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(invalid(key, &format!("{low} to {high}"), &value.to_string()))
}

fn invalid(key: &str, expected: &str, found: &str) -> Error {
    Error::Invalid {
        what: format!("fleet configuration, `{key}`"),
        expected: expected.into(),
        found: found.into(),
        hint: "See `configs/fleet.toml` for an example.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FleetConfig> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.toml"), "id = \"own\"\nclass = \"gpu\"\n").unwrap();
        let path = folder.path().join("fleet.toml");
        std::fs::write(&path, text).unwrap();
        FleetConfig::read(&path)
    }

    fn refused(text: &str) -> String {
        read(text).err().unwrap().to_string()
    }

    const BASE: &str = "space = \"nasbench201\"\narchitectures = 10\nseed = 1\n";

    #[test]
    fn defaults_and_devices() {
        let config = read(&format!("{BASE}devices = [\"raspi4\", \"own.toml\", \"zc706\"]\n")).unwrap();
        let ids: Vec<_> = config.devices.iter().map(|device| device.id.as_str()).collect();
        assert_eq!(ids, ["raspi4", "own", "fpga"]);
        assert_eq!((config.architectures_per_device, config.classes), (10, 100));
        assert!(read(&format!("{BASE}devices = \"all\"\n")).unwrap().devices.len() > 40);
    }

    /// Counts that would fill the memory are refused before anything is drawn.
    #[test]
    fn sizes_are_bounded() {
        let fleet = |architectures: &str| {
            format!("space = \"fbnet\"\narchitectures = {architectures}\nseed = 1\ndevices = \"all\"\n")
        };
        assert!(refused(&fleet("9223372036854775807")).contains("1 to 1000000"));
        // More than forty devices with a million rows each.
        assert!(refused(&fleet("1000000")).contains("at most 5000000 rows"));
        assert!(read(&fleet("10000")).is_ok());
        let accuracy = "[accuracy]\ntask = \"simulated\"\narchitectures = 2000000\nnoise-percent = 0\n";
        assert!(refused(&(fleet("10") + accuracy)).contains("1 to 1000000"));
        let task = "simulated".repeat(20);
        let accuracy = format!("[accuracy]\ntask = \"{task}\"\narchitectures = 5\nnoise-percent = 0\n");
        assert!(refused(&(fleet("10") + &accuracy)).contains("at most 100 characters"));
    }

    #[test]
    fn mistakes_are_named() {
        let list = "devices = [\"raspi4\"]\n";
        assert!(refused(&format!("{BASE}{list}latency-nois = 0.1\n")).contains("did you mean `latency-noise`?"));
        assert!(refused(&format!("{BASE}devices = [\"raspi9\"]\n")).contains("did you mean `raspi"));
        assert!(refused(&format!("{BASE}devices = [\"fpga\", \"zc706\"]\n")).contains("`fpga` twice"));
        assert!(refused(&format!("{BASE}{list}latency-noise = nan\n")).contains("NaN"));
        assert!(refused(&format!("{BASE}{list}architectures-per-device = 11\n")).contains("1 to 10"));
        for (wrong, message) in [
            ("inputs = []", "at least one input size"),
            ("inputs = [\"32x32\", \"32x32\"]", "`32x32` twice"),
            ("inputs = [\"32x4294967295\"]", "each 1 to 16384 pixels"),
            ("inputs = [\"0x32\"]", "each 1 to 16384 pixels"),
            ("classes = 4294967295", "2 to 100000"),
        ] {
            let found = refused(&format!("{BASE}{list}{wrong}\n"));
            assert!(found.contains(message), "{found}");
        }
        assert!(refused(&format!("{BASE}devices = []\n")).contains("at least one device"));
        let alone = "devices = []\n[accuracy]\ntask = \"simulated\"\narchitectures = 5\nnoise-percent = 0\n";
        assert!(read(&format!("{BASE}{alone}")).unwrap().devices.is_empty());
        let accuracy = "[accuracy]\ntask = \"cifar100\"\narchitectures = 5\nnoise-percent = 0\n";
        assert!(refused(&format!("{BASE}{list}{accuracy}")).contains("`simulated`"));
    }
}
