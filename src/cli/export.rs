//! `edgefit export`: a design as a file that runtimes run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::Global;
use super::device::read_text;
use crate::error::{Error, Result};
use crate::export::{FloatLayers, Images, Weights, name_list, onnx_keeping_float, opset};
use crate::files::FileKind;
use crate::predict::printed_designs;
use crate::space::{Design, InputSize, Network, Precision, QuantPolicy, SearchSpace, all, by_id};

/// Characters of a design that a message shows.
const SHOWN_CHARACTERS: usize = 80;
/// Most inputs of a batch.
const MAX_BATCH: i64 = 4096;
/// Most classes of a network.
const MAX_CLASSES: i64 = 1 << 20;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["design", "from"]))]
pub(crate) struct ExportArgs {
    /// Design: an architecture, or architecture@precision
    #[arg(long)]
    design: Option<String>,
    /// What `edgefit design --format json` printed, of which the first design is taken; - for stdin
    #[arg(long)]
    from: Option<PathBuf>,
    /// Search space, such as mobilenet_v3 [default: the first whose notation the architecture is in]
    #[arg(long)]
    space: Option<String>,
    /// Size of the input, such as 32x32 [default: that of the space, or of the architecture where resolution is a choice]
    #[arg(long)]
    input: Option<InputSize>,
    /// Number of classes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MAX_CLASSES))]
    classes: u32,
    /// Inputs that are computed at once, fixed in the file
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH))]
    batch: u32,
    /// Precision: fp32, fp16, int8, int4 (weights alone), or int8-except- with depthwise, first or last [default: that of the design,
    /// else fp32]
    #[arg(long)]
    precision: Option<QuantPolicy>,
    /// Layers that stay in fp32 where the rest is int8, as runtimes keep those that lose most: depthwise, first, last, or their
    /// numbers among the convolutions and fully connected layers, from 1, separated by commas
    #[arg(long, value_name = "LAYERS")]
    keep_float: Option<FloatLayers>,
    /// Trained weights: safetensors, or a state_dict that PyTorch saved, with the names of the space's reference implementation;
    /// for mobilenet_v3, mobilenet_v3_w1.2 and proxylessnas also those of the once-for-all supernet, of which the design's part
    /// is taken [default: random ones]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Images to take the statistics of batch normalisation from anew, which parts of a supernet need: the one tensor [images, 3,
    /// height, width] of a safetensors file or of what PyTorch saved of {"images": tensor}, prepared as for training
    #[arg(long, value_name = "IMAGES", requires = "weights")]
    recalibrate: Option<PathBuf>,
    /// File to write; - for stdout
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(args: &ExportArgs, global: &Global) -> Result<ExitCode> {
    global.check_out(&args.out, FileKind::Network)?;
    let (space, mut design) = args.design(global)?;
    if let Some(precision) = args.precision {
        design.policy = precision;
    }
    let input = args.input(space, &design)?;
    let network = space.lower(&design.architecture, input, args.classes);
    let weights = args.weights(space, &design, &network, global)?;
    let mut float_layers = args.keep_float.clone().unwrap_or_default();
    if let QuantPolicy::Int8Except(groups) = design.policy {
        float_layers = float_layers.with(groups);
    }
    let file = onnx_keeping_float(&network, design.policy, &weights, args.batch, &float_layers)?;
    if !network.output_depends_on_input() {
        global.say("note: the output of this network does not depend on its input");
    }
    let written = format!(
        "wrote {}: {}",
        args.out.display(),
        description(&network, &design, space, input, file.len())
    );
    global.write_out(&args.out, &file, &written)?;
    if !float_layers.is_empty() {
        let (kept, layers) = float_layers.count(&network)?;
        global.say(format!("note: {kept} of {layers} layers with weights stay in fp32"));
    }
    say_about(&weights, &design, global);
    Ok(ExitCode::SUCCESS)
}

/// What is to be known of weights in a file.
fn say_about(weights: &Weights, design: &Design, global: &Global) {
    if weights.are_random() {
        global.say(format!(
            "note: its weights are random, of seed {}: they show how fast the network is, not how accurate",
            global.seed
        ));
    }
    if !weights.are_random() && design.policy.arithmetic() == Precision::Int8 {
        global.say(
            "note: the ranges of its feature maps are those for random images; where accuracy counts, calibrate it with real ones",
        );
    }
    if !weights.unused().is_empty() {
        global.say(format!(
            "note: the file holds other tensors as well: {}",
            name_list(weights.unused())
        ));
    }
    if weights.are_of_supernet() {
        global.say(
            "note: its weights are parts of a supernet's, with statistics of batch normalisation from other architectures: \
             --recalibrate takes them anew from images, without which accuracy suffers",
        );
    }
}

/// What a file holds.
fn description(network: &Network, design: &Design, space: &dyn SearchSpace, input: InputSize, bytes: usize) -> String {
    let millions = |count: u64| count as f64 / 1e6;
    // Bits of layers say nothing in a file of floating-point numbers.
    let shown = match design.policy {
        QuantPolicy::Uniform(Precision::Int8) => design.quantization(space),
        policy => policy.to_string(),
    };
    format!(
        "{:.2} MiB, {}, opset {}, input {input}, {:.1} M multiply-accumulate operations, {:.2} M parameters",
        bytes as f64 / f64::from(1 << 20),
        shown,
        opset(design.policy),
        millions(network.macs()),
        millions(network.parameters())
    )
}

impl ExportArgs {
    /// The input that the design runs on.
    fn input(&self, space: &dyn SearchSpace, design: &Design) -> Result<InputSize> {
        let own = space.input(
            &design.architecture,
            self.input.unwrap_or_else(|| space.default_input()),
        );
        match self.input {
            Some(asked) if asked != own => Err(Error::Invalid {
                what: "input size".into(),
                expected: format!("{own}, the resolution of the architecture"),
                found: asked.to_string(),
                hint: "Leave the input size out, or change the resolution in the architecture.".into(),
            }),
            _ => Ok(own),
        }
    }

    /// The weights of the design's network.
    fn weights(&self, space: &dyn SearchSpace, design: &Design, network: &Network, global: &Global) -> Result<Weights> {
        let Some(path) = &self.weights else {
            return Ok(Weights::seeded(global.seed));
        };
        let weights = Weights::read(path, space, &design.architecture, network)?;
        match &self.recalibrate {
            Some(path) => {
                let images = Images::read(path)?;
                global.say(format!(
                    "taking statistics of batch normalisation from {} images",
                    images.count()
                ));
                weights.recalibrated(network, &images)
            }
            None => Ok(weights),
        }
    }

    /// The design that is asked for, and its space.
    fn design(&self, global: &Global) -> Result<(&'static dyn SearchSpace, Design)> {
        let text = match (&self.design, &self.from) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => first_design(path)?,
            // The parser asks for one of them.
            (None, None) => String::new(),
        };
        let read = |space: &'static dyn SearchSpace| Ok((space, Design::parse(&text, space, Precision::Fp32.into())?));
        if let Some(id) = &self.space {
            return read(by_id(id)?);
        }
        let whole = |space: &&dyn SearchSpace| Design::parse(&text, *space, Precision::Fp32.into()).is_ok();
        // A precision that does not exist is no reason to look for another space.
        let architecture = text
            .rsplit_once('@')
            .map_or(text.as_str(), |(architecture, _)| architecture);
        let alone = |space: &&dyn SearchSpace| space.parse(architecture).is_ok();
        let mut fitting: Vec<&'static dyn SearchSpace> = all().into_iter().filter(whole).collect();
        if fitting.is_empty() {
            fitting = all().into_iter().filter(alone).collect();
        }
        match fitting[..] {
            [space] => read(space),
            [space, other, ..] => {
                global.say(format!(
                    "note: the architecture is taken to be of {}; {} writes its architectures in the same way, and --space names one",
                    space.id(),
                    other.id()
                ));
                read(space)
            }
            [] => Err(Error::Invalid {
                what: "design".into(),
                expected: format!(
                    "an architecture in the notation of {}",
                    all().map(SearchSpace::id).join(" or ")
                ),
                found: format!("`{}`", text.chars().take(SHOWN_CHARACTERS).collect::<String>()),
                hint: "Name its space to be told what is wrong with it.".into(),
            }),
        }
    }
}

/// The first design of a file, as a string.
fn first_design(path: &Path) -> Result<String> {
    let designs = printed_designs(&read_text(&path.to_string_lossy())?, path)?;
    designs.into_iter().next().ok_or_else(|| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "at least one design".into(),
        found: "an empty list".into(),
        hint: "Write them with `edgefit design --format json`.".into(),
    })
}
