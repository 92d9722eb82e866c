//! Where tensors are computed. The only place that names a Burn backend.

use burn::tensor::Device;

use crate::error::{Error, Result};

/// Burn's device, under a name that cannot be confused with a device that networks are chosen for.
pub type ComputeDevice = Device;

/// The backends that can be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Backend {
    /// Burn's CPU backend with SIMD kernels.
    #[default]
    Flex,
    /// Burn's older CPU backend.
    Ndarray,
    /// GPU, or software Vulkan, through wgpu. Needs a build with `--features wgpu`.
    Wgpu,
}

impl Backend {
    /// The device that this backend computes on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `wgpu` in a build without that feature.
    pub fn device(self) -> Result<ComputeDevice> {
        match self {
            Backend::Flex => Ok(Device::flex()),
            Backend::Ndarray => Ok(ndarray()),
            Backend::Wgpu => wgpu(),
        }
    }
}

#[allow(deprecated, reason = "Burn 0.22 still ships it, and 0.23 drops it")]
fn ndarray() -> ComputeDevice {
    Device::ndarray()
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<ComputeDevice> {
    Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<ComputeDevice> {
    Err(Error::Invalid {
        what: "--backend wgpu".into(),
        expected: "a build with the wgpu feature".into(),
        found: "a build without it".into(),
        hint: "Build with `cargo build --release --features wgpu`, or leave the option out.".into(),
    })
}
