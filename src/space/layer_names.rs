//! What the reference implementation of a space calls the parameters of its layers, so that weights trained with it can be used.

/// What batch normalisation adds to a variance before it takes the root: PyTorch's default.
pub(crate) const EPSILON: f32 = 1e-5;

/// Names of the parameters of one layer, as PyTorch's `state_dict` lists them: those of the modules that hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerNames {
    /// The module of the weights and the bias; `None` for batch normalisation on its own.
    pub weights: Option<String>,
    /// The module of the batch normalisation that follows, or that the layer is.
    pub normalization: Option<String>,
    /// Whether the architecture names the layer although it cannot affect the output: only networks lowered as written have it.
    pub dead: bool,
}

impl LayerNames {
    /// What a module of batch normalisation holds: scale, shift, and the statistics seen in training.
    pub const NORMALIZATION: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

    /// A layer with weights, and with normalisation unless `normalization` is empty.
    pub(super) fn new(weights: impl Into<String>, normalization: impl Into<String>) -> LayerNames {
        let normalization = normalization.into();
        LayerNames {
            weights: Some(weights.into()),
            normalization: (!normalization.is_empty()).then_some(normalization),
            dead: false,
        }
    }

    /// The names of all tensors that the layer's modules may hold.
    pub fn tensors(&self) -> impl Iterator<Item = String> + '_ {
        let weights = self
            .weights
            .iter()
            .flat_map(|module| ["weight", "bias"].map(|part| format!("{module}.{part}")));
        let parts = || LayerNames::NORMALIZATION.into_iter().chain(["num_batches_tracked"]);
        let of_module = move |module| parts().map(move |part| format!("{module}.{part}"));
        weights.chain(self.normalization.iter().flat_map(of_module))
    }
}
