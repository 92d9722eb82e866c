//! Where tensors are computed. The only place that names a Burn backend.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::error::Result;

/// Burn's device, under a name that cannot be confused with a device that networks are chosen for.
pub type ComputeDevice = Device;

/// The backends that can be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// [`crate::error::Error::Invalid`] for `wgpu` in a build without that feature.
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

/// Whether tensors on this device are computed by the threads of this process.
pub(crate) fn is_cpu(device: &ComputeDevice) -> bool {
    let device = device.clone().without_autodiff();
    device == Device::flex() || device == ndarray()
}

/// Most rows that [`by_rows`] computes at once on a CPU, where what is computed from them should stay in a cache, and
/// elsewhere, where they bound memory.
const ROWS_ON_CPU: usize = 250;
const ROWS_ELSEWHERE: usize = 4096;

/// The outputs of a network for rows of `width` values, row after row; on the CPU by all threads.
pub fn by_rows(
    values: &[f32],
    width: usize,
    device: &ComputeDevice,
    forward: impl Fn(Tensor<2>) -> Tensor<2> + Sync,
) -> Vec<f32> {
    let width = width.max(1);
    let outputs = |rows: &[f32]| -> Vec<f32> {
        let shape = [rows.len() / width, width];
        let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), device);
        forward(rows).into_data().iter().collect()
    };
    let chunks: Vec<Vec<f32>> = if !is_cpu(device) {
        values.chunks(ROWS_ELSEWHERE * width).map(outputs).collect()
    } else if values.len() <= ROWS_ON_CPU * width {
        // To hand a single chunk to another thread would take longer than a small one's computation.
        return outputs(values);
    } else {
        values.par_chunks(ROWS_ON_CPU * width).map(outputs).collect()
    };
    chunks.concat()
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<ComputeDevice> {
    Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<ComputeDevice> {
    Err(crate::error::Error::Invalid {
        what: "backend wgpu".into(),
        expected: "a build with the wgpu feature".into(),
        found: "a build without it".into(),
        hint: "Build with `cargo build --release --features wgpu`, or compute on flex.".into(),
    })
}
