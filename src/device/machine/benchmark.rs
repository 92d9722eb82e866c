//! Short benchmarks in place of what a datasheet would state.

use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use rayon::prelude::*;

use crate::compute::Backend;
use crate::error::{Error, Result};

/// Edge of the matrices multiplied: their three fit into no cache but the last, and blocking hides that.
const EDGE: usize = 1024;
/// Bytes copied between two buffers unless the last cache asks for more, and at most.
const LEAST_BYTES: usize = 64 << 20;
const MOST_BYTES: usize = 512 << 20;
/// The buffer is so many times as large as the last cache.
const BEYOND_CACHE: f64 = 4.0;

/// Arithmetic throughput at fp32 of so many threads in GFLOP/s: the best of the products of two matrices in about `seconds`.
///
/// # Errors
/// [`Error::Runtime`] if the threads cannot be started.
pub fn measured_peak_gflops(threads: usize, seconds: f64) -> Result<f64> {
    let device = Backend::Flex.device()?;
    let matrix = || Tensor::<2>::random([EDGE, EDGE], Distribution::Uniform(-1.0, 1.0), &device);
    let (left, right) = (matrix(), matrix());
    let operations = 2.0 * (EDGE as f64).powi(3);
    let fastest = pool(threads)?.install(|| {
        fastest_s(seconds, || {
            // Reading a value waits for the product.
            let _ = left.clone().matmul(right.clone()).into_data();
        })
    });
    Ok(operations / fastest / 1e9)
}

/// Bandwidth of the main memory for so many threads in GB/s, bytes read and written: the best of the copies in about `seconds` of a
/// buffer that is larger than a last cache of so many MiB (McCalpin, *STREAM*, counts likewise).
///
/// # Errors
/// [`Error::Runtime`] if the threads cannot be started.
pub fn measured_bandwidth_gb_s(threads: usize, last_cache_mib: Option<f64>, seconds: f64) -> Result<f64> {
    let wanted = BEYOND_CACHE * last_cache_mib.unwrap_or(0.0) * f64::from(1 << 20);
    let bytes = (wanted as usize).clamp(LEAST_BYTES, MOST_BYTES);
    let (source, mut target) = (vec![1_u8; bytes], vec![0_u8; bytes]);
    let part = bytes.div_ceil(threads.max(1));
    let fastest = pool(threads)?.install(|| {
        fastest_s(seconds, || {
            let parts = target.par_chunks_mut(part).zip(source.par_chunks(part));
            parts.for_each(|(target, source)| target.copy_from_slice(source));
        })
    });
    Ok(2.0 * bytes as f64 / fastest / 1e9)
}

/// The shortest of the runs in about `seconds`, of which there are two at least: the first one warms up.
fn fastest_s(seconds: f64, mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    let mut fastest = f64::INFINITY;
    while fastest.is_infinite() || start.elapsed().as_secs_f64() < seconds {
        let before = Instant::now();
        run();
        fastest = fastest.min(before.elapsed().as_secs_f64());
    }
    fastest
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    pool.map_err(|error| Error::Runtime {
        runtime: "benchmark of this machine".into(),
        expected: format!("{threads} threads"),
        found: error.to_string(),
        hint: "Use fewer threads.".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a microcontroller's to a large server's: a wrong unit or a loop that is optimised away is outside.
    #[test]
    fn this_machine_is_within_reason() {
        let peak = measured_peak_gflops(1, 0.05).unwrap();
        assert!((0.5..2_000.0).contains(&peak), "{peak} GFLOP/s");
        let bandwidth = measured_bandwidth_gb_s(1, None, 0.05).unwrap();
        assert!((0.2..1_000.0).contains(&bandwidth), "{bandwidth} GB/s");
    }
}
