//! The layers that an architecture lowers to, and what follows from them without any measurement: MACs, parameters,
//! bytes moved, kernel launches.

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// Convolution (with batch normalisation and activation fused in); dense when `groups` is 1, depthwise when it equals
    /// the input channels.
    Convolution,
    /// Average or maximum pooling.
    Pooling,
    /// Element-wise sum of two feature maps.
    Add,
    /// Fully connected layer.
    Linear,
}

/// One layer, for a batch of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it computes.
    pub kind: LayerKind,
    /// Channels in.
    pub input_channels: u32,
    /// Channels out.
    pub output_channels: u32,
    /// Kernel edge in pixels; 1 for `Add` and `Linear`.
    pub kernel: u32,
    /// Stride in pixels.
    pub stride: u32,
    /// Convolution groups.
    pub groups: u32,
    /// Output width in pixels.
    pub output_width: u32,
    /// Output height in pixels.
    pub output_height: u32,
}

/// The layers of an architecture in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The layers.
    pub layers: Vec<Layer>,
}

/// Names of the values of [`Network::physical_features`], in order.
pub const PHYSICAL_FEATURES: &[&str] = &[];
