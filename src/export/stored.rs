//! Trained weights: the tensors of a file under the names that a space's reference implementation gives them.

use std::collections::BTreeSet;
use std::path::Path;

use super::parameters::Parameters;
use super::supernet;
use super::tensor_file::TensorFile;
use super::wanted::{Wanted, WantedLayer};
use crate::error::Result;
use crate::space::{Architecture, LayerNames, Network, SearchSpace};

/// Names that a message lists.
const SHOWN: usize = 6;
/// Characters of a name that a message shows.
const SHOWN_CHARACTERS: usize = 80;

/// What a file gave.
#[derive(Debug)]
pub(super) struct Stored {
    /// Of the layers that learn, in order.
    pub(super) parameters: Vec<Parameters>,
    /// Tensors beside those that were looked for.
    pub(super) unused: Vec<String>,
    /// Whether the file holds a supernet, of which these are parts.
    pub(super) of_supernet: bool,
}

/// Reads the parameters of every layer of a network without dead nodes, which is that of an architecture: from a file of the
/// architecture alone or, where the space has one, from its supernet.
///
/// # Errors
/// [`crate::error::Error::Malformed`] naming the tensors that are missing, the first one that does not fit, or those of layers
/// that the architecture does not have.
pub(super) fn read(
    path: &Path,
    space: &dyn SearchSpace,
    architecture: &Architecture,
    network: &Network,
) -> Result<Stored> {
    let file = TensorFile::open(path)?;
    match space.supernet() {
        Some(space) if supernet::is_in(&file) => supernet::read(file, space, architecture, network),
        with_supernet => {
            let mut names = space.layer_names(architecture);
            if with_supernet.is_some() {
                supernet::spell_as_in(&file, &mut names);
            }
            let wanted = WantedLayer::all(network, &names);
            let tensors = Tensors::new(&file, &wanted)?;
            let of_layer =
                |layer: &WantedLayer| layer.parameters(space.normalization_epsilon(), |wanted| tensors.values(wanted));
            Ok(Stored {
                parameters: wanted.iter().map(of_layer).collect::<Result<_>>()?,
                unused: tensors.unused(names.iter().flat_map(LayerNames::tensors))?,
                of_supernet: false,
            })
        }
    }
}

/// The tensors of a file, all of which have something before their names, as before `stem.0.weight` in
/// `state_dict.module.stem.0.weight`: whoever saved the weights may have put them beside other things, or trained on several
/// devices.
pub(super) struct Tensors<'a> {
    file: &'a TensorFile,
    prefix: String,
}

impl<'a> Tensors<'a> {
    /// Checks that the file has all tensors of these layers, in whatever shape.
    ///
    /// # Errors
    /// [`crate::error::Error::Malformed`] naming those that it lacks.
    pub(super) fn new(file: &'a TensorFile, layers: &[WantedLayer]) -> Result<Tensors<'a>> {
        let all = || layers.iter().flat_map(WantedLayer::tensors);
        let prefix = all().next().map_or(String::new(), |first| prefix(file, &first.name));
        let missing: Vec<&str> = (all().map(|wanted| wanted.name.as_str()))
            .filter(|name| file.shape(&format!("{prefix}{name}")).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(Tensors { file, prefix });
        }
        Err(file.wrong(
            "",
            &format!("the {} tensors of the architecture", all().count()),
            &format!("none called {}", name_list(&missing)),
        ))
    }

    /// The elements of a tensor.
    ///
    /// # Errors
    /// [`crate::error::Error::Malformed`] naming the tensor that is missing, of another shape, of no finite numbers, or that
    /// holds variances below 0.
    pub(super) fn values(&self, wanted: &Wanted) -> Result<Vec<f32>> {
        let Wanted { name, dims } = wanted;
        let name = format!("{}{name}", self.prefix);
        let found = self.file.shape(&name);
        if found.is_some_and(|found| found != dims) {
            let found = format!("{:?}", found.unwrap_or_default());
            return Err(self.file.wrong(&name, &format!("the shape {dims:?}"), &found));
        }
        let values = self.file.values(&name)?;
        let [.., variance] = LayerNames::NORMALIZATION;
        if name.ends_with(variance) && values.iter().any(|&value| value < 0.0) {
            return Err(self.file.wrong(&name, "variances of at least 0", "negative ones"));
        }
        Ok(values)
    }

    /// The tensors that are not among the `known`.
    ///
    /// # Errors
    /// [`crate::error::Error::Malformed`] where they belong to modules that the network has: then it is another architecture
    /// that was trained.
    pub(super) fn unused(&self, known: impl Iterator<Item = String>) -> Result<Vec<String>> {
        let known: BTreeSet<String> = known.map(|name| format!("{}{name}", self.prefix)).collect();
        let module = |name: &str| -> Option<String> {
            let name = name.strip_prefix(&self.prefix)?;
            Some(name.split('.').next().unwrap_or(name).to_string())
        };
        let modules: BTreeSet<String> = known.iter().filter_map(|name| module(name)).collect();
        let of_module = |name: &str| module(name).is_some_and(|module| modules.contains(&module));
        let unused = self.file.names().filter(|&name| !known.contains(name));
        let (foreign, others): (Vec<&str>, Vec<&str>) = unused.partition(|name| of_module(name));
        if foreign.is_empty() {
            Ok(others.into_iter().map(str::to_string).collect())
        } else {
            let found = format!("others as well: {}", name_list(&foreign));
            Err(self.file.wrong("", "the tensors of the architecture", &found))
        }
    }
}

/// What stands before all names, of which one is `first`.
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
