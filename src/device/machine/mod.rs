//! This machine as a device: what its kernel tells, what follows from that, and what short benchmarks measure. Each value says
//! where it comes from.
//!
//! [`System`] reads the files below `/proc` and `/sys`; [`MachineSheet`] makes a datasheet of them, with what the catalogue knows of
//! a processor of that name; [`measured_peak_gflops`] and [`measured_bandwidth_gb_s`] replace guesses by measurements.

mod benchmark;
mod facts;
mod sheet;
mod system;

pub use benchmark::{measured_bandwidth_gb_s, measured_peak_gflops};
pub use sheet::{Basis, Fact, MachineSheet};
pub use system::System;
#[cfg(test)]
pub(crate) use system::tests;
