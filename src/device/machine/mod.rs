//! What the system tells of this machine: the files below `/proc` and `/sys`, under a root that tests replace.

mod system;

pub use system::System;
#[cfg(test)]
pub(crate) use system::tests;
