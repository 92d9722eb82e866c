//! Do devices put architectures in the same order, and what does that save?
//!
//! Lu et al., *One Proxy Device Is Enough for Hardware-Aware Neural Architecture Search* (SIGMETRICS 2022): where the
//! latency rankings of two devices agree, the Pareto-optimal architectures of one, the proxy, are those of the other; where
//! they do not, the proxy's latency model is adapted with a few measurements.
//!
//! [`fleet`] the devices to compare; [`monotonicity`] how well they agree; [`select`] which of them stand for the others;
//! [`linear`] a device's linear latency model, [`penalized`] the convex problem and [`adaproxy`] its adaptation to another
//! device; [`flow`] from a proxy to the Pareto set of a target, [`transfer`] to those of many.

pub mod adaproxy;
pub mod cluster;
pub mod fleet;
pub mod flow;
pub mod linear;
pub mod monotonicity;
pub mod penalized;
pub mod select;
pub mod transfer;

pub use fleet::{Column, ColumnKind, Fleet};
