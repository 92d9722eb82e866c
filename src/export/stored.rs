//! Trained weights: the tensors of a file under the names that a space's reference implementation gives them.

use std::collections::BTreeSet;
use std::path::Path;

use super::parameters::{Normalization, Parameters, has_bias, is_normalized, learns, weight_dims};
use super::tensor_file::TensorFile;
use crate::error::Result;
use crate::space::{Layer, LayerNames, Network};

/// Names that a message lists.
const SHOWN: usize = 6;
/// Characters of a name that a message shows.
const SHOWN_CHARACTERS: usize = 80;

/// What a file gave.
pub(super) struct Stored {
    /// Of the layers that learn, in order.
    pub(super) parameters: Vec<Parameters>,
    /// Tensors beside those of the network.
    pub(super) unused: Vec<String>,
}

/// Reads the parameters of every layer that learns; `names` are theirs, in order, and may hold further layers that the network
/// does not need.
///
/// # Errors
/// [`crate::error::Error::Malformed`] naming the tensors that are missing, the first one that does not fit, or those of layers
/// that the architecture does not have.
pub(super) fn read(path: &Path, names: &[LayerNames], network: &Network) -> Result<Stored> {
    let file = TensorFile::open(path)?;
    let layers: Vec<&Layer> = network
        .nodes()
        .map(|node| node.layer)
        .filter(|layer| learns(layer))
        .collect();
    let live: Vec<&LayerNames> = names.iter().filter(|names| !names.dead).collect();
    let wanted: Vec<Wanted> = layers
        .iter()
        .zip(&live)
        .map(|(layer, names)| Wanted::new(layer, names))
        .collect();
    let all = || wanted.iter().flat_map(Wanted::tensors);
    let prefix = all().next().map_or(String::new(), |(name, _)| prefix(&file, name));
    let missing: Vec<&str> = (all().map(|(name, _)| name.as_str()))
        .filter(|name| file.shape(&format!("{prefix}{name}")).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(file.wrong(
            "",
            &format!("the {} tensors of the architecture", all().count()),
            &format!("none called {}", name_list(&missing)),
        ));
    }
    let mut parameters = Vec::new();
    for layer in &wanted {
        parameters.push(layer.parameters(&file, &prefix)?);
    }
    let unused = unused(&file, names, &prefix)?;
    Ok(Stored { parameters, unused })
}

/// The tensors that no layer of the architecture has, even as written.
///
/// # Errors
/// [`crate::error::Error::Malformed`] where they belong to modules that the network has: then it is another architecture that
/// was trained.
fn unused(file: &TensorFile, names: &[LayerNames], prefix: &str) -> Result<Vec<String>> {
    let known: BTreeSet<String> = names
        .iter()
        .flat_map(LayerNames::tensors)
        .map(|name| format!("{prefix}{name}"))
        .collect();
    let module = |name: &str| -> Option<String> {
        let name = name.strip_prefix(prefix)?;
        Some(name.split('.').next().unwrap_or(name).to_string())
    };
    let modules: BTreeSet<String> = known.iter().filter_map(|name| module(name)).collect();
    let of_module = |name: &str| module(name).is_some_and(|module| modules.contains(&module));
    let unused = file.names().filter(|&name| !known.contains(name));
    let (foreign, others): (Vec<&str>, Vec<&str>) = unused.partition(|name| of_module(name));
    if foreign.is_empty() {
        Ok(others.into_iter().map(str::to_string).collect())
    } else {
        let found = format!("others as well: {}", name_list(&foreign));
        Err(file.wrong("", "the tensors of the architecture", &found))
    }
}

/// What stands before all names, as before `stem.0.weight` in `state_dict.module.stem.0.weight`: whoever saved the weights may
/// have put them beside other things, or trained on several devices.
fn prefix(file: &TensorFile, first: &str) -> String {
    if file.shape(first).is_some() {
        return String::new();
    }
    let ending = format!(".{first}");
    let found = file.names().find_map(|name| name.strip_suffix(&ending));
    found.map_or(String::new(), |prefix| format!("{prefix}."))
}

/// So many names that a message stays short.
pub(crate) fn name_list<T: AsRef<str>>(names: &[T]) -> String {
    let short = |name: &T| name.as_ref().chars().take(SHOWN_CHARACTERS).collect::<String>();
    let shown: Vec<String> = names.iter().take(SHOWN).map(short).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The tensors of one layer by what they are, with the shapes that they have to have.
struct Wanted {
    weight: Option<(String, Vec<usize>)>,
    bias: Option<(String, Vec<usize>)>,
    /// Scale, shift, mean, variance.
    normalization: Option<[(String, Vec<usize>); 4]>,
}

impl Wanted {
    fn new(layer: &Layer, names: &LayerNames) -> Wanted {
        let dims = weight_dims(layer);
        let channels = vec![layer.output.channels as usize];
        let of_weights = |part: &str| names.weights.as_ref().map(|module| format!("{module}.{part}"));
        let normalization = names.normalization.as_ref().filter(|_| is_normalized(layer));
        Wanted {
            weight: of_weights("weight").map(|name| (name, dims)),
            bias: of_weights("bias")
                .filter(|_| has_bias(layer))
                .map(|name| (name, channels.clone())),
            normalization: normalization
                .map(|module| LayerNames::NORMALIZATION.map(|part| (format!("{module}.{part}"), channels.clone()))),
        }
    }

    fn tensors(&self) -> impl Iterator<Item = &(String, Vec<usize>)> {
        let normalization = self.normalization.iter().flatten();
        self.weight.iter().chain(&self.bias).chain(normalization)
    }

    fn parameters(&self, file: &TensorFile, prefix: &str) -> Result<Parameters> {
        let read = |(name, dims): &(String, Vec<usize>)| {
            let name = format!("{prefix}{name}");
            let found = file.shape(&name).unwrap_or_default();
            if found != dims {
                return Err(file.wrong(&name, &format!("the shape {dims:?}"), &format!("{found:?}")));
            }
            file.values(&name)
        };
        let normalization = match &self.normalization {
            None => None,
            Some([scale, shift, mean, variance]) => {
                let values = read(variance)?;
                if values.iter().any(|&value| value < 0.0) {
                    return Err(file.wrong(&variance.0, "variances of at least 0", "negative ones"));
                }
                Some(Normalization {
                    scale: read(scale)?,
                    shift: read(shift)?,
                    mean: read(mean)?,
                    variance: values,
                })
            }
        };
        Ok(Parameters {
            weight: self.weight.as_ref().map(read).transpose()?.unwrap_or_default(),
            bias: self.bias.as_ref().map(read).transpose()?,
            normalization,
        })
    }
}
