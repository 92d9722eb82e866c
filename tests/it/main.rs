//! The program as its users run it: one test binary, a module per feature.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backends;
mod benchmark;
mod bits;
mod checkpoint;
mod data;
mod devices;
mod driver;
mod exit_status;
mod explain;
mod export;
mod extend;
mod fuzz;
mod help;
mod help_fixture;
#[cfg(target_os = "linux")]
mod hostile;
mod interrupt;
mod json;
mod large_space;
mod layering;
mod lost_work;
mod measure;
mod mobile_real;
mod output;
mod parquet_fixture;
mod pipeline;
mod precisions;
mod probes;
mod proxy;
mod proxy_real;
mod real;
mod real_bits;
mod real_sources;
mod report;
mod resolutions;
mod runtimes;
mod shipped;
mod sources;
mod sources_360;
mod sources_blocks;
mod sources_haq;
mod sources_mobile;
mod sources_ofa;
mod sources_policies;
mod supernet;
mod trained;
mod transfer;
mod tune;
